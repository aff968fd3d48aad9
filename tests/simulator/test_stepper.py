"""The stepper on queues written by hand: the cycle and the value of everything that happens, and every hazard."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from waterclock.chip import Chip, load
from waterclock.errors import InputError
from waterclock.isa.assembly import assemble
from waterclock.isa.causes import IllegalEntry
from waterclock.isa.program import Param, Program
from waterclock.isa.record import INSTRUCTION, Direction, OperandKind
from waterclock.isa.table import INSTRUCTIONS, Area, Form, Instruction, Unit, Width
from waterclock.simulator.errors import MachineError
from waterclock.simulator.events import Event, Kind
from waterclock.simulator.semantics import SEMANTICS
from waterclock.simulator.state import State
from waterclock.simulator.stepper import Stepped, step

CHIP = load("tiny")
X = {piece.name: piece.x for piece in CHIP.slices}
INDEX = {piece.name: piece.index for piece in CHIP.slices}
READ, SIMPLE, ADD, MATVEC = CHIP.latency.mem_read, CHIP.latency.vxm_simple, CHIP.latency.vxm_add, CHIP.latency.matvec
LANE = np.arange(CHIP.lanes, dtype=np.int32)
PARAMS = (Param("position", 0, 0, 100), Param("choice", 1, -50, 50, host=False))
ONE, TWO = "0x00000001", "0x00000002"


@dataclass(frozen=True)
class Run:
    """A launch of hand-written queues, with what it told."""

    stepped: Stepped
    events: tuple[Event, ...]

    @property
    def length_cycles(self) -> int:
        return self.stepped.length_cycles

    @property
    def state(self) -> State:
        return self.stepped.state

    def written(self, memory: str, number: int) -> list[int]:
        """A MEM word after the launch."""
        return self.state.mem[INDEX[memory], number].tolist()

    def words(self, kind: Kind) -> list[tuple[int, list[int]]]:
        """Cycle and value, as int32, of the events of a kind."""
        chosen = [event for event in self.events if event.kind is kind]
        return [(event.cycle, np.frombuffer(event.value, np.int32).tolist()) for event in chosen]

    def firsts(self, kind: Kind) -> list[tuple[int, int]]:
        """As `words`, of lane 0 alone."""
        return [(cycle, value[0]) for cycle, value in self.words(kind)]


def program(queues: Mapping[str, str], chip: Chip = CHIP) -> Program:
    """A program of queues given as text, one entry a line, `icu.start` left out."""
    text = "".join(f"queue {name}:\nicu.start\n{lines}\n" for name, lines in queues.items())
    return Program("test", chip.sha256, assemble(text), {}, {}, (), (), PARAMS, (), 0)


def launch(queues: Mapping[str, str], state: State | None = None) -> Run:
    events: list[Event] = []
    stepped = step(CHIP, program(queues), state or numbered_state(), events.append)
    return Run(stepped, tuple(events))


def numbered_state() -> State:
    """A state in which lane l of MEM word w is 100 * w + l, and tiles hold random weights."""
    state, rng = State.zero(CHIP), np.random.default_rng(0)
    state.mem[:] = 100 * np.arange(CHIP.mem.num_words, dtype=np.int32)[:, None] + LANE
    state.reram[:] = rng.integers(-128, 128, state.reram.shape)
    state.sram[:] = rng.integers(-128, 128, state.sram.shape)
    return state


def word(number: int) -> list[int]:
    return (100 * number + LANE).tolist()


def at(cycle: int, text: str) -> str:
    """`text`, the first entry of its queue, issued in this cycle."""
    return f"icu.nop n={cycle}\n{text}" if cycle else text


def fails(queues: Mapping[str, str], cycle: int, queue: str, cause: str, state: State | None = None) -> None:
    with pytest.raises(MachineError, match=cause) as caught:
        launch(queues, state)
    assert (caught.value.cycle, caught.value.queue) == (cycle, queue)


# Streams.

CHAINS = [
    ("mem1", "e", "mem3", "e"),
    ("mem0", "e", "mem1", "w"),
    ("mem3", "w", "mem0", "w"),
    ("mem2", "w", "mem3", "e"),
]


def chain(source: str, there: str, target: str, back: str, early: int = 0, late: int = 0) -> dict[str, str]:
    """Read in cycle 0, add 1000 as it passes the VXM, write; with the addition or the write at the wrong time."""
    return {
        source: f"mem.read32 word[7] -> s0{there}",
        "vxm.alu0": at(passes_vxm(source) + early, f"vxm.iadd s0{there}, 0x3e8 -> s4{back}"),
        target: at(passes_vxm(source) + passes_target(target) + late, f"mem.write32 s4{back}, word[9]"),
    }


def passes_vxm(source: str) -> int:
    return READ + abs(X["vxm"] - X[source])


def passes_target(target: str) -> int:
    return SIMPLE + abs(X[target] - X["vxm"])


@pytest.mark.parametrize("path", CHAINS)
def test_a_chain_of_read_compute_and_write_meets_its_value(path: tuple[str, str, str, str]) -> None:
    source, _, target, _ = path
    run = launch(chain(*path))
    assert run.written(target, 9) == [value + 1000 for value in word(7)]
    write_cycle = passes_vxm(source) + passes_target(target)
    assert run.words(Kind.MEM) == [(write_cycle, run.written(target, 9))]
    assert [cycle for cycle, _ in run.words(Kind.STREAM)] == [READ, passes_vxm(source) + SIMPLE]
    assert run.length_cycles == write_cycle + 1


@pytest.mark.parametrize("path", CHAINS)
@pytest.mark.parametrize("shift", [-1, 1])
def test_a_value_passes_a_slice_in_one_cycle_alone(path: tuple[str, str, str, str], shift: int) -> None:
    source, _, target, _ = path
    cycle = passes_vxm(source) + shift
    fails(chain(*path, early=shift), cycle, "vxm.alu0", "nothing has been written to stream 0")
    cycle = passes_vxm(source) + passes_target(target) + shift
    fails(chain(*path, late=shift), cycle, target, "nothing has been written to stream 4")


def test_the_demonstrators_first_read_takes_these_cycles() -> None:
    """Cycle numbers written out, from the latencies in the chip's file: read 2, one hop, simple 2, two hops."""
    run = launch(
        {
            "mem1": "mem.read32 word[1] -> s0e",
            "vxm.alu0": "icu.nop n=3\nvxm.move s0e -> s0e",
            "mem3": "icu.nop n=7\nmem.write32 s0e, word[2]",
        }
    )
    assert run.length_cycles == 8 and run.written("mem3", 2) == word(1)


