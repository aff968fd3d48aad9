"""Compiled programs with one small mistake each: link refuses every one that doesn't compute the same.

What link says is not believed: whatever it accepts is rebuilt once more with every run of every loop, compared with the
program that it comes from, and stepped beside it; and of what it refuses a share is stepped too.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import pytest

from tests.integration.executions import Built
from tests.integration.test_prefill import deployed
from tests.simulator.misstate import MISSTATEMENTS, Misstatement, narrow_range
from tests.simulator.mutate import MUTATIONS, Mutation, mutants, mutated
from waterclock.chip import Chip
from waterclock.compiler.context import Shape
from waterclock.compiler.deployment import TOKENS, Deployment
from waterclock.errors import WaterclockError
from waterclock.isa.program import Program, instruction_id
from waterclock.isa.record import OPERAND_NAMES, OperandKind
from waterclock.runtime.device import loaded_state
from waterclock.simulator.link import Cause, Linked, LinkError, dataflow_equal, link, link_every_run, rebuild_every_run
from waterclock.simulator.state import State
from waterclock.simulator.stepper import step

GROUP = 4
"""Streams of a 32-bit vector."""
MAX_TRIES = 1000
NUM_LAUNCHES = 3
"""Random launches in which an accepted mutant is compared with the program, bit for bit."""
SHARE_STEPPED, SHARE_EVERY_RUN = 5, 4
"""One in so many refused mutants is stepped, and its refusal compared with that by every run."""
UNPLACED = {Cause.LENGTH, Cause.OUTPUT, Cause.OBJECT, Cause.PARAMETER}
"""What a program says wrongly of itself as a whole has no queue and no cycle."""


@dataclass(frozen=True, eq=False)
class Original:
    """A compiled program, what it computes, and launches of it: states before, and what the stepper leaves."""

    program: Program
    chip: Chip
    linked: Linked
    launches: tuple[tuple[State, State], ...]

    def is_left_by(self, mutant: Program, *, launches: int = NUM_LAUNCHES) -> bool:
        """Whether the stepper takes a mutant's launches to the same states in the same cycles."""
        return all(self._is_left_by(mutant, *launch) for launch in self.launches[:launches])

    def _is_left_by(self, mutant: Program, before: State, after: State) -> bool:
        stepped = step(self.chip, mutant, before)
        same_length = stepped.length_cycles == self.program.length_cycles
        return same_length and stepped.state.first_difference(after) is None


def launched_state(deployment: Deployment, program: Program, seed: int) -> State:
    """A state before a launch: a KV cache of anything, random tokens, a random position."""
    rng, state = np.random.default_rng(seed), loaded_state(deployment).fork()
    state.sram[:] = rng.integers(-128, 128, state.sram.shape)
    for param in program.params:
        state.params[param.index] = rng.integers(param.low, param.high, endpoint=True)
    words = [each for each in program.objects if each.name == TOKENS]
    token = next(param for param in program.params if param.name == "token")
    for each in words:
        piece = deployment.chip.slice_by_name[each.slice].index
        tokens = rng.integers(token.low, token.high, (each.size, 1), endpoint=True)
        state.mem[piece, each.base : each.base + each.size] = tokens
    return state


def original(deployment: Deployment, program: Program) -> Original:
    chip = deployment.chip
    before = [launched_state(deployment, program, seed) for seed in range(NUM_LAUNCHES)]
    launches = tuple((state, step(chip, program, state).state) for state in before)
    return Original(program, chip, link_every_run(program, chip), launches)


@cache
def originals(model: str, chip: str, shapes: tuple[Shape, ...]) -> tuple[Original, ...]:
    deployment = deployed(model, chip, shapes)
    return tuple(original(deployment, program) for program in deployment.programs.values())


def reroute(rng: np.random.Generator, program: Program, chip: Chip) -> Program | None:
    """One result and all its readers use another stream than before, whether it is free or not."""
    number_by_queue = {name: chip.queue_by_name[name].number for name in program.queues}
    producers = [
        (name, entry)
        for name, records in program.queues.items()
        for entry in np.flatnonzero(records["result"]["direction"]).tolist()
    ]
    name, entry = producers[int(rng.integers(len(producers)))]
    queues = {queue: records.copy() for queue, records in program.queues.items()}
    result = queues[name][entry]["result"]
    shift = GROUP * int(rng.integers(1, chip.num_groups))
    result["stream"] = (int(result["stream"]) + shift) % chip.num_streams
    producer = instruction_id(number_by_queue[name], entry)
    for queue, records in queues.items():
        for operand in OPERAND_NAMES:
            meant = program.flow[queue][operand]
            reads = (meant["first"] == producer) | (meant["carried"] == producer)
            on_stream = np.isin(records[operand]["kind"], (OperandKind.EAST, OperandKind.WEST))
            index = records[operand]["index"]
            index[reads & on_stream] = (index[reads & on_stream].astype(int) + shift) % chip.num_streams
    return replace(program, queues=queues)


@dataclass
class Outcomes:
    """What became of some mutants, by kind of mistake."""

    by_kind: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    causes: Counter[str] = field(default_factory=Counter)

    def __getitem__(self, outcome: str) -> int:
        return sum(counter[outcome] for counter in self.by_kind.values())

    def table(self) -> str:
        columns = ("mutants", "refused", "equivalent", "stepped", "halts", "differs", "same")
        head = " " * 20 + "".join(f"{name:>11}" for name in columns)
        rows = [
            f"{kind:20}" + "".join(f"{counted[name]:11}" for name in columns)
            for kind, counted in sorted(self.by_kind.items())
        ]
        total = f"{'in all':20}" + "".join(f"{self[name]:11}" for name in columns)
        causes = ", ".join(f"{cause} {count}" for cause, count in self.causes.most_common())
        return "\n".join(["", head, *rows, total, f"refused for: {causes}"])


