"""Launch parameters in gates: each takes any value of its own range and no other, from any queue."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import product

import numpy as np
import pytest

from tests.programs.parts import Row, entries_of, row_of, stacked
from tests.programs.walks import wide
from tests.rtl.compare import assembled
from waterclock.chip import Chip, Queue
from waterclock.isa.causes import Cause
from waterclock.isa.program import Param, Program
from waterclock.isa.record import OperandKind, Records
from waterclock.simulator.events import Event, Kind
from waterclock.simulator.state import State
from waterclock.simulator.stepper import step

WORD_BITS, LEAST, MOST = 32, -(1 << 31), (1 << 31) - 1
SET_ENTRY = 2
READ_STREAM, FIRST_STREAM, STREAMS_PER_WORD = 4, 8, 4
NUM_ROUNDS = 4
NUM_TURNS = 4


def setters(chip: Chip) -> list[Queue]:
    """Queues that can set a parameter to a word that comes from the first MEM slice, whose own queue only reads."""
    from waterclock.rtl.core import built_queues

    return [queue for queue in built_queues(chip) if queue.name != "mem0"]


def arrival(chip: Chip, queue: Queue) -> int:
    """Cycles from the read of a word in MEM slice 0 until it passes a queue's slice."""
    return chip.latency.mem_read + abs(queue.slice.x - chip.slice_by_name["mem0"].x)


def setting(chip: Chip, queue: Queue, param: int) -> Row:
    is_east = queue.slice.x > chip.slice_by_name["mem0"].x
    return row_of("icu.set_param", a=(OperandKind.EAST if is_east else OperandKind.WEST, READ_STREAM, 0), param=param)


def around_ranges(rng: np.random.Generator) -> Iterator[tuple[int, int, int]]:
    """A range of any width, and a value at an end of it, just outside, a power of two away, or anywhere."""
    low, high = sorted(wide(rng, WORD_BITS) for _ in range(2))
    away = 1 << int(rng.integers(WORD_BITS))
    for value in (low, high, low - 1, high + 1, low - away, low + away, high - away, high + away):
        if LEAST <= value <= MOST:
            yield low, high, value


@pytest.mark.parametrize("seed", range(NUM_ROUNDS))
def test_every_parameter_has_a_range_of_its_own(tiny: Chip, seed: int) -> None:
    """Ranges come over the load bus in any order, some of them twice, with values between them."""
    from waterclock.rtl.cosim import Frozen, Memories, design_of, launch_on, loading
    from waterclock.rtl.images import encoded, param_writes, writes
    from waterclock.rtl.verilated import Simulation

    rng = np.random.default_rng(seed)
    for param in range(tiny.num_params):
        queue = setters(tiny)[int(rng.integers(len(setters(tiny))))]
        arrives = arrival(tiny, queue)
        queues: Mapping[str, Records] = {
            **assembled({"mem0": f"mem.read32 word[7] -> s{READ_STREAM}ew"}),
            queue.name: stacked([row_of("icu.start"), row_of("icu.nop", n=arrives), setting(tiny, queue, param)]),
        }
        for low, high, value in around_ranges(rng):
            ranges = rng.integers(LEAST, MOST, (tiny.num_params, 2)).astype(np.int32)
            mem = np.zeros((tiny.num_mem, tiny.mem.num_words, tiny.lanes), np.int32)
            ranges[param], mem[0, 7, 0] = (low, high), value
            once = writes(tiny, {}, Memories(ranges=ranges))
            some = param_writes(tiny, {int(one): 1 for one in rng.permutation(tiny.num_params)[: rng.integers(4)]})
            rows = rng.permutation(np.concatenate([once, once[: rng.integers(len(once))], some]))
            simulation = Simulation(design_of(tiny))
            simulation.drive(loading(simulation, rows))
            frozen = launch_on(simulation, tiny, encoded(tiny, queues), Memories(mem=mem), arrives + 2).frozen
            assert frozen == (None if low <= value <= high else Frozen(arrives, queue.name, SET_ENTRY, Cause.PARAM))


def program_that_sets(chip: Chip, pairs: Sequence[tuple[Queue, int]]) -> Program:
    """Words 0, 1, ... of MEM slice 0 become parameters, one by one, each by the queue that is named; all the while the
    ALUs look at the one that is set, in every cycle in which they do not set one themselves."""
    gap = chip.param_latency_cycles + 2
    row_by_cycle: dict[str, dict[int, Row]] = defaultdict(dict)
    for number, (queue, param) in enumerate(pairs):
        read = assembled({"mem0": f"mem.read32 word[{number}] -> s{READ_STREAM}ew"})
        row_by_cycle["mem0"][number * gap] = read["mem0"][1]
        row_by_cycle[queue.name][number * gap + arrival(chip, queue)] = setting(chip, queue, param)
    for alu in range(chip.vxm.num_alus):
        looks = row_by_cycle[f"vxm.alu{alu}"]
        for cycle in range(gap * len(pairs)):
            stream = FIRST_STREAM + STREAMS_PER_WORD * alu
            look = row_of("vxm.move", a=(OperandKind.PARAM, pairs[cycle // gap][1], 0), result=(stream, 3, 0, 0))
            looks.setdefault(cycle, look)
    declared = tuple(Param(f"p{param}", param, LEAST, MOST, host=False) for param in range(chip.num_params))
    empty: dict[str, np.ndarray] = {}
    queues = {name: entries_of(rows) for name, rows in row_by_cycle.items()}
    return Program("sets", chip.sha256, queues, empty, empty, (), (), declared, (), 0)


@pytest.mark.parametrize("turn", range(NUM_TURNS))
def test_every_queue_sets_every_parameter_to_any_value(tiny: Chip, turn: int) -> None:
    """To a value, and right after that to what has every bit of it changed."""
    from waterclock.rtl.cosim import Memories
    from waterclock.rtl.lockstep import Lockstep

    rng, state, events = np.random.default_rng(50), State.zero(tiny), list[Event]()
    pairs = list(product(setters(tiny), range(tiny.num_params)))
    pairs = [pairs[place] for place in rng.permutation(len(pairs))][turn::NUM_TURNS]
    words = rng.integers(LEAST, MOST, len(pairs))
    state.mem[:] = np.resize(np.stack([words, ~words], axis=1), state.mem.shape[1])[None, :, None]
    state.params[:] = rng.integers(LEAST, MOST, tiny.num_params)
    program = program_that_sets(tiny, [pair for pair in pairs for _ in range(2)])
    lockstep = Lockstep(tiny, program, Memories(mem=state.mem, params=state.params))
    stepped = step(tiny, program, state, events.append)
    checked = lockstep.launch({}, events, stepped.length_cycles)
    assert checked.difference is None
    assert {(event.queue, *event.place) for event in events if event.kind is Kind.PARAM} == {
        (queue.name, param) for queue, param in pairs
    }
