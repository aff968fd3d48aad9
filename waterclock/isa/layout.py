"""Where each field of an instruction lies in its word, derived from the instruction table.

A word is the opcode, then the fields of the operands in table order, least significant bit first. Bits above the last
field are reserved and zero. All entries of a queue have one width, that of the widest row its kind of slice accepts.
The encoder, the validator and the RTL's decoder all read this layout.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from itertools import accumulate
from types import MappingProxyType

from waterclock.chip import SliceKind
from waterclock.isa.record import NUM_LEVELS, NUM_TERMS, Direction, OperandKind
from waterclock.isa.table import INSTRUCTIONS, Area, Form, Instruction, Operand

OPCODE_BITS = 8
WORD_ALIGN_BITS = 32


@dataclass(frozen=True)
class Guard:
    """A field is in use where the field at `path` holds one of `values`."""

    path: str
    values: frozenset[int]


@dataclass(frozen=True)
class Field:
    """One field of an instruction word.

    `path` leads to it in the record, through names and indices ("address.term.0.mask"); `offset` is its lowest bit.
    Where `power` is set, the record's value is 0 or a power of two and its code in the word is 0 or 1 + log2. A code
    must lie in `low` to `high`. If there are guards and none of them holds, the field is not in use and must be zero.
    """

    path: str
    bits: int
    offset: int = 0
    signed: bool = False
    power: bool = False
    minimum: int | None = None
    maximum: int | None = None
    guards: tuple[Guard, ...] = ()

    @property
    def low(self) -> int:
        if self.minimum is not None:
            return self.minimum
        return -(1 << self.bits - 1) if self.signed else 0

    @property
    def high(self) -> int:
        if self.maximum is not None:
            return self.maximum
        return (1 << self.bits - self.signed) - 1

    @property
    def end(self) -> int:
        """The bit after the field."""
        return self.offset + self.bits

    def allows(self, value: int) -> bool:
        """Whether a record's value is legal here (where the field is in use)."""
        if not self.power:
            return self.low <= value <= self.high
        return value >= 0 and value & value - 1 == 0 and self.low <= value.bit_length() <= self.high

    @property
    def range_text(self) -> str:
        """What the record's value may be, in words."""
        if not self.power:
            return f"{self.low} to {self.high}"
        powers = f"a power of two up to {1 << self.high - 1}"
        return powers if self.low else f"0 or {powers}"


_STREAMS = frozenset({int(OperandKind.EAST), int(OperandKind.WEST)})
_VECTORS = _STREAMS | {int(OperandKind.HOLD)}
_PARAM = frozenset({int(OperandKind.PARAM)})
_WITH_INDEX = _VECTORS | _PARAM
_WITH_SCALAR = _PARAM | {int(OperandKind.IMMEDIATE)}
_SOME_DIRECTION = frozenset({int(Direction.EAST), int(Direction.WEST), int(Direction.BOTH)})

_ADDRESS_BITS: Mapping[str, int] = MappingProxyType(
    {"word": 24, "byte": 24, "tile": 24, "lane": 16, "row": 16, "amount": 16}
)
"""Width of base, strides, constants, masks and steps of an address, by what it counts. Sums and terms are int32."""

_POWERS = frozenset({"mask", "segment"})
_COUNTS = frozenset({"n", "distance", "body"})
_POWER_BITS = 4


def _levels(path: str, bits: int, guards: tuple[Guard, ...] = ()) -> Iterator[Field]:
    return (Field(f"{path}.{level}", bits, signed=True, guards=guards) for level in range(NUM_LEVELS))


def _source(operand: Operand, area: Area) -> Iterator[Field]:
    kind = f"{operand.field}.kind"
    yield Field(kind, 3, minimum=OperandKind.EAST, maximum=OperandKind.PARAM)
    yield Field(f"{operand.field}.index", 8, guards=(Guard(kind, _WITH_INDEX),))
    yield Field(f"{operand.field}.xor", _POWER_BITS, power=True, guards=(Guard(kind, _VECTORS),))


def _stream(operand: Operand, area: Area) -> Iterator[Field]:
    yield Field(f"{operand.field}.kind", 2, minimum=OperandKind.EAST, maximum=OperandKind.WEST)
    yield Field(f"{operand.field}.index", 8)


