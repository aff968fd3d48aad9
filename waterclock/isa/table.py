"""The instruction table: every instruction of the machine, once.

A row states mnemonic, operands, latency and meaning. Encoding, assembler, disassembler, `docs/isa.md`, the link step,
the simulators' value functions and the RTL's datapaths are all keyed by the mnemonic, and tests loop over this table.

Timing (cycles): an instruction issued at t reads its operands at its slice in cycle t; its result is on its stream at
that slice in cycle t + latency(chip).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from waterclock.chip import Chip, SliceKind


class Width(Enum):
    """Width of a stream operand or result: a byte stream or an aligned group of four."""

    BYTE = 1
    WORD = 4


class Form(Enum):
    """What an operand of a mnemonic is; each form uses fixed fields of the instruction record."""

    SOURCE = "source"  # a VXM operand: stream, hold, immediate or broadcast parameter, with lane-xor (a, b or c)
    STREAM = "stream"  # a stream operand (a, b or c)
    RESULT = "result"  # stream, direction(s), hold register (VXM only), discard
    ADDRESS = "address"  # base + strides + terms (address or place)
    NUMBER = "number"  # a small unsigned number
    FLAG = "flag"  # present or absent


@dataclass(frozen=True)
class Operand:
    """One operand of a mnemonic: its form, the record field it lives in, and its limits.

    `bits` is the encoded width of a NUMBER. `word` says what an ADDRESS counts: "word", "byte", "lane", "tile", "row"
    or "amount"; documentation and link use it.
    """

    form: Form
    field: str
    width: Width = Width.WORD
    bits: int = 0
    word: str = ""


Latency = Callable[[Chip], int]


class Area(Enum):
    """Which queues accept an instruction: those of one kind of slice, or (ICU) all."""

    ICU = "icu"
    MEM = "mem"
    VXM = "vxm"
    SXM = "sxm"
    MXM = "mxm"

    @property
    def slice_kind(self) -> SliceKind | None:
        """The kind of slice whose queues accept it; None for ICU entries, which every queue accepts."""
        return None if self is Area.ICU else SliceKind[self.name]


class Unit(Enum):
    """Which ALUs of the VXM can execute an instruction."""

    ANY = "any"
    SPECIAL = "special"  # ALUs 0 .. num_special - 1
    REDUCE = "reduce"  # the last num_reduce ALUs


@dataclass(frozen=True)
class Instruction:
    """A row of the table. `latency` is None for instructions without a result on a stream."""

    opcode: int
    mnemonic: str
    operands: tuple[Operand, ...]
    latency: Latency | None
    meaning: str
    unit: Unit = Unit.ANY

    @property
    def area(self) -> Area:
        return Area(self.mnemonic.partition(".")[0])

    @property
    def result(self) -> Operand | None:
        """The RESULT operand, None where there is none."""
        return next((operand for operand in self.operands if operand.form is Form.RESULT), None)

    @property
    def sources(self) -> tuple[Operand, ...]:
        """The operands that are read at issue: SOURCE and STREAM forms, in order a, b, c."""
        return tuple(operand for operand in self.operands if operand.form in (Form.SOURCE, Form.STREAM))

    def field(self, name: str) -> Operand | None:
        """The operand that lives in record field `name`, None if this mnemonic does not use it."""
        return next((operand for operand in self.operands if operand.field == name), None)


def _source(*fields: str, width: Width = Width.WORD) -> tuple[Operand, ...]:
    return tuple(Operand(Form.SOURCE, field, width) for field in fields)


def _stream(field: str, width: Width = Width.WORD) -> Operand:
    return Operand(Form.STREAM, field, width)


def _result(width: Width = Width.WORD) -> Operand:
    return Operand(Form.RESULT, "result", width)


def _address(field: str, word: str) -> Operand:
    return Operand(Form.ADDRESS, field, word=word)


def _number(field: str, bits: int) -> Operand:
    return Operand(Form.NUMBER, field, bits=bits)


def _flag(field: str) -> Operand:
    return Operand(Form.FLAG, field)


def _reduce(stage: Callable[[Chip], int]) -> Latency:
    """Operand fetch, then one stage per halving of the lanes; the same for every segment."""
    return lambda chip: 1 + chip.log2_lanes * stage(chip)


def _simple(chip: Chip) -> int:
    return chip.latency.vxm_simple


def _add(chip: Chip) -> int:
    return chip.latency.vxm_add


def _convert(chip: Chip) -> int:
    return chip.latency.vxm_convert


def _read(chip: Chip) -> int:
    return chip.latency.mem_read


def _sxm(chip: Chip) -> int:
    return chip.latency.sxm


def _matvec(chip: Chip) -> int:
    return chip.latency.matvec


_A, _AB, _ABC = _source("a"), _source("a", "b"), _source("a", "b", "c")
_BYTE = Width.BYTE
_MATVEC_T = (
    _stream("a", _BYTE), _address("address", "tile"), _number("acc", 2), _flag("first"), _flag("emit"),
    _flag("unsigned"), _result(),
)  # fmt: skip
_MATVEC = (*_MATVEC_T[:-1], _flag("sram"), _result())

_ROWS = (
    # Every queue. Control entries take the cycles they say; `icu.set_param` is issued like any instruction.
    Instruction(0x01, "icu.start", (), None, "wait for the launch; the next entry issues in cycle 0; first in a queue"),
    Instruction(0x02, "icu.nop", (_number("n", 24),), None, "issue nothing for n >= 1 cycles"),
    Instruction(0x03, "icu.repeat", (_number("n", 24), _number("distance", 24)), None,
                "issue the preceding instruction n more times, `distance` cycles apart (level r)"),
    Instruction(0x04, "icu.loop", (_number("n", 24), _number("distance", 24), _number("body", 16)), None,
                "run the last `body` entries n times in total, starts `distance` cycles apart (l1 to l3, inner first)"),
    Instruction(0x05, "icu.set_param", (_stream("a"), _number("param", 6)), None,
                "launch parameter `param` becomes lane 0 of a (int32), from t + param_latency"),
    # MEM: one access a cycle and slice.
    Instruction(0x10, "mem.read8", (_address("address", "byte"), _result(_BYTE)), _read, "result = a word's byte"),
    Instruction(0x11, "mem.read32", (_address("address", "word"), _result()), _read, "result = the word"),
    Instruction(0x12, "mem.write8", (_stream("a", _BYTE), _address("address", "byte")), None,
                "byte plane of a word = a; its other bytes stay"),
    Instruction(0x13, "mem.write32", (_stream("a"), _address("address", "word")), None, "word = a"),
    Instruction(0x14, "mem.write_lane", (_stream("a"), _address("address", "word"), _address("place", "lane")), None,
                "lane l of the word = lane l of a; its other lanes stay"),
    # VXM, fp32: round to nearest even, subnormals flushed, canonical NaN.
    Instruction(0x20, "vxm.add", (*_AB, _result()), _add, "a + b, fp32"),
    Instruction(0x21, "vxm.sub", (*_AB, _result()), _add, "a - b, fp32"),
    Instruction(0x22, "vxm.mul", (*_AB, _result()), lambda chip: chip.latency.vxm_mul, "a * b, fp32"),
    Instruction(0x23, "vxm.max", (*_AB, _result()), _simple, "maximum, fp32; -0 below +0; NaN if either is NaN"),
    Instruction(0x24, "vxm.min", (*_AB, _result()), _simple, "minimum, fp32; -0 below +0; NaN if either is NaN"),
    Instruction(0x25, "vxm.abs", (*_A, _result()), _simple, "absolute value, fp32"),
    Instruction(0x26, "vxm.compare_lt", (*_AB, _result()), _simple, "-1 where a < b, else 0; fp32; false on NaN"),
    Instruction(0x27, "vxm.compare_le", (*_AB, _result()), _simple, "-1 where a <= b, else 0; fp32; false on NaN"),
    Instruction(0x28, "vxm.compare_eq", (*_AB, _result()), _simple, "-1 where a = b, else 0; fp32; false on NaN"),
    Instruction(0x29, "vxm.butterfly", (*_A, _number("mask", 9), _result()), _add,
                "(i & k) ? a[i^k] - a[i] : a[i] + a[i^k] in lane i, k = mask, a power of two; fp32"),
    Instruction(0x2A, "vxm.exp2", (*_A, _result()), lambda chip: chip.latency.vxm_exp2, "2 to the power of a, fp32",
                Unit.SPECIAL),
    Instruction(0x2B, "vxm.reciprocal", (*_A, _result()), lambda chip: chip.latency.vxm_reciprocal, "1 / a, fp32",
                Unit.SPECIAL),
    Instruction(0x2C, "vxm.rsqrt", (*_A, _result()), lambda chip: chip.latency.vxm_rsqrt, "1 / square root of a, fp32",
                Unit.SPECIAL),
    Instruction(0x2D, "vxm.reduce_add", (*_A, _number("segment", 10), _result()),
                _reduce(lambda chip: chip.latency.reduce_add_stage),
                "sum over each segment of lanes by a halving tree, in every lane of the segment; fp32", Unit.REDUCE),
    Instruction(0x2E, "vxm.reduce_max", (*_A, _number("segment", 10), _result()),
                _reduce(lambda chip: chip.latency.reduce_max_stage),
                "maximum over each segment of lanes, in every lane of the segment; fp32", Unit.REDUCE),
    # VXM, raw bits and integers.
    Instruction(0x30, "vxm.move", (*_A, _result()), _simple, "a, raw bits"),
    Instruction(0x31, "vxm.select", (*_ABC, _result()), _simple, "b where a is not 0, else c; raw bits"),
    Instruction(0x32, "vxm.iadd", (*_AB, _result()), _simple, "a + b, int32, modulo 2^32"),
    Instruction(0x33, "vxm.and", (*_AB, _result()), _simple, "a and b, bitwise"),
    Instruction(0x34, "vxm.or", (*_AB, _result()), _simple, "a or b, bitwise"),
    Instruction(0x35, "vxm.xor", (*_AB, _result()), _simple, "a exclusive or b, bitwise"),
    Instruction(0x36, "vxm.shl", (*_AB, _result()), _simple, "a shifted left by the low 5 bits of b"),
    Instruction(0x37, "vxm.shr", (*_AB, _result()), _simple, "a shifted right by the low 5 bits of b, zeros in"),
    Instruction(0x38, "vxm.sar", (*_AB, _result()), _simple, "a shifted right by the low 5 bits of b, sign in"),
    Instruction(0x39, "vxm.lane_index", (_result(),), _simple, "the lane's number, int32"),
    # VXM, conversions: round to nearest even, saturate, NaN to 0.
    Instruction(0x3A, "vxm.to_int8", (*_A, _result(_BYTE)), _convert, "fp32 to int8"),
    Instruction(0x3B, "vxm.to_uint8", (*_A, _result(_BYTE)), _convert, "fp32 to uint8"),
    Instruction(0x3C, "vxm.to_int32", (*_A, _result()), _convert, "fp32 to int32"),
    Instruction(0x3D, "vxm.to_fp32", (*_A, _result()), _convert, "int32 to fp32"),
    Instruction(0x3E, "vxm.widen8", (*_source("a", width=_BYTE), _result()), _convert, "int8 to int32"),
    # SXM: lane movement that is not an exclusive or. Lane and amount addresses are taken modulo the lanes.
    Instruction(0x40, "sxm.rotate", (_stream("a"), _address("address", "amount"), _result()), _sxm,
                "a[(i + amount) mod lanes] in lane i"),
    Instruction(0x41, "sxm.permute", (_stream("a"), _stream("b"), _result()), _sxm,
                "a[b[i]] in lane i, 0 where b[i] (int32) is no lane"),
    Instruction(0x42, "sxm.broadcast", (_stream("a"), _address("address", "lane"), _result()), _sxm,
                "a[lane] in every lane"),
    Instruction(0x43, "sxm.mask", (_stream("a"), _address("address", "amount"), _result()), _sxm,
                "a[i] where i < amount (not taken modulo the lanes), else 0"),
    Instruction(0x44, "sxm.transpose", (_stream("a"), _result()), _sxm,
                "transpose each 4 x 4 block of bytes: byte s of lane 4b + l = byte l of lane 4b + s of a"),
    # MXM: resident tiles. ReRAM and SRAM tiles are numbered separately; flag `sram` chooses.
    Instruction(0x50, "mxm.matvec", _MATVEC, _matvec,
                "acc = (first ? 0 : acc) + sum over i of tile[j,i] a[i] in lane j; int8 tile, int8 or uint8 a; "
                "result on emit"),
    Instruction(0x51, "mxm.matvec_t", _MATVEC_T, _matvec,
                "as mxm.matvec with the tile transposed: sum over j of tile[j,i] a[j] in lane i; SRAM tiles only"),
    Instruction(0x52, "mxm.read_row",
                (_address("address", "tile"), _address("place", "row"), _flag("sram"), _result(_BYTE)),
                lambda chip: chip.latency.read_row, "a row of a tile, int8"),
    Instruction(0x53, "mxm.write_row",
                (_stream("a", _BYTE), _address("address", "tile"), _address("place", "row")), None,
                "row of an SRAM tile = a; the tile may be accessed again from t + write_row_cycles"),
)  # fmt: skip

INSTRUCTIONS: Mapping[str, Instruction] = MappingProxyType({row.mnemonic: row for row in _ROWS})
INSTRUCTION_BY_OPCODE: Mapping[int, Instruction] = MappingProxyType({row.opcode: row for row in _ROWS})
OPCODES: Mapping[str, int] = MappingProxyType({row.mnemonic: row.opcode for row in _ROWS})

CONTROL = frozenset({"icu.start", "icu.nop", "icu.repeat", "icu.loop"})
"""Entries that only steer the queue; all others issue."""