def test_a_passing_value_is_read_by_everyone_on_its_way() -> None:
    run = launch(
        {
            "mem0": "mem.read32 word[3] -> s8e",
            "mem1": at(READ + 1, "mem.write32 s8e, word[50]"),
            "vxm.alu0": at(READ + 2, "vxm.move s8e -> h0"),
            "vxm.alu1": at(READ + 2, "vxm.move s8e -> h1"),
            "mem3": at(READ + 4, "mem.write32 s8e, word[51]"),
        }
    )
    assert run.written("mem1", 50) == run.written("mem3", 51) == word(3)
    assert [value for _, value in run.words(Kind.HOLD)] == [word(3)] * 2


def test_a_result_may_leave_both_ways_and_is_at_its_own_slice_at_once() -> None:
    both = launch(
        {
            "mem1": "mem.read32 word[3] -> s0ew\nicu.nop n=1\nmem.write32 s0e, word[50]",
            "mem0": at(READ + 1, "mem.write32 s0w, word[51]"),
            "mem2": at(READ + 2, "mem.write32 s0e, word[52]"),
        }
    )
    assert both.written("mem1", 50) == both.written("mem0", 51) == both.written("mem2", 52) == word(3)
    west = launch({"mem1": "mem.read32 word[3] -> s0ew\nicu.nop n=1\nmem.write32 s0w, word[50]"})
    assert west.written("mem1", 50) == word(3)


def test_a_later_result_overwrites_the_one_that_passes() -> None:
    queues = {
        "mem0": "mem.read32 word[3] -> s0e\nmem.read32 word[4] -> s0e",
        "mem1": at(1, "mem.read32 word[5] -> s0e"),
        "vxm.alu0": at(READ + 2, "vxm.move s0e -> h0\nvxm.move s0e -> h1"),
    }
    assert [value for _, value in launch(queues).words(Kind.HOLD)] == [word(5), word(4)]


def test_bytes_travel_on_single_streams_lowest_first() -> None:
    state = numbered_state()
    state.mem[INDEX["mem1"], 6] = np.arange(8) * 0x01020304 - 5
    run = launch(
        {
            "mem1": "mem.read32 word[6] -> s4e",
            "mem2": at(READ + 2, "mem.write8 s6e, byte[41]"),
            "mem3": at(READ + 3, "mem.write8 s4e, byte[43]"),
        },
        state,
    )
    expected = np.array(word(10), np.int32).view(np.uint8).reshape(-1, 4)
    value = state.mem[INDEX["mem1"], 6].view(np.uint8).reshape(-1, 4)
    planes = run.state.mem[:, 10].copy().view(np.uint8).reshape(CHIP.num_mem, -1, 4)
    assert planes[INDEX["mem2"]].tolist() == np.insert(np.delete(expected, 1, 1), 1, value[:, 2], 1).tolist()
    assert planes[INDEX["mem3"]].tolist() == np.insert(np.delete(expected, 3, 1), 3, value[:, 0], 1).tolist()


