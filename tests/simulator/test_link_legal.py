"""Legal schedules that no compiler made: link raises no alarm, and knows of each what its generator meant.

Each is linked with few runs of its loops and with all, rebuilt and compared issue by issue with what the generator put
where, stepped, and compared with the values that the meant dataflow gives. Legal changes of it are legal; with one
thing wrong it is refused, for the cause and at the place of that.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pytest

from tests.programs import random_state
from tests.simulator.legal import Issue, Legal, legal_program, program_of
from tests.simulator.legal.addresses import PARAMS
from tests.simulator.legal.change import CHANGES, Change
from tests.simulator.legal.plant import PLANTERS, Planter
from tests.simulator.legal.values import Dataflow, result_bytes
from tests.simulator.mutate import mutants
from waterclock.chip import Chip, load
from waterclock.isa.program import Program
from waterclock.isa.record import OPERAND_NAMES
from waterclock.isa.table import CONTROL, INSTRUCTIONS
from waterclock.simulator.events import Event, Kind
from waterclock.simulator.link import Cause, Linked, LinkError, dataflow_equal, link, link_every_run
from waterclock.simulator.machine import Machine
from waterclock.simulator.state import State
from waterclock.simulator.stepper import step

SEEDS = (*range(10), 1058)  # the last: a repeat in a run that is written out before a loop
NUM_SCHEDULES = 500
PLANTED_AT_LEAST = 2
MAX_SEEDS = 60
SMALLEST_SHARE_BY_FEW_RUNS = 0.3
"""Of the schedules that have loops."""


@cache
def chip() -> Chip:
    return load("tiny")


@cache
def legal(seed: int) -> Legal:
    return legal_program(chip(), seed)


@dataclass
class Found:
    """What was found of some schedules."""

    counts: Counter[str] = field(default_factory=Counter)
    instructions: Counter[str] = field(default_factory=Counter)

    def add(self, one: Legal, few: Linked, every: Linked) -> None:
        has_loops = any(operation.segment.loops for operation in one.operations)
        by_few = few.rolled is not None and few.rolled.is_cut
        self.counts += Counter(schedules=1, loops=has_loops, by_few_runs=by_few, issues=len(every), looked_at=len(few))
        self.counts["written_out"] += any(operation.segment.num_written_out for operation in one.operations)
        self.instructions.update(operation.instruction.mnemonic for operation in one.operations)

    @property
    def share_by_few_runs(self) -> float:
        return self.counts["by_few_runs"] / self.counts["loops"]


def check(seed: int, found: Found) -> None:
    """All that there is to be right about one schedule."""
    one = legal(seed)
    built, _ = program_of(one)
    few, every = link(built, chip()), link_every_run(built, chip())
    found.add(one, few, every)
    assert few.length_cycles == every.length_cycles == built.length_cycles
    assert_rebuilt_is_meant(one, every)
    assert_steps_as_meant(one, built, seed)


def assert_rebuilt_is_meant(one: Legal, every: Linked) -> None:
    """Link finds for every operand of every issue the issue whose result the generator left there."""
    place = {
        (int(queue), int(cycle)): event
        for event, (queue, cycle) in enumerate(zip(every.queue, every.cycle, strict=True))
    }
    event_of = {issue: place[issue.operation.queue.number, issue.cycle] for issue in one.issues()}
    assert len(event_of) == len(every)
    columns = {name: every.producer[:, number] for number, name in enumerate(OPERAND_NAMES)}
    columns |= {"acc": every.acc, "memory": every.memory}
    for issue, event in event_of.items():
        for name, column in columns.items():
            meant = issue.operation.found.get((name, issue.run))
            assert column[event] == (-1 if meant is None else event_of[meant]), (every.name(event), name)


def launched_state(seed: int) -> State:
    """Anything in all memories, small numbers where addresses come from, and parameters in their ranges."""
    state, rng = random_state(chip(), seed), np.random.default_rng(seed)
    state.mem[:, :8] = rng.integers(0, 4, state.mem[:, :8].shape)
    for param in PARAMS:
        state.params[param.index] = rng.integers(param.low, param.high, endpoint=True)
    return state


def assert_steps_as_meant(one: Legal, built: Program, seed: int) -> None:
    """The stepper's every result, and the state after, are those that the meant dataflow gives."""
    told: defaultdict[str, list[Event]] = defaultdict(list)
    stepped = step(chip(), built, launched_state(seed), lambda event: told[event.queue].append(event))
    state = launched_state(seed)
    results = Dataflow(one, state).run()
    assert stepped.length_cycles == built.length_cycles
    assert state.first_difference(stepped.state) is None
    meant: defaultdict[str, list[tuple[int, bytes]]] = defaultdict(list)
    for issue, value in results.items():
        meant[issue.operation.queue.name] += arrivals(issue, result_bytes(issue.operation, value))
    for queue, events in told.items():
        found = [(event.cycle, event.value) for event in events if event.kind in (Kind.STREAM, Kind.HOLD)]
        assert sorted(found) == sorted(meant[queue]), queue


def arrivals(issue: Issue, value: bytes) -> list[tuple[int, bytes]]:
    """What is told of a result: that it is on its stream, that it is in its hold."""
    result, cycle = issue.operation.row["result"], issue.cycle + issue.operation.latency(chip())
    return [(cycle, value)] * (int(result["direction"] > 0) + int(result["hold"] > 0))


