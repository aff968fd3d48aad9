"""Whoever reads a stream reads that one, while all kinds of words pass on the others."""

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import pytest

from tests.programs.parts import Row, entries_of
from tests.rtl.compare import assembled
from waterclock.chip import Chip, Queue, SliceKind, load
from waterclock.isa.program import Param, Program
from waterclock.simulator.events import Event
from waterclock.simulator.state import State
from waterclock.simulator.stepper import step

LEAST, MOST = -(1 << 31), (1 << 31) - 1
SLOT_CYCLES = 40
"""Longer than anything takes from the read of a word to the end of what is made of it."""
NUM_TURNS = 4
BYTE, WORD = 1, 4
READERS: dict[SliceKind, tuple[tuple[str, int], ...]] = {
    SliceKind.MEM: (
        ("mem.write8 {a}, byte[{n}]", BYTE), ("mem.write32 {a}, word[{n}]", WORD),
        ("mem.write_lane {a}, word[{n}], lane[1]", WORD),
    ),
    SliceKind.VXM: (
        ("vxm.widen8 {a} -> s0ew", BYTE), ("vxm.iadd {a}, 0x00000000 -> s0ew", WORD),
        ("vxm.iadd 0x00000000, {a} -> s0ew", WORD), ("vxm.select h0, 0xffffffff, {a} -> s0ew", WORD),
    ),
    SliceKind.SXM: (("sxm.rotate {a}, amount[1] -> s0ew", WORD),),
    SliceKind.MXM: (
        ("mxm.matvec {a}, tile[1], acc=0, first, emit -> s0ew", BYTE),
        ("mxm.matvec_t {a}, tile[1], acc=0, first, emit -> s0ew", BYTE), ("mxm.write_row {a}, tile[1], row[1]", BYTE),
    ),
}  # fmt: skip
"""Instructions that read a stream, and of how many streams a word consists that they read."""
SETTING = "icu.set_param {a}, param=0", WORD


def senders(chip: Chip, x: int, way: str) -> Iterator[Queue]:
    """Queues whose slices lie upstream of a position: they send a word when they are told to."""
    for queue in chip.queues:
        before = queue.slice.x < x if way == "e" else queue.slice.x > x
        if before and queue.slice.kind in (SliceKind.MEM, SliceKind.VXM):
            yield queue


Sent = tuple[str, int, Row]
"""Which queue issues what in which cycle."""


def words_that_meet(chip: Chip, x: int, way: str, cycle: int, stream: int, turn: int) -> Iterator[Sent]:
    """Words that pass a position in a cycle, on this stream and on as many others as can be.

    Turns 2 and 3 use other streams than turns 0 and 1, with the words of which turns 1 and 3 have every bit changed.
    """
    rng, queues = np.random.default_rng(cycle), list(senders(chip, x, way))
    groups = [one for one in rng.permutation(chip.num_streams // WORD).tolist() if one != stream // WORD]
    groups = np.roll(groups, turn // 2 * (len(queues) - 1)).tolist()
    for place, group in zip(rng.permutation(len(queues)).tolist(), [stream // WORD, *groups], strict=False):
        queue = queues[place]
        if queue.slice.kind is SliceKind.MEM:
            text, latency = f"mem.read32 word[{rng.integers(chip.mem.num_words)}]", chip.latency.mem_read
        else:
            number = int(rng.integers(1 << 32)) ^ -(turn % 2) & 0xFFFFFFFF
            text, latency = f"vxm.move {number:#010x}", chip.latency.vxm_simple
        row = assembled({queue.name: f"{text} -> s{WORD * group}{way}"})[queue.name][1]
        yield queue.name, cycle - latency - abs(queue.slice.x - x), row


def program_that_reads(chip: Chip, queue: Queue, turn: int) -> Program:
    """Every instruction of a queue that reads a stream, on each, one behind the other."""
    row_by_cycle: dict[str, dict[int, Row]] = defaultdict(dict)
    if queue.slice.kind is SliceKind.VXM:
        row_by_cycle[queue.name][0] = assembled({queue.name: "vxm.move 0x00000000 -> h0"})[queue.name][1]
    cycle = 0
    for text, step_streams in (*READERS[queue.slice.kind], SETTING):
        for way in (way for way in "ew" if any(senders(chip, queue.slice.x, way))):
            for stream in range(0, chip.num_streams, step_streams):
                cycle += SLOT_CYCLES
                read = text.format(a=f"s{stream}{way}", n=cycle % chip.mem.num_words)
                row_by_cycle[queue.name][cycle] = assembled({queue.name: read})[queue.name][1]
                for name, at, row in words_that_meet(chip, queue.slice.x, way, cycle, stream, turn):
                    row_by_cycle[name][at] = row
    queues = {name: entries_of(rows) for name, rows in row_by_cycle.items()}
    declared = (Param("any", 0, LEAST, MOST, host=False),)
    empty: dict[str, np.ndarray] = {}
    return Program("reads", chip.sha256, queues, empty, empty, (), (), declared, (), 0)


@pytest.mark.parametrize("name", load("tiny").queue_by_name)
def test_every_stream_is_read_from_where_it_passes(tiny: Chip, name: str) -> None:
    from waterclock.rtl.cosim import Memories
    from waterclock.rtl.lockstep import Lockstep

    rng, state = np.random.default_rng(70), State.zero(tiny)
    state.mem[:] = rng.integers(LEAST, MOST, state.mem.shape)
    for tiles in (state.reram, state.sram):
        tiles[:] = rng.integers(-128, 128, tiles.shape)
    for turn in range(NUM_TURNS):
        program = program_that_reads(tiny, tiny.queue_by_name[name], turn)
        lockstep = Lockstep(tiny, program, Memories(state.mem, state.reram, state.sram, state.params))
        events: list[Event] = []
        stepped = step(tiny, program, state, events.append)
        assert lockstep.launch({}, events, stepped.length_cycles).difference is None
        state.mem[:] = ~state.mem