def test_conversions_between_word_and_byte_use_one_stream() -> None:
    run = launch(
        {
            "vxm.alu0": "vxm.to_int8 0xc0400000 -> s5e\nicu.nop n=2\nvxm.widen8 s5e -> h0",
        }
    )
    assert run.words(Kind.HOLD) == [(2 * CHIP.latency.vxm_convert, [-3] * 8)]


def test_a_word_of_which_one_byte_is_missing_is_refused() -> None:
    queues = {"mem1": "mem.read8 byte[0] -> s0e", "mem2": at(READ + 2, "mem.write32 s0e, word[0]")}
    fails(queues, READ + 2, "mem2", "nothing has been written to stream 0")


def test_values_leave_the_chip_at_its_ends() -> None:
    end = READ + X["mem0"] - X["mxm0"]
    there = {"mem0": "mem.read32 word[3] -> s0w", "mxm0": at(end, "mxm.matvec s0w, tile[0], acc=0, first")}
    assert launch(there).length_cycles == end + 1
    fails({**there, "sxm0": at(end, "sxm.transpose s0w -> s0e")}, end, "sxm0", "nothing has been written")
    beyond = {**there, "mxm1": at(end + 3, "mxm.matvec s0w, tile[0], acc=0, first")}
    fails(beyond, end + 3, "mxm1", "nothing has been written to stream 0 flowing west")


# Queues.