def mutant_of(kind: Callable[..., object], rng: np.random.Generator, program: Program, chip: Chip) -> Program | None:
    """One mutant of a kind, None if the program has nothing to get wrong in that way."""
    for _ in range(MAX_TRIES):
        if kind is reroute:
            return reroute(rng, program, chip)
        if kind in MISSTATEMENTS:
            return kind(rng, program)
        found = mutated(program, kind, rng)
        if found is not None:
            return found[1]
    return None


KINDS: tuple[Mutation | Misstatement | Callable[..., Program | None], ...] = (*MUTATIONS, *MISSTATEMENTS, reroute)


def judged(every: tuple[Original, ...], count: int, seed: int) -> Outcomes:
    """Make mutants, kind after kind and program after program, and assert that link is right about each."""
    rng, outcomes = np.random.default_rng(seed), Outcomes()
    for number, (kind, one) in zip(range(count), _turns(rng, every), strict=False):
        mutant = mutant_of(kind, rng, one.program, one.chip)
        while mutant is None:
            kind = KINDS[int(rng.integers(len(KINDS)))]
            mutant = mutant_of(kind, rng, one.program, one.chip)
        counted = outcomes.by_kind[kind.__name__]
        counted["mutants"] += 1
        try:
            link(mutant, one.chip)
        except LinkError as refused:
            outcomes.causes[refused.cause] += 1
            counted["refused"] += 1
            _check_refusal(one, kind, mutant, refused, counted, number)
            continue
        counted["equivalent"] += 1
        _check_equivalence(one, kind, mutant)
    return outcomes


def _turns(rng: np.random.Generator, every: tuple[Original, ...]) -> Iterator[tuple[Callable[..., object], Original]]:
    while True:
        for kind in rng.permutation(np.arange(len(KINDS))).tolist():
            yield KINDS[kind], every[int(rng.integers(len(every)))]


def _check_refusal(
    one: Original, kind: object, mutant: Program, refused: LinkError, counted: Counter[str], number: int
) -> None:
    """It says where; every run says the same; and the stepper, if it is asked, counts whether harm was done."""
    placed = None not in (refused.slice, refused.queue, refused.cycle)
    assert placed or refused.cause in UNPLACED, str(refused)
    assert "\n" not in str(refused)
    if number % SHARE_EVERY_RUN == 0:
        with pytest.raises(LinkError) as refused_by_all:
            link_every_run(mutant, one.chip)
        assert str(refused_by_all.value) == str(refused)
    if number % SHARE_STEPPED == 0 and kind not in MISSTATEMENTS:
        counted["stepped"] += 1
        try:
            counted["same" if one.is_left_by(mutant) else "differs"] += 1
        except WaterclockError:
            counted["halts"] += 1


def _check_equivalence(one: Original, kind: object, mutant: Program) -> None:
    """It is what it comes from in dataflow, cycles and every bit that it leaves."""
    assert link_every_run(mutant, one.chip).length_cycles == one.linked.length_cycles
    if kind is narrow_range:  # fewer launches are allowed, each as it was; of several writers the last may be another
        mutant = replace(mutant, params=one.program.params)
    assert dataflow_equal(rebuild_every_run(mutant, one.chip), one.linked), kind
    if kind in MISSTATEMENTS:
        assert mutant.queues is one.program.queues or all(
            np.array_equal(mutant.queues[name], records) for name, records in one.program.queues.items()
        )
        return
    assert one.is_left_by(mutant), kind


DECODE, PREFILL = Shape(1, 16), Shape(4, 16)


def test_mutants_are_refused_or_equivalent() -> None:
    outcomes = judged(originals("one layer", "8 lanes", (Shape(1, 8), Shape(2, 8))), 60, seed=1)
    print(outcomes.table())
    assert outcomes["refused"] + outcomes["equivalent"] == outcomes["mutants"] == 60


@pytest.mark.slow
def test_1000_mutants_are_refused_or_equivalent() -> None:
    """`make link-mutants` prints the table."""
    every = (
        *originals("five layers", "8 lanes", (DECODE, PREFILL)),
        *originals("two layers", "one hold register", (DECODE, PREFILL)),
    )
    outcomes = judged(every, 1000, seed=2)
    print(outcomes.table())
    assert outcomes["refused"] + outcomes["equivalent"] == outcomes["mutants"] == 1000
    assert outcomes["equivalent"] > 20
    assert set(outcomes.by_kind) >= {kind.__name__ for kind in (*MISSTATEMENTS, reroute)}


@pytest.mark.slow
def test_mutants_of_a_real_program_are_refused_or_equivalent(smollm2: Built) -> None:
    """Too large to be stepped: what is accepted has the same dataflow."""
    outcomes: Counter[str] = Counter()
    for what, mutant in mutants(smollm2.program, 200, seed=3):
        try:
            linked = link(mutant, smollm2.chip)
        except LinkError as refused:
            outcomes[refused.cause] += 1
            continue
        outcomes["equivalent"] += 1
        assert dataflow_equal(linked, smollm2.linked), what
    print(f"\n{outcomes}")
    assert outcomes.total() == 200
