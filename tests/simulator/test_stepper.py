"""The stepper on queues written by hand: the cycle and the value of everything that happens."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from tests.simulator.by_hand import (
    CHIP,
    INDEX,
    ONE,
    READ,
    SIMPLE,
    TWO,
    X,
    at,
    chain,
    fails,
    launch,
    numbered_state,
    passes_target,
    passes_vxm,
    word,
)
from waterclock.simulator.events import Event, Kind

# Streams.

CHAINS = [
    ("mem1", "e", "mem3", "e"),
    ("mem0", "e", "mem1", "w"),
    ("mem3", "w", "mem0", "w"),
    ("mem2", "w", "mem3", "e"),
]


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