def reads(lines: str, params: Mapping[int, int] | None = None) -> list[tuple[int, int]]:
    """Issue cycle and word of every `mem.read32` of a queue."""
    state = numbered_state()
    for index, value in (params or {}).items():
        state.params[index] = value
    run = launch({"mem0": lines}, state)
    return [(cycle - READ, value // 100) for cycle, value in run.firsts(Kind.STREAM)]


def test_nop_and_repeat_issue_in_these_cycles() -> None:
    lines = """
        icu.nop n=3
        mem.read32 word[10 + 5*r] -> s0e
        icu.repeat n=3, distance=4
        mem.read32 word[99] -> s0e
    """
    assert reads(lines) == [(3, 10), (7, 15), (11, 20), (15, 25), (16, 99)]


def test_a_loop_runs_its_body_at_its_period_and_the_next_entry_follows_a_whole_period_after() -> None:
    lines = """
        mem.read32 word[1] -> s0e
        mem.read32 word[10 + 2*l1] -> s0e
        icu.nop n=1
        mem.read32 word[30 + 3*l1] -> s0e
        icu.loop n=3, distance=10, body=3
        mem.read32 word[99] -> s0e
    """
    body = [(1, 10), (3, 30), (11, 12), (13, 33), (21, 14), (23, 36)]
    assert reads(lines) == [(0, 1), *body, (31, 99)]


def test_loops_nest_three_deep_around_repeats_each_level_with_its_stride() -> None:
    lines = """
        mem.read32 word[0 + 1*r + 2*l1 + 8*l2 + 100*l3] -> s0e
        icu.repeat n=1, distance=2
        icu.loop n=3, distance=4, body=2
        icu.loop n=2, distance=13, body=3
        mem.read32 word[200 + 50*l1] -> s0e
        icu.loop n=2, distance=30, body=5
        mem.read32 word[9] -> s0e
    """
    expected: list[tuple[int, int]] = []
    for l3 in range(2):
        for l2 in range(2):
            for l1 in range(3):
                expected += [(30 * l3 + 13 * l2 + 4 * l1 + 2 * r, r + 2 * l1 + 8 * l2 + 100 * l3) for r in range(2)]
        expected.append((30 * l3 + 26, 200 + 50 * l3))
    assert reads(lines) == [*expected, (60, 9)]


def test_a_period_as_long_as_the_body_leaves_no_gap() -> None:
    assert reads("mem.read32 word[1 + 1*l1] -> s0e\nicu.loop n=3, distance=1, body=1") == [(0, 1), (1, 2), (2, 3)]


TERMS = [
    ("1*((p0+0)>>0&255)", 37, lambda p, i: p & 255),
    ("3*((p0+5)>>2&3)", 90, lambda p, i: 3 * ((p + 5) >> 2 & 3)),
    ("2*((p0-60{l1:7})>>3&15)", 10, lambda p, i: 2 * ((p - 60 + 7 * i) >> 3 & 15)),
    ("4194304*((p0+0)>>0&4194303)", 2**20, lambda p, i: 0),  # 2^42, modulo 2^32
    ("1*((p0+1)>>30&15)", 2**31 - 1, lambda p, i: 14),  # 2^31 is -2^31 as int32, and the shift keeps its sign
    ("-1*((p0+0{l1:1})>>0&7) + 40*((p0+0)>>3&3)", 31, lambda p, i: -((p + i) & 7) + 40 * (p >> 3 & 3)),
]


@pytest.mark.parametrize(("terms", "param", "expected"), TERMS)
def test_addresses_add_terms_of_parameters(terms: str, param: int, expected: Callable[[int, int], int]) -> None:
    lines = f"mem.read32 word[100 + 4*l1 + {terms}] -> s0e\nicu.loop n=5, distance=2, body=1"
    assert reads(lines, {0: param}) == [(2 * i, 100 + 4 * i + expected(param, i)) for i in range(5)]


def test_parameter_operands_add_a_constant_and_a_step_for_each_level() -> None:
    state = numbered_state()
    state.params[0] = 2**31 - 3
    run = launch(
        {"vxm.alu0": "vxm.move p0+1{r:1,l1:10} -> h0\nicu.repeat n=1, distance=1\nicu.loop n=2, distance=3, body=2"},
        state,
    )
    values = [2**31 - 2, 2**31 - 1, 2**31 + 8 - 2**32, 2**31 + 9 - 2**32]
    assert run.firsts(Kind.HOLD) == [(cycle + SIMPLE, value) for cycle, value in zip((0, 1, 3, 4), values, strict=True)]


# Holds and parameters.


@pytest.mark.parametrize(("cycle", "expected"), [(4, 1), (5, 2)])
def test_a_hold_changes_in_the_cycle_in_which_the_result_arrives(cycle: int, expected: int) -> None:
    run = launch(
        {
            "vxm.alu0": f"vxm.move {ONE} -> h0\nicu.nop n=2\nvxm.move {TWO} -> h0",
            "vxm.alu1": at(cycle, "vxm.move h0 -> h1"),
        }
    )
    assert (cycle + SIMPLE, expected) in run.firsts(Kind.HOLD)


def test_a_launch_lasts_until_its_last_hold_has_arrived() -> None:
    run = launch({"vxm.alu0": f"vxm.move {ONE} -> s0e h0"})
    assert run.length_cycles == SIMPLE + 1
    assert [event.kind for event in run.events] == [Kind.STREAM, Kind.HOLD]
    assert launch({"vxm.alu0": f"vxm.move {ONE} -> s0e discard"}).length_cycles == 1


def test_what_follows_the_last_issue_does_not_count() -> None:
    assert launch({"mem0": "mem.read32 word[0] -> s0e\nicu.nop n=50"}).length_cycles == 1
    assert launch({"mem0": ""}).length_cycles == 0
    assert launch({}).length_cycles == 0


def set_param(value: str, issued: int, word_read: str) -> dict[str, str]:
    """A value on its way from the VXM to mem2, which makes it parameter 1; mem3 reads a word in a cycle of its own."""
    return {
        "vxm.alu0": f"vxm.move {value} -> s0e",
        "mem2": at(SIMPLE + 1, "icu.set_param s0e, param=1"),
        "mem3": at(issued, f"mem.read32 {word_read} -> s0e"),
    }


@pytest.mark.parametrize(("late", "expected"), [(-1, 40), (0, 42)])
def test_a_parameter_is_seen_after_its_latency(late: int, expected: int) -> None:
    seen = SIMPLE + 1 + CHIP.param_latency_cycles
    state = numbered_state()
    state.params[1] = 40
    run = launch(set_param("0x0000002a", seen + late, "word[0 + 1*((p1+0)>>0&255)]"), state)
    assert (seen + late + READ, 100 * expected) in run.firsts(Kind.STREAM)
    assert [event for event in run.events if event.kind is Kind.PARAM] == [
        Event(seen, "mem2", 2, Kind.PARAM, (1,), np.int32(42).tobytes())
    ]
    assert run.state.params[1] == 42 and state.params[1] == 40


def test_a_launch_lasts_until_its_last_parameter_has_arrived() -> None:
    queues = set_param("0x0000002a", 0, "word[0]")
    del queues["mem3"]
    assert launch(queues).length_cycles == SIMPLE + 1 + CHIP.param_latency_cycles + 1


def test_a_parameter_outside_its_range_stops_the_machine() -> None:
    fails(set_param("0x00000033", 0, "word[0]"), SIMPLE + 1, "mem2", "parameter choice = 51 is not in -50 to 50")
    undeclared = {**set_param("0x00000000", 0, "word[0]"), "mem2": at(SIMPLE + 1, "icu.set_param s0e, param=5")}
    fails(undeclared, SIMPLE + 1, "mem2", "parameter 5 is not declared")


# MEM.


def test_a_write_is_seen_by_the_next_access_and_by_no_other_slice() -> None:
    run = launch(
        {
            "mem1": "mem.read32 word[3] -> s0e",
            "mem2": at(READ + 2, "mem.write32 s0e, word[4]\nmem.read32 word[4] -> s0e"),
        }
    )
    assert (READ + 3 + READ, word(3)) in run.words(Kind.STREAM)
    changed = np.argwhere((run.state.mem != numbered_state().mem).any(axis=2)).tolist()
    assert changed == [[INDEX["mem2"], 4]]


def test_write_lane_writes_the_lane_that_a_parameter_chooses() -> None:
    state = numbered_state()
    state.params[0] = 43
    run = launch(
        {
            "mem1": "mem.read32 word[3] -> s0e",
            "mem2": at(READ + 2, "mem.write_lane s0e, word[4], lane[0 + 1*((p0+0)>>0&7)]"),
        },
        state,
    )
    assert run.written("mem2", 4) == [303 if lane == 3 else 400 + lane for lane in range(8)]


def test_the_state_before_the_launch_stays_and_memories_last_from_launch_to_launch() -> None:
    state = numbered_state()
    first = launch(chain("mem1", "e", "mem3", "e"), state)
    assert state.equals(numbered_state())
    second = launch(chain("mem1", "e", "mem2", "e"), first.state)
    assert second.written("mem3", 9) == second.written("mem2", 9) == [value + 1000 for value in word(7)]


# VXM and SXM.


def through_vxm(instruction: str, alu: int = 0, number: int = 3) -> list[int]:
    """What an instruction makes of a word of mem1 that passes as s0e."""
    run = launch({"mem1": f"mem.read32 word[{number}] -> s0e", f"vxm.alu{alu}": at(READ + 1, f"{instruction} -> h0")})
    return run.words(Kind.HOLD)[0][1]


def test_lane_xor_reads_the_partner_lane_of_stream_and_hold() -> None:
    assert through_vxm("vxm.move s0e^4") == [300 + (lane ^ 4) for lane in range(8)]
    run = launch({"vxm.alu0": "vxm.lane_index -> h0\nicu.nop n=1\nvxm.iadd h0^1, h0^2 -> h1"})
    assert run.words(Kind.HOLD)[1][1] == [(lane ^ 1) + (lane ^ 2) for lane in range(8)]


def test_butterflies_and_reductions_take_their_mask_and_segment() -> None:
    state = numbered_state()
    x = np.array([1, 20, -3, 4, 5.5, 6, 70, -8], np.float32)
    state.mem[INDEX["mem1"], 0] = x.view(np.int32)
    latency = 1 + 3 * CHIP.latency.reduce_add_stage
    queues = {
        "mem1": "mem.read32 word[0] -> s0e",
        "vxm.alu0": at(READ + 1, "vxm.butterfly s0e, mask=2 -> h0"),
        "vxm.alu3": at(READ + 1, "vxm.reduce_add s0e, segment=4 -> h1"),
    }
    (early, butterfly), (late, reduced) = launch(queues, state).words(Kind.HOLD)
    assert (early, late) == (READ + 1 + ADD, READ + 1 + latency)
    assert np.array(butterfly, np.int32).view(np.float32).tolist() == [-2, 24, 4, 16, 75.5, -2, -64.5, 14]
    assert np.array(reduced, np.int32).view(np.float32).tolist() == [22] * 4 + [73.5] * 4


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("sxm.rotate s0e, amount[9]", [301, 302, 303, 304, 305, 306, 307, 300]),
        ("sxm.rotate s0e, amount[-2 + 1*((p0+0)>>0&255)]", [303, 304, 305, 306, 307, 300, 301, 302]),
        ("sxm.broadcast s0e, lane[0 + 1*((p0+0)>>0&255)]", [305] * 8),
        ("sxm.mask s0e, amount[0 + 1*((p0+1)>>0&255)]", [300, 301, 302, 303, 304, 305, 0, 0]),
        ("sxm.permute s0e, s0e", [0] * 8),
    ],
)
def test_the_sxm_moves_lanes(instruction: str, expected: list[int]) -> None:
    state = numbered_state()
    state.params[0] = 5
    arrives = READ + X["sxm1"] - X["mem3"]
    queues = {
        "mem3": "mem.read32 word[3] -> s0e",
        "sxm1": at(arrives, f"{instruction} -> s4w"),
    }
    assert (arrives + CHIP.latency.sxm, expected) in launch(queues, state).words(Kind.STREAM)