def _result(operand: Operand, area: Area) -> Iterator[Field]:
    direction = f"{operand.field}.direction"
    yield Field(direction, 2)
    yield Field(f"{operand.field}.stream", 8, guards=(Guard(direction, _SOME_DIRECTION),))
    if area is Area.VXM:
        yield Field(f"{operand.field}.hold", 7)
    yield Field(f"{operand.field}.discard", 1)


def _address(operand: Operand, area: Area) -> Iterator[Field]:
    bits = _ADDRESS_BITS[operand.word]
    yield Field(f"{operand.field}.base", bits, signed=True)
    yield from _levels(f"{operand.field}.stride", bits)
    for term in range(NUM_TERMS):
        yield from _term(f"{operand.field}.term", term, bits)


def _term(path: str, term: int, bits: int) -> Iterator[Field]:
    before = (Guard(f"{path}.{term - 1}.used", frozenset({1})),) if term else ()
    used = (Guard(f"{path}.{term}.used", frozenset({1})),)
    yield Field(f"{path}.{term}.used", 1, guards=before)
    yield Field(f"{path}.{term}.param", 8, guards=used)
    yield Field(f"{path}.{term}.shift", 5, guards=used)
    for name in ("stride", "const", "mask"):
        yield Field(f"{path}.{term}.{name}", bits, signed=True, guards=used)
    yield from _levels(f"{path}.{term}.step", bits, used)


def _number(operand: Operand, area: Area) -> Iterator[Field]:
    if operand.field in _POWERS:
        yield Field(operand.field, _POWER_BITS, power=True, minimum=1)
    else:
        yield Field(operand.field, operand.bits, minimum=int(operand.field in _COUNTS))


def _flag(operand: Operand, area: Area) -> Iterator[Field]:
    yield Field(operand.field, 1)


_FIELDS_BY_FORM: Mapping[Form, Callable[[Operand, Area], Iterator[Field]]] = MappingProxyType(
    {
        Form.SOURCE: _source,
        Form.STREAM: _stream,
        Form.RESULT: _result,
        Form.ADDRESS: _address,
        Form.NUMBER: _number,
        Form.FLAG: _flag,
    }
)


def _scalar(instruction: Instruction) -> Iterator[Field]:
    """The one scalar that the VXM operands of an instruction share: an immediate, or what is added to a parameter."""
    kinds = [f"{operand.field}.kind" for operand in instruction.operands if operand.form is Form.SOURCE]
    if kinds:
        yield Field("scalar", 32, signed=True, guards=tuple(Guard(kind, _WITH_SCALAR) for kind in kinds))
        yield from _levels("scalar_step", 24, tuple(Guard(kind, _PARAM) for kind in kinds))


@cache
def layout(mnemonic: str) -> tuple[Field, ...]:
    """The fields of a mnemonic's word after the opcode, lowest bit first; the same in every queue that accepts it."""
    instruction = INSTRUCTIONS[mnemonic]
    fields = [
        field for operand in instruction.operands for field in _FIELDS_BY_FORM[operand.form](operand, instruction.area)
    ]
    fields += _scalar(instruction)
    offsets = accumulate((field.bits for field in fields), initial=OPCODE_BITS)
    return tuple(replace(field, offset=offset) for field, offset in zip(fields, offsets, strict=False))


@cache
def field_by_path(mnemonic: str) -> Mapping[str, Field]:
    """The fields of a mnemonic by their path."""
    return MappingProxyType({field.path: field for field in layout(mnemonic)})


def num_bits(mnemonic: str) -> int:
    """Opcode and fields of a mnemonic, without reserved bits."""
    return max((field.end for field in layout(mnemonic)), default=OPCODE_BITS)


def accepted(kind: SliceKind) -> tuple[Instruction, ...]:
    """The rows that the queues of a kind of slice accept: its own and those of the ICU."""
    return tuple(row for row in INSTRUCTIONS.values() if row.area.slice_kind in (kind, None))


@cache
def word_bits(kind: SliceKind) -> int:
    """Width of an entry in the queues of a kind of slice: that of the widest row, rounded up to whole 32-bit words."""
    widest = max(num_bits(row.mnemonic) for row in accepted(kind))
    return -(-widest // WORD_ALIGN_BITS) * WORD_ALIGN_BITS


def queue_kind(queue: str) -> SliceKind:
    """The kind of slice that a queue belongs to, by its name; ValueError if it is no queue's name."""
    for kind in SliceKind:
        if queue.startswith(kind):
            return kind
    raise ValueError(f"no kind of slice has a queue {queue!r}")
