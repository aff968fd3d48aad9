"""Whether a queue of this chip can hold an entry: fields against their encoding and against the chip's sizes.

What an encoding allows is `waterclock.isa.layout`'s; the rules of the chip are those of `waterclock.isa.validate`, here
as gates. Addresses and the order of entries are checked when they issue.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from types import MappingProxyType

from amaranth.hdl import Const, Module, Mux, Value
from amaranth.lib import data

from waterclock.chip import Chip
from waterclock.isa.causes import Cause
from waterclock.isa.layout import Field, field_by_path, layout, num_bits
from waterclock.isa.record import NUM_TERMS, OPERAND_NAMES, OperandKind
from waterclock.isa.table import INSTRUCTIONS, Form, Instruction, Operand, Width
from waterclock.rtl.entry import any_of, fields_of, is_opcode
from waterclock.rtl.pipeline import wire
from waterclock.rtl.streams import log2_streams

CAUSE_BITS = max(Cause).bit_length()
Rules = Callable[[data.View, Operand, Instruction, Chip], Iterator[Value]]
"""What is wrong with one operand of an entry."""


def cause_of(m: Module, word: Value, chip: Chip, accepted: Iterable[str], executed: Collection[str]) -> Value:
    """Why a queue refuses the word: a `Cause`, NONE if it is legal.

    The queue accepts the opcodes of these mnemonics; those that its unit does not execute are fields out of range.
    """
    cause: Value = Const(Cause.OPCODE, CAUSE_BITS)
    for group in _alike(accepted, executed):
        reserved = word[num_bits(group[0]) :].any()
        bad = _has_bad_field(word, group[0], chip) if group[0] in executed else Const(1, 1)
        fault = Mux(reserved, Cause.RESERVED, Mux(bad, Cause.FIELD, Cause.NONE))
        hit = any_of(is_opcode(word, mnemonic) for mnemonic in group)
        cause = wire(m, f"cause_{group[0].replace('.', '_')}", Mux(hit, fault, cause)[:CAUSE_BITS])
    return cause


def _alike(mnemonics: Iterable[str], executed: Collection[str]) -> list[list[str]]:
    """The mnemonics in groups that have the same operands in the same places, so that one check does for each group."""
    groups: dict[object, list[str]] = {}
    for mnemonic in mnemonics:
        key = (layout(mnemonic), INSTRUCTIONS[mnemonic].operands, mnemonic in executed)
        groups.setdefault(key, []).append(mnemonic)
    return list(groups.values())


def _has_bad_field(word: Value, mnemonic: str, chip: Chip) -> Value:
    view, row = fields_of(word, mnemonic), INSTRUCTIONS[mnemonic]
    outside = [bad for field in layout(mnemonic) for bad in _outside(view, field)]
    against = [bad for operand in row.operands for bad in _RULES_BY_FORM[operand.form](view, operand, row, chip)]
    return any_of([*outside, *against, _has_scalars(view, row)])


def _outside(view: data.View, field: Field) -> Iterator[Value]:
    """Whether a field is out of the range of its encoding or, where it is not in use, not 0."""
    code = view[field.path]
    beyond = _beyond(code, field.low, field.high)
    if not field.guards:
        yield from beyond
        return
    live = any_of(view[guard.path] == value for guard in field.guards for value in sorted(guard.values))
    yield ~live & (code != 0)
    yield from _where(live, beyond)


def _beyond(number: Value, low: int, high: int) -> Iterator[Value]:
    """Whether a number is out of a range; where its width keeps it inside, nothing looks at it."""
    shape = number.shape()
    if low > (-(1 << shape.width - 1) if shape.signed else 0):
        yield number < low
    if high < (1 << shape.width - shape.signed) - 1:
        yield number > high


def _where(condition: Value, bad: Iterable[Value]) -> Iterator[Value]:
    return (condition & one for one in bad)


def _is_one_of(value: Value, kinds: Iterable[OperandKind]) -> Value:
    return any_of(value == kind for kind in kinds)


def _has_scalars(view: data.View, row: Instruction) -> Value:
    """Whether more than one operand is an immediate or a parameter."""
    names = [operand.field for operand in row.sources if operand.field in OPERAND_NAMES]
    scalar = [_is_one_of(view[f"{name}.kind"], (OperandKind.IMMEDIATE, OperandKind.PARAM)) for name in names]
    return any_of(one & other for place, one in enumerate(scalar) for other in scalar[:place])


def _operand_rules(view: data.View, operand: Operand, row: Instruction, chip: Chip) -> Iterator[Value]:
    kind, index = view[f"{operand.field}.kind"], view[f"{operand.field}.index"]
    on_stream = _is_one_of(kind, (OperandKind.EAST, OperandKind.WEST))
    yield from _stream_rules(on_stream, index, operand.width, chip)
    yield from _where(kind == OperandKind.HOLD, _beyond(index, 0, chip.vxm.num_holds - 1))
    yield from _where(kind == OperandKind.PARAM, _beyond(index, 0, chip.num_params - 1))
    if operand.width is Width.BYTE:
        yield ~on_stream
    if f"{operand.field}.xor" in field_by_path(row.mnemonic):
        yield from _beyond(view[f"{operand.field}.xor"], 0, chip.log2_lanes)


def _stream_rules(used: Value, stream: Value, width: Width, chip: Chip) -> Iterator[Value]:
    yield from _where(used, _beyond(stream, 0, chip.num_streams - 1))
    if width is not Width.BYTE:
        yield used & stream[: log2_streams(width)].any()


def _result_rules(view: data.View, operand: Operand, row: Instruction, chip: Chip) -> Iterator[Value]:
    directed = view[f"{operand.field}.direction"].any()
    yield from _stream_rules(directed, view[f"{operand.field}.stream"], operand.width, chip)
    somewhere = directed
    if f"{operand.field}.hold" in field_by_path(row.mnemonic):
        hold = view[f"{operand.field}.hold"]
        yield from _beyond(hold, 0, chip.vxm.num_holds)
        somewhere = directed | hold.any()
        if operand.width is Width.BYTE:
            yield hold.any()
    if row.field("emit") is None:
        yield ~somewhere
        return
    yield view.emit & ~directed
    yield ~view.emit & (somewhere | view[f"{operand.field}.discard"])


def _address_rules(view: data.View, operand: Operand, row: Instruction, chip: Chip) -> Iterator[Value]:
    for term in range(NUM_TERMS):
        yield from _beyond(view[f"{operand.field}.term.{term}.param"], 0, chip.num_params - 1)


def _number_rules(view: data.View, operand: Operand, row: Instruction, chip: Chip) -> Iterator[Value]:
    if operand.field in _HIGHEST_BY_NUMBER:
        yield from _beyond(view[operand.field], 0, _HIGHEST_BY_NUMBER[operand.field](chip))


_HIGHEST_BY_NUMBER: Mapping[str, Callable[[Chip], int]] = MappingProxyType({
    "acc": lambda chip: chip.mxm.num_accumulators - 1,
    "param": lambda chip: chip.num_params - 1,
    "mask": lambda chip: chip.log2_lanes,  # the code of a power of two is 1 + log2
    "segment": lambda chip: chip.log2_lanes + 1,
})  # fmt: skip


def _no_rules(view: data.View, operand: Operand, row: Instruction, chip: Chip) -> Iterator[Value]:
    return iter(())


_RULES_BY_FORM: Mapping[Form, Rules] = MappingProxyType({
    Form.SOURCE: _operand_rules,
    Form.STREAM: _operand_rules,
    Form.RESULT: _result_rules,
    Form.ADDRESS: _address_rules,
    Form.NUMBER: _number_rules,
    Form.FLAG: _no_rules,
})  # fmt: skip