# MXM.

BYTES = np.array([0, 1, 127, 128, 200, 255, 3, 64], np.uint8)
ARRIVES = READ + X["mxm1"] - X["mem3"]


def feed_mxm(lines: str, num_bytes: int = 1) -> Run:
    """BYTES, repeated, pass mxm1 as s0e from cycle ARRIVES on, where its queue starts."""
    return launch(feed(lines, num_bytes), bytes_state())


def feed(lines: str, num_bytes: int = 1) -> dict[str, str]:
    repeat = f"\nicu.repeat n={num_bytes - 1}, distance=1" if num_bytes > 1 else ""
    return {
        "mem3": f"mem.read8 byte[0] -> s0e{repeat}",
        "mxm1": at(ARRIVES, lines),
    }


def bytes_state() -> State:
    state = numbered_state()
    state.mem[INDEX["mem3"], 0] = BYTES
    return state


def results(run: Run) -> list[tuple[int, list[int]]]:
    """Cycle and value of what mxm1 emits."""
    events = [event for event in run.events if event.queue == "mxm1" and event.kind is Kind.STREAM]
    return [(event.cycle, np.frombuffer(event.value, np.int32).tolist()) for event in events]


def product(tile: np.ndarray, x: np.ndarray) -> np.ndarray:
    return tile.astype(np.int64) @ x.astype(np.int64)


