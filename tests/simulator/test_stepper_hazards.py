"""What the stepper refuses, in its cycle, and that every result arrives when its row says."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.simulator.by_hand import (
    ADD,
    ARRIVES,
    CHIP,
    INDEX,
    ONE,
    READ,
    SIMPLE,
    X,
    at,
    chain,
    fails,
    feed,
    launch,
    numbered_state,
    program,
)
from waterclock.errors import InputError
from waterclock.isa.causes import IllegalEntry
from waterclock.isa.record import INSTRUCTION, Direction, OperandKind
from waterclock.isa.table import INSTRUCTIONS, Area, Form, Instruction, Unit, Width
from waterclock.simulator.events import Event
from waterclock.simulator.semantics import SEMANTICS
from waterclock.simulator.state import State
from waterclock.simulator.stepper import step

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