def check_all(seeds: Iterable[int]) -> Found:
    found = Found()
    for seed in seeds:
        check(seed, found)
    print(f"\n{dict(found.counts)}, {found.share_by_few_runs:.0%} of those with loops by few runs")
    print(dict(found.instructions.most_common()))
    return found


def test_legal_schedules_raise_no_alarm_and_step_as_meant() -> None:
    found = check_all(SEEDS)
    assert found.share_by_few_runs >= SMALLEST_SHARE_BY_FEW_RUNS
    assert found.counts["written_out"]


@pytest.mark.slow
def test_500_legal_schedules_raise_no_alarm_and_step_as_meant() -> None:
    """`make link-schedules` prints what they are."""
    found = check_all(range(NUM_SCHEDULES))
    assert found.counts["schedules"] == NUM_SCHEDULES
    assert found.share_by_few_runs >= SMALLEST_SHARE_BY_FEW_RUNS
    assert set(found.instructions) == set(INSTRUCTIONS) - CONTROL


@pytest.mark.slow
def test_legal_schedules_run_as_they_step() -> None:
    """The fast machine, which trusts link, leaves the stepper's state; by few runs and by all."""
    by_few = 0
    for seed in range(100):
        built, _ = program_of(legal(seed))
        linked, state = link(built, chip()), launched_state(seed)
        by_few += linked.rolled is not None and linked.rolled.is_cut
        stepped = step(chip(), built, state)
        params = {param.index: int(state.params[param.index]) for param in PARAMS if param.host}
        launched = Machine(linked, state).launch(params)
        assert launched.length_cycles == stepped.length_cycles
        assert launched.state.first_difference(stepped.state) is None, seed
    assert by_few > 20


def changed(seeds: Iterable[int], change: Change) -> int:
    """How many schedules could be changed; link raises no alarm for any that was."""
    count = 0
    for seed in seeds:
        other = change(np.random.default_rng(seed), legal(seed))
        if other is None:
            continue
        built, _ = program_of(other)
        link(built, chip())
        every = link_every_run(built, chip())
        assert_rebuilt_is_meant(other, every)
        if change.__name__.startswith("rename"):
            assert dataflow_equal(every, link_every_run(program_of(legal(seed))[0], chip()))
        count += 1
    return count


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_legal_changes_raise_no_alarm(change: Change) -> None:
    assert changed(SEEDS[4:8], change)


@pytest.mark.slow
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_many_legal_changes_raise_no_alarm(change: Change) -> None:
    assert changed(range(100), change) > 10


def planted(planter: Planter, cause: Cause, count: int) -> None:
    """So many schedules with one illegality: each is refused for it, where it shows first."""
    for seed in range(MAX_SEEDS * count):
        found = planter(np.random.default_rng(seed), legal(seed))
        if found is None:
            continue
        with pytest.raises(LinkError) as refused:
            link(found.program, chip())
        error, queue = refused.value, found.queue
        place = (queue.slice.name, queue.name, found.cycle) if queue else (None, None, None)
        assert (error.cause, error.slice, error.queue, error.cycle) == (cause, *place), f"seed {seed}: {error}"
        count -= 1
        if not count:
            return
    raise AssertionError(f"{planter.__name__} found no room in any schedule")


ALL_PLANTERS = [(planter, cause) for cause, planters in PLANTERS.items() for planter in planters]


def named(value: object) -> str:
    return str(value) if isinstance(value, Cause) else getattr(value, "__name__", "")


@pytest.mark.parametrize(("planter", "cause"), ALL_PLANTERS, ids=named)
def test_an_illegality_is_refused_where_it_shows(planter: Planter, cause: Cause) -> None:
    planted(planter, cause, PLANTED_AT_LEAST)


@pytest.mark.slow
@pytest.mark.parametrize(("planter", "cause"), ALL_PLANTERS, ids=named)
def test_many_illegalities_are_refused_where_they_show(planter: Planter, cause: Cause) -> None:
    planted(planter, cause, 20)


def assert_verdicts_are_alike(num_mutants: int) -> None:
    """Of schedules with any fault in their queues link says, of few runs, what there is to say of all."""
    outcomes: Counter[str] = Counter()
    for seed in range(num_mutants):
        ((what, mutant),) = mutants(program_of(legal(seed % 100))[0], 1, seed)
        few, every = verdict(link, mutant), verdict(link_every_run, mutant)
        assert few == every, f"seed {seed}: {what}"
        outcomes["refused" if few else "accepted"] += 1
    print(f"\n{dict(outcomes)}")
    assert len(outcomes) == 2


def verdict(proof: Callable[[Program, Chip], Linked], built: Program) -> str | None:
    try:
        proof(built, chip())
    except LinkError as refused:
        return f"{refused.cause}: {refused}"
    return None


def test_of_mutants_few_runs_say_what_all_runs_say() -> None:
    assert_verdicts_are_alike(12)


@pytest.mark.slow
def test_of_1000_mutants_few_runs_say_what_all_runs_say() -> None:
    assert_verdicts_are_alike(1000)


def test_there_is_an_illegality_for_every_cause() -> None:
    assert set(PLANTERS) == set(Cause)
    assert all(PLANTERS.values())


def test_the_same_seed_gives_the_same_schedule() -> None:
    first, second = (program_of(legal_program(chip(), 3))[0] for _ in range(2))
    assert all(np.array_equal(first.queues[name], second.queues[name]) for name in first.queues)
    assert all(np.array_equal(first.flow[name], second.flow[name]) for name in first.flow)