def test_matvecs_accumulate_and_only_emit_has_a_result() -> None:
    run = feed_mxm(
        """
        mxm.matvec s0e, tile[0], acc=2, first
        mxm.matvec s0e, tile[1], acc=2, unsigned
        mxm.matvec s0e, tile[2], acc=1, first, emit, sram -> s4w
        mxm.matvec s0e, tile[3], acc=2, emit -> s4w
        mxm.matvec_t s0e, tile[5], acc=2, emit -> s4w
        """,
        num_bytes=5,
    )
    reram, sram = run.state.reram[INDEX["mxm1"]], run.state.sram[INDEX["mxm1"]]
    signed = BYTES.view(np.int8)
    second = product(reram[0], signed) + product(reram[1], BYTES) + product(reram[3], signed)
    third = second + product(sram[5].T, signed)
    values = [product(sram[2], signed), second, third]
    assert results(run) == [(ARRIVES + 2 + i + MATVEC, value.tolist()) for i, value in enumerate(values)]


def test_first_forgets_what_the_accumulator_held() -> None:
    run = feed_mxm("mxm.matvec s0e, tile[0], acc=0, first\nmxm.matvec s0e, tile[1], acc=0, first, emit -> s4w", 2)
    expected = product(run.state.reram[INDEX["mxm1"], 1], BYTES.view(np.int8))
    assert [value for _, value in results(run)] == [expected.tolist()]


def test_a_row_that_is_written_is_seen_after_its_distance() -> None:
    distance = CHIP.mxm.write_row_cycles
    lines = "mxm.write_row s0e, tile[0], row[3]\nicu.nop n={}\nmxm.read_row tile[0], row[3], sram -> s4w"
    run = feed_mxm(lines.format(distance - 1))
    (event,) = [event for event in run.events if event.queue == "mxm1" and event.kind is Kind.STREAM]
    assert event.value == BYTES.tobytes()
    assert event.cycle == ARRIVES + distance + CHIP.latency.read_row
    (tile_event,) = [event for event in run.events if event.kind is Kind.TILE]
    assert tile_event == Event(ARRIVES + distance, "mxm1", 2, Kind.TILE, (INDEX["mxm1"], 0, 3), BYTES.tobytes())
    changed = np.argwhere((run.state.sram != bytes_state().sram).any(axis=3)).tolist()
    assert changed == [[INDEX["mxm1"], 0, 3]]
    too_early = feed("mxm.write_row s0e, tile[0], row[3]\nmxm.read_row tile[8], row[3], sram -> s4w")
    fails(too_early, ARRIVES + 1, "mxm1", f"SRAM bank 0 is busy until cycle {ARRIVES + distance}", bytes_state())


def test_a_launch_lasts_until_its_last_row_is_written() -> None:
    queues = feed("mxm.write_row s0e, tile[0], row[3]")
    assert launch(queues, bytes_state()).length_cycles == ARRIVES + CHIP.mxm.write_row_cycles + 1


