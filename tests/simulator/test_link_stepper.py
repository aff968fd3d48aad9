"""Link against the stepper: random programs, in which every word tells which read it comes from.

All words of all memories differ and the VXM only moves them, so the value of each write names the read that it came
from; link must have traced the write back to that read. A register written twice, or read unwritten, must stop both.
"""

import itertools
from collections import defaultdict
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.simulator.build import Entry, issue, nop, program
from waterclock.chip import Chip, SliceKind, load
from waterclock.isa.program import Program
from waterclock.isa.record import INSTRUCTION, OperandKind, address
from waterclock.isa.table import OPCODES
from waterclock.simulator.errors import MachineError
from waterclock.simulator.events import Event
from waterclock.simulator.link import Cause, Linked, LinkError, rebuild, unroll
from waterclock.simulator.link.anatomy import Anatomy
from waterclock.simulator.link.registers import resolve_holds
from waterclock.simulator.link.streams import resolve_streams
from waterclock.simulator.state import State
from waterclock.simulator.stepper import step

NUM_PROGRAMS = 16
NUM_HAZARDS_STEPPED = 3
NUM_CYCLES = 40
NUM_READS = 25
NUM_STREAMS = 3
NUM_WORDS = 8
FIRST_WRITTEN = 100
SEEN_BY_BOTH = (Cause.UNWRITTEN, Cause.DOUBLE_ARRIVAL)

WAIT = np.zeros((), INSTRUCTION)
WAIT["op"], WAIT["n"] = OPCODES["icu.nop"], 1

Issues = dict[tuple[str, int], Entry]
"""What issues, by queue and cycle."""


@pytest.fixture(scope="module")
def chip() -> Chip:
    return load("tiny")


def random_program(chip: Chip, rng: np.random.Generator) -> Program:
    """Reads that leave at any time, and moves and writes where one of their words passes if nothing replaces it."""
    issues: Issues = {}
    travelling: list[tuple[int, str, int]] = []  # cycle at x = 0 (it may be negative), way, stream

    def send(queue: str, cycle: int, latency: int) -> str:
        way, stream = str(rng.choice(["e", "w", "b"])), 4 * int(rng.integers(NUM_STREAMS))
        x = chip.queue_by_name[queue].slice.x
        travelling.extend(
            (cycle + latency + (-x if each == "e" else x), each, stream) for each in "ew" if way in (each, "b")
        )
        return f"{way}{stream}"

    mems = [piece.name for piece in chip.slices_of(SliceKind.MEM)]
    for _ in range(NUM_READS):
        place = str(rng.choice(mems)), int(rng.integers(NUM_CYCLES))
        if place not in issues:
            word = int(rng.integers(NUM_WORDS))
            issues[place] = issue("mem.read32", to=send(*place, chip.latency.mem_read), address=address(word))
    for queue in rng.permutation([*mems * 6, *[f"vxm.alu{i}" for i in range(chip.vxm.num_alus)] * 6]).tolist():
        start, way, stream = travelling[int(rng.integers(len(travelling)))]
        x = chip.queue_by_name[queue].slice.x
        place = queue, start + (x if way == "e" else -x)
        if place in issues or place[1] < 0:
            continue
        if queue.startswith("mem"):
            issues[place] = issue("mem.write32", f"{way}{stream}", address=address(FIRST_WRITTEN + len(issues)))
        elif rng.integers(2):
            issues[place] = issue("vxm.move", f"{way}{stream}", hold=int(rng.integers(chip.vxm.num_holds)))
        else:
            source = f"{way}{stream}" if rng.integers(3) else f"h{rng.integers(chip.vxm.num_holds)}"
            issues[place] = issue("vxm.move", source, to=send(*place, chip.latency.vxm_simple))
    return program(chip, queues_of(issues))


def queues_of(issues: Issues) -> dict[str, list[Entry]]:
    queues: dict[str, list[Entry]] = defaultdict(list)
    next_cycle: dict[str, int] = defaultdict(int)
    for (queue, cycle), entry in sorted(issues.items(), key=lambda item: item[0]):
        wait = cycle - next_cycle[queue]
        queues[queue] += [nop(wait), entry] if wait else [entry]
        next_cycle[queue] = cycle + 1
    return dict(queues)


def mended(built: Program, chip: Chip) -> Linked:
    """The program without its reads of nothing and double arrivals, as link points at them, and with discards."""
    for hazard in itertools.count():
        try:
            anatomy = Anatomy(unroll(built, chip))
            producer = np.maximum(resolve_streams(anatomy), resolve_holds(anatomy))
            break
        except LinkError as error:
            assert error.queue is not None and error.entry is not None and error.cause in SEEN_BY_BOTH
            if hazard < NUM_HAZARDS_STEPPED:
                stepper_stops_too(built, chip)
            records = built.queues[error.queue].copy()
            records[error.entry] = WAIT
            built = replace(built, queues={**built.queues, error.queue: records})
    events = anatomy.events
    queues = {name: records.copy() for name, records in built.queues.items()}
    for event in np.flatnonzero((anatomy.result_bytes > 0) & ~events.marked(producer.ravel())):
        queues[chip.queues[events.queue[event]].name][events.entry[event]]["result"]["discard"] = 1
    return rebuild(replace(built, queues=queues), chip)


@cache
def random_linked(seed: int) -> Linked:
    chip = load("tiny")
    return mended(random_program(chip, np.random.default_rng(seed)), chip)


def telling_state(chip: Chip) -> State:
    state = State.zero(chip)
    state.mem[:] = np.arange(state.mem.size).reshape(state.mem.shape) + 1
    return state


def stepper_stops_too(built: Program, chip: Chip) -> None:
    with pytest.raises(MachineError):
        step(chip, built, telling_state(chip))


def origin(linked: Linked, event: int) -> int:
    """The read that a word comes from, through moves."""
    while (linked.producer[event] >= 0).any():
        event = int(linked.producer[event].max())
    return event


@pytest.mark.parametrize("seed", range(NUM_PROGRAMS))
def test_every_word_comes_from_the_read_that_link_says(chip: Chip, seed: int) -> None:
    linked = random_linked(seed)
    told: list[Event] = []
    state = telling_state(chip)
    stepped = step(chip, linked.program, state, told.append)
    assert stepped.length_cycles == linked.length_cycles
    results = {(event.queue, event.entry): event.value for event in told}
    for event in range(len(linked)):
        queue = chip.queues[linked.queue[event]]
        read = origin(linked, event)
        memory, row = chip.queues[linked.queue[read]].slice.index, linked.rows.record[linked.row[read]]
        word = state.mem[memory, row["address"]["base"]]
        assert results[queue.name, int(linked.entry[event])] == word.tobytes(), linked.name(event)
        assert (row["a"]["kind"] == OperandKind.NONE) and linked.memory[read] < 0


def test_the_random_programs_use_streams_and_holds() -> None:
    """They would prove little if taking out what link refuses had left next to nothing."""
    linked = [random_linked(seed) for seed in range(NUM_PROGRAMS)]
    kinds = np.concatenate([each.rows.record["a"]["kind"][each.row] for each in linked])
    assert (kinds == OperandKind.HOLD).sum() > NUM_PROGRAMS // 2
    assert np.isin(kinds, (OperandKind.EAST, OperandKind.WEST)).sum() > 10 * NUM_PROGRAMS
    assert sum(len(each) for each in linked) > 20 * NUM_PROGRAMS
