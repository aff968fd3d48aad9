"""Every hazard is refused, with its cause, its queue and its cycle."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from tests.simulator.build import Entry, issue, loop, nop, program, repeat
from waterclock.chip import Chip, load
from waterclock.isa.program import Param
from waterclock.isa.record import OperandKind, address
from waterclock.simulator.link import Cause, LinkError, rebuild


@pytest.fixture(scope="module")
def chip() -> Chip:
    """`tiny`, with the latency that the cycles below are counted with."""
    return load("tiny").with_fields({"param_latency_cycles": 4})


@dataclass(frozen=True)
class Case:
    """Queues that are refused at a place."""

    name: str
    cause: Cause
    queues: Mapping[str, list[Entry]]
    queue: str
    entry: int
    cycle: int
    params: tuple[Param, ...] = ()

    def __str__(self) -> str:
        return self.name


POSITION = Param("position", 0, 0, 63)
TOKEN = Param("token", 1, 0, 7, host=False)


def read(to: str = "e0", **fields) -> Entry:
    return issue("mem.read32", to=to, **fields)


def dropped(mnemonic: str, *operands, **fields) -> Entry:
    return issue(mnemonic, *operands, **{"to": "e28", "discard": True, **fields})


def crossed(xor: int) -> dict[str, int]:
    return {"kind": OperandKind.IMMEDIATE, "xor": xor}


def by_position(base: int, stride: int, shift: int = 0):
    return address(base, (stride, 0, 0, shift, -1))


CONTROL = (
    Case("start twice", Cause.CONTROL, {"mem0": [Entry("icu.start")]}, "mem0", 1, 0),
    Case("nop of no cycles", Cause.CONTROL, {"mem0": [nop(0)]}, "mem0", 1, 0),
    Case("repeat of a nop", Cause.CONTROL, {"mem0": [nop(1), repeat(1, 1)]}, "mem0", 2, 1),
    Case("repeat of a repeat", Cause.CONTROL, {"mem0": [read(), repeat(1, 1), repeat(1, 1)]}, "mem0", 3, 2),
    Case("repeat of no times", Cause.CONTROL, {"mem0": [read(), repeat(0, 1)]}, "mem0", 2, 1),
    Case("loop of no times", Cause.CONTROL, {"mem0": [read(), loop(0, 1, 1)]}, "mem0", 2, 1),
    Case("loop around the start", Cause.CONTROL, {"mem0": [read(), loop(2, 9, 2)]}, "mem0", 2, 1),
    Case("loop of nothing", Cause.CONTROL, {"mem0": [read(), loop(2, 9, 0)]}, "mem0", 2, 1),
    Case("loop into a repeat", Cause.CONTROL, {"mem0": [read(), repeat(1, 1), loop(2, 9, 1)]}, "mem0", 3, 2),
    Case("loop into a loop", Cause.CONTROL, {"mem0": [read(), read(), loop(2, 9, 2), loop(2, 90, 2)]}, "mem0", 4, 18),
    Case("four loops", Cause.CONTROL, {"mem0": [read(), *(loop(2, 9 * 2**i, 1 + i) for i in range(4))]}, "mem0", 5, 72),
    Case("repeat in one cycle", Cause.DOUBLE_ISSUE, {"mem0": [read(), repeat(2, 0)]}, "mem0", 2, 1),
    Case("short period", Cause.DOUBLE_ISSUE, {"mem0": [read(), read(), loop(2, 1, 2)]}, "mem0", 3, 2),
    Case("too late", Cause.TOO_LONG, {"mem0": [nop(1 << 23), loop(1 << 23, 1 << 23, 1)]}, "mem0", 2, 1 << 23),
)

FIELDS = tuple(
    Case(name, Cause.FIELD, {queue: [entry]}, queue, 1, 0)
    for name, queue, entry in (
        ("wrong slice", "mem0", dropped("vxm.move", 1)),
        ("no special function", "vxm.alu1", dropped("vxm.rsqrt", 1)),
        ("no reduction", "vxm.alu0", dropped("vxm.reduce_add", 1, segment=8)),
        ("word between groups", "vxm.alu0", dropped("vxm.move", "e2")),
        ("result between groups", "vxm.alu0", dropped("vxm.move", 1, to="e2")),
        ("no such stream", "vxm.alu0", dropped("vxm.move", "e32")),
        ("no such result stream", "vxm.alu0", dropped("vxm.move", 1, to="e32")),
        ("no such hold", "vxm.alu0", dropped("vxm.move", "h4")),
        ("no such result hold", "vxm.alu0", dropped("vxm.move", 1, hold=4)),
        ("hold of another slice", "mem0", read(hold=0)),
        ("no such parameter", "vxm.alu0", dropped("vxm.move", "p16")),
        ("missing operand", "vxm.alu0", dropped("vxm.add", 1)),
        ("operand too many", "vxm.alu0", dropped("vxm.abs", 1, 1)),
        ("immediate into a memory", "mem0", issue("mem.write32", 1)),
        ("lane-xor of three", "vxm.alu0", dropped("vxm.move", 1).with_fields(a=crossed(3))),
        ("lane-xor beyond", "vxm.alu0", dropped("vxm.move", 1).with_fields(a=crossed(8))),
        ("mask of three", "vxm.alu0", dropped("vxm.butterfly", 1, mask=3)),
        ("segment too long", "vxm.alu3", dropped("vxm.reduce_add", 1, segment=16)),
        ("no such accumulator", "mxm0", issue("mxm.matvec", "e0", first=1, acc=9)),
        ("flag of two", "mxm0", issue("mxm.matvec", "e0", first=2)),
        ("shift too far", "mem0", read(address=by_position(0, 1, shift=32))),
        ("unused field", "mem0", read(acc=1)),
        ("unused number", "vxm.alu0", dropped("vxm.lane_index", scalar=1)),
        ("direction", "mem0", read().with_fields(result={"direction": 4})),
        ("result that goes nowhere", "vxm.alu0", Entry("vxm.lane_index")),
        ("two scalars", "vxm.alu0", dropped("vxm.add", 1, "p0")),
        ("no opcode", "mem0", Entry("mem.read32", {"op": 0x7F})),
    )
)  # fmt: skip

ALU = "vxm.alu0"
DATAFLOW = (
    Case("stream never written", Cause.UNWRITTEN, {ALU: [dropped("vxm.move", "e0")]}, ALU, 1, 0),
    Case("read too early", Cause.UNWRITTEN, {"mem1": [read()], ALU: [nop(2), dropped("vxm.move", "e0")]}, ALU, 2, 2),
    Case("read too late", Cause.UNWRITTEN, {"mem1": [read()], ALU: [nop(4), dropped("vxm.move", "e0")]}, ALU, 2, 4),
    Case("read upstream", Cause.UNWRITTEN, {"mem2": [read()], ALU: [nop(3), dropped("vxm.move", "e0")]}, ALU, 2, 3),
    Case("wrong direction", Cause.UNWRITTEN, {"mem1": [read()], ALU: [nop(3), dropped("vxm.move", "w0")]}, ALU, 2, 3),
    Case("hold never written", Cause.UNWRITTEN, {ALU: [dropped("vxm.move", "h0")]}, ALU, 1, 0),
    Case("hold a cycle early", Cause.UNWRITTEN, {
        ALU: [issue("vxm.lane_index", hold=0), dropped("vxm.move", "h0")],
    }, ALU, 2, 1),
    Case("accumulator never written", Cause.UNWRITTEN, {
        "mem3": [issue("mem.read8", to="e0")], "mxm1": [nop(4), issue("mxm.matvec", "e0")],
    }, "mxm1", 2, 4),
    Case("accumulator of another slice", Cause.UNWRITTEN, {
        "mem0": [issue("mem.read8", to="b0"), issue("mem.read8", to="w0")],
        "mxm0": [nop(4), issue("mxm.matvec", "w0", first=1)],
        "mxm1": [nop(8), issue("mxm.matvec", "e0")],
    }, "mxm1", 2, 8),
    Case("word of bytes", Cause.MIXED_WORD, {
        **{f"vxm.alu{byte}": [issue("vxm.to_int8", 1, to=f"w{byte}")] for byte in range(4)},
        "mem1": [nop(4), issue("mem.write32", "w0")],
    }, "mem1", 2, 4),
    Case("word with a byte replaced", Cause.MIXED_WORD, {
        "mem0": [read()], "mem1": [nop(1), issue("mem.read8", to="e1")], ALU: [nop(4), dropped("vxm.move", "e0")],
    }, ALU, 2, 4),
    Case("two on a stream", Cause.DOUBLE_ARRIVAL, {
        ALU: [dropped("vxm.move", 1)], "vxm.alu1": [dropped("vxm.move", 1)],
    }, "vxm.alu1", 1, 0),
    Case("two on a byte", Cause.DOUBLE_ARRIVAL, {
        ALU: [nop(1), dropped("vxm.to_int8", 1, to="w29")], "vxm.alu1": [nop(2), dropped("vxm.move", 1, to="b28")],
    }, "vxm.alu1", 2, 2),
    Case("two in a hold", Cause.DOUBLE_ARRIVAL, {
        ALU: [issue("vxm.to_fp32", 1, hold=0), issue("vxm.move", 1, hold=0)],
    }, ALU, 2, 1),
    Case("lost", Cause.LOST, {"mem1": [nop(3), read()]}, "mem1", 2, 3),
    Case("lost in a hold", Cause.LOST, {ALU: [issue("vxm.lane_index", hold=1)]}, ALU, 1, 0),
    Case("one of a repeat is lost", Cause.LOST, {
        "mem1": [read(), repeat(2, 3)], ALU: [nop(3), dropped("vxm.move", "e0"), repeat(1, 3)],
    }, "mem1", 1, 6),
    Case("discarded but read", Cause.DISCARDED, {
        "mem1": [read(discard=True)], ALU: [nop(3), dropped("vxm.move", "e0")],
    }, "mem1", 1, 0),
    Case("discarded but read from its hold", Cause.DISCARDED, {
        ALU: [dropped("vxm.lane_index", hold=0), nop(1), dropped("vxm.move", "h0")],
    }, ALU, 1, 0),
)  # fmt: skip


def tile(number: int = 0, **fields) -> Entry:
    return dropped("mxm.read_row", **{"address": address(number), **fields})


def written(number: int, *after: Entry) -> dict[str, list[Entry]]:
    return {
        "mem3": [issue("mem.read8", to="e0")],
        "mxm1": [nop(4), issue("mxm.write_row", "e0", address=address(number)), *after],
    }


def positioned(name: str, cause: Cause, entries: list[Entry], queue: str, entry: int, cycle: int) -> Case:
    return Case(name, cause, {queue: entries}, queue, entry, cycle, params=(POSITION,))


def row_read(**fields) -> Entry:
    return read(to="e28", discard=True, **fields)


MEMORY = (
    Case("word beyond", Cause.ADDRESS, {"mem0": [row_read(address=address(512))]}, "mem0", 1, 0),
    Case("byte beyond", Cause.ADDRESS, {
        "mem0": [dropped("mem.read8", address=address(2047)), dropped("mem.read8", address=address(2048))],
    }, "mem0", 2, 1),
    Case("negative word", Cause.ADDRESS, {"mem0": [row_read(address=address(-1))]}, "mem0", 1, 0),
    Case("stride beyond", Cause.ADDRESS, {
        "mem0": [row_read(address=address(509, strides={0: 2})), repeat(3, 2)],
    }, "mem0", 1, 4),
    Case("ReRAM tile beyond", Cause.ADDRESS, {"mxm0": [tile(256)]}, "mxm0", 1, 0),
    Case("SRAM tile beyond", Cause.ADDRESS, {"mxm0": [tile(128, sram=1)]}, "mxm0", 1, 0),
    Case("row beyond", Cause.ADDRESS, {"mxm0": [tile(place=address(8))]}, "mxm0", 1, 0),
    Case("lane beyond", Cause.ADDRESS, {
        "mem1": [nop(4), issue("mem.write_lane", "w0", place=address(8))], "mem2": [read(to="w0")],
    }, "mem1", 2, 4),
    positioned("word beyond for one position", Cause.ADDRESS, [
        row_read(address=by_position(448, 1)), row_read(address=by_position(449, 1)),
    ], "mem0", 2, 1),
    positioned("word negative for one position", Cause.ADDRESS, [row_read(address=by_position(62, -1))], "mem0", 1, 0),
    Case("ReRAM bank busy", Cause.BANK, {"mxm0": [tile(3), nop(3), tile(11)]}, "mxm0", 3, 4),
    Case("SRAM bank busy with a row", Cause.BANK, written(3, tile(11, sram=1)), "mxm1", 3, 5),
    positioned("bank busy for some position", Cause.BANK, [tile(0), tile().with_fields(address=by_position(1, 1))],
               "mxm0", 2, 1),
    positioned("banks of two positions", Cause.BANK, [
        tile().with_fields(address=by_position(0, 2)), tile().with_fields(address=by_position(1, 1)),
    ], "mxm0", 2, 1),
    Case("parameter not declared", Cause.PARAMETER, {ALU: [dropped("vxm.move", "p3")]}, ALU, 1, 0, (POSITION,)),
    Case("term not declared", Cause.PARAMETER, {"mem0": [row_read(address=by_position(0, 1))]}, "mem0", 1, 0, (TOKEN,)),
    Case("parameter never written", Cause.PARAMETER, {ALU: [dropped("vxm.move", "p1")]}, ALU, 1, 0, (TOKEN,)),
    Case("sets what is not declared", Cause.PARAMETER, {
        "mem1": [read()], ALU: [nop(3), issue("icu.set_param", "e0", param=5)],
    }, ALU, 2, 3),
    Case("set twice at once", Cause.DOUBLE_ARRIVAL, {
        "mem1": [read()], ALU: [nop(3), issue("icu.set_param", "e0", param=1)],
        "vxm.alu1": [nop(3), issue("icu.set_param", "e0", param=1)],
    }, "vxm.alu1", 2, 3, (TOKEN,)),
)  # fmt: skip


@pytest.mark.parametrize("case", [*CONTROL, *FIELDS, *DATAFLOW, *MEMORY], ids=str)
def test_a_hazard_is_refused(chip: Chip, case: Case) -> None:
    with pytest.raises(LinkError) as refused:
        rebuild(program(chip, case.queues, params=case.params), chip)
    error = refused.value
    found = (error.cause, error.queue, error.entry, error.cycle)
    assert found == (case.cause, case.queue, case.entry, case.cycle), str(error)


def test_every_cause_that_rebuild_knows_is_tested() -> None:
    by_link = {Cause.OPERATION, Cause.PRODUCER, Cause.OBJECT, Cause.OUTPUT, Cause.LENGTH, Cause.CHIP}
    assert {case.cause for case in (*CONTROL, *FIELDS, *DATAFLOW, *MEMORY)} == set(Cause) - by_link


@pytest.mark.parametrize(
    "entries",
    [
        [tile(3), nop(4), tile(11)],
        [tile(3), tile(4), tile(3, sram=1), tile(3, sram=1)],
        [tile().with_fields(address=by_position(0, 1)), tile().with_fields(address=by_position(1, 1))],
        [tile().with_fields(address=by_position(0, 2)), tile().with_fields(address=by_position(1, 4))],
    ],
)
def test_banks_that_never_meet_are_accepted(chip: Chip, entries: list[Entry]) -> None:
    """The same terms move together, and multiples of two miss an odd base."""
    assert len(rebuild(program(chip, {"mxm0": entries}, params=(POSITION,)), chip))


def test_a_row_can_be_read_once_it_is_written(chip: Chip) -> None:
    linked = rebuild(program(chip, written(3, nop(1), tile(11, sram=1), tile(3, sram=1))), chip)
    assert linked.memory.tolist() == [-1, -1, -1, 1]


def test_a_queue_of_another_chip_is_refused(chip: Chip) -> None:
    built = program(chip, {"mem3": [row_read()]})
    with pytest.raises(LinkError, match="mem3") as refused:
        rebuild(built, chip.with_fields({"layout.num_mem_east": 1}))
    assert refused.value.cause is Cause.CHIP