def test_a_reram_bank_is_busy_while_it_senses_and_an_sram_bank_for_a_cycle() -> None:
    sense = CHIP.mxm.sense_cycles
    lines = """
        mxm.read_row tile[0], row[0] -> s0e
        mxm.read_row tile[9], row[0] -> s0e
        icu.nop n={}
        mxm.read_row tile[8], row[0] -> s0e
    """
    assert launch({"mxm0": lines.format(sense - 2)}).length_cycles == sense + 1
    fails({"mxm0": lines.format(sense - 3)}, sense - 1, "mxm0", f"ReRAM bank 0 is busy until cycle {sense}")
    sram = "mxm.read_row tile[0], row[0], sram -> s0e\nicu.repeat n=3, distance=1"
    assert launch({"mxm0": sram}).length_cycles == 4


def test_reram_and_sram_tiles_are_numbered_apart() -> None:
    run = launch({"mxm0": "mxm.read_row tile[3], row[2] -> s0e\nmxm.read_row tile[3], row[2], sram -> s0e"})
    index = INDEX["mxm0"]
    values = [event.value for event in run.events]
    assert values == [run.state.reram[index, 3, 2].tobytes(), run.state.sram[index, 3, 2].tobytes()]


# Hazards.


def test_two_results_on_one_stream_register_are_refused() -> None:
    queues = {"vxm.alu0": "vxm.lane_index -> s0e", "vxm.alu1": f"vxm.move {ONE} -> s0ew"}
    fails(queues, SIMPLE, "vxm.alu1", "stream 0 flowing east at vxm: a result of vxm.alu0, entry 1 arrives as well")
    apart = {"vxm.alu0": "vxm.lane_index -> s0e", "vxm.alu1": f"vxm.move {ONE} -> s0w"}
    assert launch(apart).length_cycles == 1
    bytewise = {
        "vxm.alu0": at(CHIP.latency.vxm_convert - SIMPLE, f"vxm.move {ONE} -> s0e h0"),
        "vxm.alu1": "vxm.to_int8 0x3f800000 -> s3e",
    }
    fails(bytewise, CHIP.latency.vxm_convert, "vxm.alu0", "stream 3 flowing east at vxm")


def test_two_arrivals_at_one_hold_are_refused() -> None:
    queues = {
        "vxm.alu0": at(ADD - SIMPLE, f"vxm.move {ONE} -> h1"),
        "vxm.alu1": f"vxm.butterfly {ONE}, mask=1 -> h1",
    }
    fails(queues, ADD, "vxm.alu0", "hold 1: a result of vxm.alu1, entry 1 arrives as well")


def test_two_arrivals_at_one_parameter_are_refused() -> None:
    queues = {
        "vxm.alu0": f"vxm.move {ONE} -> s0ew",
        "mem1": at(SIMPLE + 1, "icu.set_param s0w, param=1"),
        "mem2": at(SIMPLE + 1, "icu.set_param s0e, param=1"),
    }
    fails(
        queues, SIMPLE + 1 + CHIP.param_latency_cycles, "mem2", "parameter 1: a result of mem1, entry 2 arrives as well"
    )


def test_what_was_not_written_in_the_launch_is_not_read() -> None:
    fails({"vxm.alu0": "vxm.move h2 -> h0"}, 0, "vxm.alu0", "hold 2 has not been written in this launch")
    fails({"vxm.alu0": f"vxm.move {ONE} -> h0\nvxm.move h0 -> h1"}, 1, "vxm.alu0", "hold 0 has not been written")
    queues = feed("mxm.matvec s0e, tile[0], acc=0, first\nmxm.matvec s0e, tile[1], acc=3", 2)
    fails(queues, ARRIVES + 1, "mxm1", "accumulator 3 has not been written in this launch")


@pytest.mark.parametrize(
    ("queue", "lines", "cause"),
    [
        ("mem0", "mem.read32 word[512] -> s0e", "word 512 is not in 0 to 511"),
        ("mem0", "mem.read32 word[-1] -> s0e", "word -1 is not in 0 to 511"),
        ("mem0", "mem.read8 byte[2048] -> s0e", "byte 2048 is not in 0 to 2047"),
        ("mem0", "mem.read32 word[500 + 1*((p0+0)>>0&255)] -> s0e", "word 512 is not in 0 to 511"),
        ("mxm0", "mxm.read_row tile[256], row[0] -> s0e", "tile 256 is not in 0 to 255"),
        ("mxm0", "mxm.read_row tile[128], row[0], sram -> s0e", "tile 128 is not in 0 to 127"),
        ("mxm0", "mxm.read_row tile[0], row[8] -> s0e", "row 8 is not in 0 to 7"),
    ],
)
def test_addresses_outside_their_memory_are_refused(queue: str, lines: str, cause: str) -> None:
    state = numbered_state()
    state.params[0] = 12
    fails({queue: lines}, 0, queue, cause, state)


