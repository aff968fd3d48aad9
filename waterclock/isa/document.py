"""Renders docs/isa.md from the instruction table: `python -m waterclock.isa.document` writes it."""

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from waterclock.atomic import write_atomically
from waterclock.chip import Chip, load
from waterclock.isa.causes import Cause
from waterclock.isa.layout import OPCODE_BITS, Field, layout, num_bits, word_bits
from waterclock.isa.record import LEVEL_NAMES, NUM_LEVELS, NUM_TERMS
from waterclock.isa.table import INSTRUCTIONS, Area, Form, Instruction, Operand, Unit, Width

PATH = Path("docs") / "isa.md"
CHIP = "demonstrator"

_TITLES = {
    Area.ICU: "Every queue (ICU)",
    Area.MEM: "Memory (MEM)",
    Area.VXM: "Vector unit (VXM)",
    Area.SXM: "Lane movement (SXM)",
    Area.MXM: "Matrix unit (MXM)",
}
_UNITS = {
    Unit.ANY: "",
    Unit.SPECIAL: " Only on the first `vxm.num_special` ALUs.",
    Unit.REDUCE: " Only on the last `vxm.num_reduce` ALUs.",
}
_FORMS = {
    Form.SOURCE: "stream, hold, immediate or parameter; {width}",
    Form.STREAM: "stream; {width}",
    Form.RESULT: "result; {width}",
    Form.ADDRESS: "address, `{word}[...]`",
    Form.NUMBER: "number, `{field}=`",
    Form.FLAG: "flag, `{field}`",
}
_WIDTHS = {Width.BYTE: "a byte a lane", Width.WORD: "32 bits a lane"}

_INTRODUCTION = f"""\
# Instruction set

This page is rendered from the instruction table (`waterclock/isa/table.py`) by `python -m waterclock.isa.document`.
A mnemonic is the same string in the table, the simulators, the RTL, the assembly and here.

## Time

- Every queue issues its entries in order, one a cycle; nothing stalls. `icu.start` takes no time: the entry after it
  issues in cycle 0.
- An instruction issued at *t* reads its operands from the stream registers at its slice in cycle *t*. Its result is on
  its stream at that slice in cycle *t* + latency, and *k* slices further in cycle *t* + latency + *k*.
- `icu.nop n` lasts n cycles. `icu.repeat n, distance` reissues the instruction before it n more times; the next entry
  issues one cycle after the last. `icu.loop n, distance, body` runs the `body` entries before it n times in total,
  starts `distance` apart; the next entry issues n * `distance` cycles after the first start.
- Levels of iteration are {", ".join(f"`{name}`" for name in LEVEL_NAMES)}: the repeat, then the loops around the
  instruction, innermost first, at most {NUM_LEVELS - 1} of them.

## Operands in assembly

| text | meaning |
|---|---|
| `s4e`, `s4w` | stream 4, flowing east or west; a 32-bit operand takes four streams, from a multiple of 4 |
| `h2` | hold register 2 |
| `0x3f800000` | the same 32 bits in every lane |
| `p2+5{{r:1,l1:2}}` | launch parameter 2, plus 5, plus the iteration of r, plus twice that of l1, in every lane |
| `h2^32` | lane i reads lane i ^ 32 (streams and holds) |
| `tile[40 + 2*r + 64*((p2+0)>>6&255)]` | an address: base, a stride for each level, up to {NUM_TERMS} terms; int32 |
| `-> s8ew h3 discard` | the result leaves on stream 8 both ways and goes to hold 3; nobody reads it |

A term is stride * (((parameter + constant + step * iteration of each level) >> shift) & mask); the shift is arithmetic.
At most one operand of an instruction is an immediate or a parameter: they share the field `scalar`.

## Encoding

An entry is the opcode in bits 0 to {OPCODE_BITS - 1}, then the fields of its operands in table order. Bits above the
last field are reserved and zero. `base 26:24s` is a field of 24 bits from bit 26 on; *s* marks two's complement, *p* a
field that holds 0 for 0 and 1 + log2 for a power of two, *4 x* four fields in a row, one for each level. A field that
its operand does not use (the index of an immediate, a term that is not used) is zero. All entries of a queue are as
wide as the widest instruction that it accepts, in whole 32-bit words:
"""


def render(chip: Chip) -> str:
    """The whole page; latencies are those of `chip`."""
    return "\n".join(_lines(chip))


def _lines(chip: Chip) -> Iterator[str]:
    yield _INTRODUCTION
    yield "| queues of | bits of an entry |\n|---|---|"
    kinds = (area.slice_kind for area in Area)
    yield from (f"| {kind.name} | {word_bits(kind)} |" for kind in kinds if kind)
    yield "\nA word that is illegal freezes the chip in the cycle it would issue in, with a cause:\n"
    yield "| cause | number |\n|---|---|"
    yield from (f"| {cause.name.lower()} | {cause.value} |" for cause in Cause if cause)
    for area, rows in groupby(INSTRUCTIONS.values(), key=lambda row: row.area):
        yield f"\n## {_TITLES[area]}"
        for row in rows:
            yield from _instruction(row, chip)


def _instruction(row: Instruction, chip: Chip) -> Iterator[str]:
    yield f"\n### `{row.mnemonic}`\n"
    yield f"{row.meaning}.{_UNITS[row.unit]}\n"
    latency = f"{row.latency(chip)} cycles on the {chip.name}" if row.latency else "no result"
    yield f"Opcode `{row.opcode:#04x}`, {num_bits(row.mnemonic)} bits; latency: {latency}."
    if row.operands:
        yield "\n| operand | what it is | fields |\n|---|---|---|"
        yield from (f"| {name} | {_form(row, name)} | {_fields(fields, name)} |" for name, fields in _parts(row))


def _parts(row: Instruction) -> Iterator[tuple[str, list[Field]]]:
    """The fields of each operand, and of the scalar that all share, by the first part of their path."""
    for name, fields in groupby(layout(row.mnemonic), key=lambda field: field.path.partition(".")[0]):
        yield name, list(fields)


def _form(row: Instruction, name: str) -> str:
    operand = row.field(name)
    return "shared by the operands" if operand is None else _operand(operand)


def _operand(operand: Operand) -> str:
    return _FORMS[operand.form].format(field=operand.field, width=_WIDTHS[operand.width], word=operand.word)


def _fields(fields: list[Field], operand: str) -> str:
    """The fields in a line; those of the levels, which lie in a row, as one."""
    by_path: dict[str, list[Field]] = {}
    for field in fields:
        by_path.setdefault(re.sub(r"\.\d$", "", field.path), []).append(field)
    return ", ".join(_field(path.removeprefix(operand + "."), group) for path, group in by_path.items())


def _field(name: str, group: list[Field]) -> str:
    field = group[0]
    times = f"{len(group)} x " if len(group) > 1 else ""
    return f"{name} {field.offset}:{times}{field.bits}{'s' * field.signed}{'p' * field.power}"


if __name__ == "__main__":
    write_atomically(PATH, render(load(CHIP)))
