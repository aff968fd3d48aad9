"""Queue entries in hardware: a word seen through the instruction set's layout, and what it decodes to.

Nothing about where a field lies or what it may hold is stated here; `waterclock.isa.layout` says it.
"""

from collections.abc import Iterable
from functools import cache, reduce

from amaranth.hdl import Const, Module, Mux, Shape, Value, signed, unsigned
from amaranth.lib import data

from waterclock.isa.layout import OPCODE_BITS, Field, layout, num_bits
from waterclock.isa.table import CONTROL, OPCODES, Area
from waterclock.rtl.pipeline import wire

ADDRESSES = ("address", "place")
ADDRESS_BITS = 32
CONTROL_BITS = max(num_bits(mnemonic) for mnemonic in CONTROL)
"""All fields of all control entries lie below this bit."""


def shape_of(field: Field) -> Shape:
    """The shape of a field's code."""
    return signed(field.bits) if field.signed else unsigned(field.bits)


@cache
def entry_layout(mnemonic: str) -> data.FlexibleLayout:
    """The fields of a mnemonic's word, by path, where the instruction set puts them."""
    fields = {field.path: data.Field(shape_of(field), field.offset) for field in layout(mnemonic)}
    return data.FlexibleLayout(num_bits(mnemonic), fields)


def fields_of(word: Value, mnemonic: str) -> data.View:
    """The word seen as an entry of this mnemonic."""
    return data.View(entry_layout(mnemonic), word[: num_bits(mnemonic)])


def is_opcode(word: Value, mnemonic: str) -> Value:
    """Whether the word has the opcode of this mnemonic."""
    return word[:OPCODE_BITS] == OPCODES[mnemonic]


def any_of(bits: Iterable[Value]) -> Value:
    """Whether any of these one-bit values is set."""
    found = list(bits)
    return reduce(lambda some, bit: some | bit, found) if found else Const(0, 1)


def is_part_of_address(path: str) -> bool:
    """Whether a field is part of an address rather than used as it is."""
    return path.partition(".")[0] in ADDRESSES


@cache
def decoded_layout(mnemonics: tuple[str, ...]) -> data.StructLayout:
    """Every field that any of these mnemonics has, by path, wherever it lay in the word."""
    fields = sorted((field for mnemonic in mnemonics for field in layout(mnemonic)), key=lambda field: field.bits)
    return data.StructLayout({"opcode": OPCODE_BITS} | {field.path: shape_of(field) for field in fields})


@cache
def issue_layout(mnemonics: tuple[str, ...]) -> data.StructLayout:
    """What an issue gives to its slice: the decoded fields, with addresses and the scalar as values."""
    decoded = decoded_layout(mnemonics)
    kept = {path: shape for path, shape in decoded.members.items() if not is_part_of_address(path)}
    kept = {path: shape for path, shape in kept.items() if not path.startswith("scalar")}
    values = {name: signed(ADDRESS_BITS) for name in (*ADDRESSES, "scalar") if has_value(decoded, name)}
    return data.StructLayout({"valid": 1, **kept, **values})


def has_value(decoded: data.StructLayout, name: str) -> bool:
    """Whether any of the decoded fields belongs to this address or to the scalar."""
    return any(path.partition(".")[0] == name for path in decoded.members)


def decode(m: Module, word: Value, mnemonics: tuple[str, ...]) -> dict[str, Value]:
    """The word's fields by path; 0 for those that its mnemonic does not have."""
    hit_by_mnemonic = {name: wire(m, f"is_{name.replace('.', '_')}", is_opcode(word, name)) for name in mnemonics}
    places: dict[str, dict[tuple[int, int], list[str]]] = {}
    for mnemonic in mnemonics:
        for field in layout(mnemonic):
            places.setdefault(field.path, {}).setdefault((field.offset, field.end), []).append(mnemonic)
    shapes = decoded_layout(mnemonics).members
    fields: dict[str, Value] = {"opcode": word[:OPCODE_BITS]}
    for path, by_place in places.items():
        value: Value = Const(0, 1)
        for (low, high), names in by_place.items():
            value = value | Mux(any_of(hit_by_mnemonic[name] for name in names), word[low:high], 0)
        fields[path] = value.as_signed() if Shape.cast(shapes[path]).signed else value
    return fields


def issuing(area: Area, built: Iterable[str]) -> tuple[str, ...]:
    """The mnemonics of an area that have been built, in a fixed order; all must be in the table."""
    mnemonics = tuple(sorted(built, key=lambda mnemonic: OPCODES[mnemonic]))
    strange = [mnemonic for mnemonic in mnemonics if Area(mnemonic.partition(".")[0]) is not area]
    if strange:
        raise ValueError(f"{strange[0]} is no instruction of the {area.value}")
    return mnemonics