def test_a_lane_outside_the_word_is_refused() -> None:
    queues = {"mem1": "mem.read32 word[0] -> s0e", "mem2": at(READ + 2, "mem.write_lane s0e, word[0], lane[8]")}
    fails(queues, READ + 2, "mem2", "lane 8 is not in 0 to 7")


def test_illegal_entries_and_programs_of_other_chips_are_refused_before_they_run() -> None:
    with pytest.raises(IllegalEntry):
        launch({"vxm.alu1": f"vxm.exp2 {ONE} -> h0"})
    with pytest.raises(IllegalEntry):
        launch({"mem0": "icu.repeat n=1, distance=1"})
    other = CHIP.with_fields({"mem.num_words": 511})
    with pytest.raises(InputError, match="program test is for another chip than tiny"):
        step(other, program({}), State.zero(other))


def test_the_same_program_tells_the_same_events() -> None:
    queues = chain("mem1", "e", "mem3", "e")
    assert launch(queues).events == launch(queues).events


# Every instruction with a result, unasked.

TARGETS = {Area.MEM: "mem3", Area.VXM: "vxm", Area.SXM: "sxm1", Area.MXM: "mxm1"}
ALU_BY_UNIT = {Unit.ANY: 1, Unit.SPECIAL: 0, Unit.REDUCE: CHIP.vxm.num_alus - 1}
FEEDERS = (("mem0", "e"), ("mem1", "e"), ("mem2", "w"))
ISSUE_CYCLE = 20


def feeders(target: str, count: int) -> dict[str, str]:
    """Reads whose words pass `target` in ISSUE_CYCLE, word 5 of slice k on streams 4k to 4k + 3."""
    queues = {}
    for k, (source, way) in enumerate(FEEDERS[:count]):
        cycle = ISSUE_CYCLE - READ - abs(X[target] - X[source])
        queues[source] = at(cycle, f"mem.read32 word[5] -> s{4 * k}{way}")
    return queues


@pytest.mark.parametrize("mnemonic", [name for name, row in INSTRUCTIONS.items() if row.result])
def test_every_result_arrives_after_the_latency_of_its_row_and_is_what_its_value_function_says(mnemonic: str) -> None:
    row = INSTRUCTIONS[mnemonic]
    target = TARGETS[row.area]
    queue = f"vxm.alu{ALU_BY_UNIT[row.unit]}" if row.area is Area.VXM else target
    record = np.zeros(1, INSTRUCTION)
    record["op"], record["result"] = row.opcode, (12, Direction.EAST, 0, 0)
    for k, operand in enumerate(row.sources):
        record[operand.field] = (OperandKind.WEST if FEEDERS[k][1] == "w" else OperandKind.EAST, 4 * k, 0)
    for name, number in (("mask", 2), ("segment", 4), ("first", 1), ("emit", 1)):
        if row.field(name):
            record[name] = number

    whole = program({**feeders(target, len(row.sources)), queue: at(ISSUE_CYCLE, "")})
    queues = {**whole.queues, queue: np.concatenate([whole.queues[queue], record])}
    events: list[Event] = []
    state = numbered_state()
    step(CHIP, replace(whole, queues=queues), state, events.append)

    (event,) = [event for event in events if event.queue == queue]
    assert row.latency is not None and event.cycle == ISSUE_CYCLE + row.latency(CHIP)
    assert event.place == (X[target], Direction.EAST, 12)
    operands = [state.mem[INDEX[source], 5] for source, _ in FEEDERS[: len(row.sources)]]
    value = SEMANTICS[mnemonic](*arguments(row, state, operands))
    assert row.result is not None
    assert event.value == value.astype(np.uint8 if row.result.width is Width.BYTE else np.int32).tobytes()


def arguments(row: Instruction, state: State, operands: list[np.ndarray]) -> list[Any]:
    """What the value function of a row is given for a record whose addresses are all 0."""
    zeros = [0 for operand in row.operands if operand.form is Form.ADDRESS]
    match row.area:
        case Area.MEM:
            return [state.mem[INDEX["mem3"]], *zeros]
        case Area.MXM if row.field("acc"):
            tiles = state.reram if row.field("sram") else state.sram
            return [tiles[INDEX["mxm1"], 0], operands[0].astype(np.uint8), np.zeros(CHIP.lanes, np.int32), False]
        case Area.MXM:
            return [state.reram[INDEX["mxm1"], 0], 0]
        case _:
            numbers = [number for name, number in (("mask", 2), ("segment", 4)) if row.field(name)]
            return [*operands, *zeros, *numbers] or [CHIP.lanes]
