"""Memories, lanes and tiles on the stepper: what each slice makes of what it reads, and when."""

import numpy as np
import pytest

from tests.simulator.by_hand import (
    ADD,
    ARRIVES,
    BYTES,
    CHIP,
    INDEX,
    MATVEC,
    READ,
    Run,
    X,
    at,
    bytes_state,
    chain,
    fails,
    feed,
    feed_mxm,
    launch,
    numbered_state,
    word,
)
from waterclock.simulator.events import Event, Kind

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
