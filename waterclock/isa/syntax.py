"""How each form of operand is written and read: one printer and one parser a form, none a mnemonic.

An instruction's values are a mapping from the paths of its layout to integers; a path that is absent counts as 0.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from waterclock.errors import InputError
from waterclock.isa.record import LEVEL_NAMES, NUM_TERMS, Direction, OperandKind
from waterclock.isa.table import Form, Operand

Values = Mapping[str, int]
Pairs = Iterator[tuple[str, int]]

_INT = r"[+-]?\d{1,10}"
_STEPS = rf"\{{((?:{'|'.join(LEVEL_NAMES)}):{_INT}(?:,(?:{'|'.join(LEVEL_NAMES)}):{_INT})*)\}}"
_STREAM = re.compile(r"s(\d{1,3})([ew])\b")
_RESULT_STREAM = re.compile(r"s(\d{1,3})(ew|e|w)\b")
_HOLD = re.compile(r"h(\d{1,3})\b")
_IMMEDIATE = re.compile(r"0x([0-9a-fA-F]{1,8})\b")
_PARAM = re.compile(rf"p(\d{{1,3}})([+-]\d{{1,10}})(?:{_STEPS})?")
_XOR = re.compile(r"\^(\d{1,4})\b")
_LEVEL_STRIDE = re.compile(rf"\+\s*({_INT})\*({'|'.join(LEVEL_NAMES)})\b")
_TERM = re.compile(
    rf"\+\s*({_INT})\*\(\(p(\d{{1,3}})([+-]\d{{1,10}})(?:{_STEPS})?\)>>(\d{{1,2}})&({_INT})\)"
)  # stride, parameter, constant, steps, shift, mask
_DIRECTION_BY_LETTERS = MappingProxyType({"e": Direction.EAST, "w": Direction.WEST, "ew": Direction.BOTH})
_LETTERS_BY_DIRECTION = MappingProxyType({int(value): letters for letters, value in _DIRECTION_BY_LETTERS.items()})


class AssemblyError(InputError):
    """Text that is not assembly; the message starts with source:line:column."""


@dataclass
class Scanner:
    """One line of text, read from left to right; `source` and `line` say where it stands."""

    text: str
    source: str
    line: int
    position: int = 0

    def accept(self, pattern: str | re.Pattern[str]) -> re.Match[str] | None:
        """What the pattern matches here, passed over together with the spaces after it; None if it does not match."""
        match = re.compile(pattern).match(self.text, self.position)
        if match:
            after = self.text[match.end() :]
            self.position = match.end() + len(after) - len(after.lstrip())
        return match

    def expect(self, pattern: str | re.Pattern[str], wanted: str) -> re.Match[str]:
        """As `accept`, but AssemblyError, naming what was wanted, if the pattern does not match."""
        match = self.accept(pattern)
        if match is None:
            raise self.error(f"expected {wanted}, found {self.text[self.position :].rstrip()[:30] or 'end of line'!r}")
        return match

    def error(self, detail: str) -> AssemblyError:
        return AssemblyError(f"{self.source}:{self.line}:{self.position + 1}: {detail}")


def print_operand(operand: Operand, values: Values) -> str:
    """The operand as text; "" for a flag that is not set or a result that goes nowhere."""
    return _PRINTERS[operand.form](operand, values)


def parse_operand(operand: Operand, scanner: Scanner) -> Pairs:
    """The values of the operand that stands at the scanner."""
    return _PARSERS[operand.form](operand, scanner)


def _print_steps(path: str, values: Values) -> str:
    steps = [f"{name}:{step}" for i, name in enumerate(LEVEL_NAMES) if (step := values.get(f"{path}.{i}", 0))]
    return f"{{{','.join(steps)}}}" if steps else ""


def _parse_steps(path: str, text: str | None) -> Pairs:
    for item in filter(None, (text or "").split(",")):
        name, _, step = item.partition(":")
        yield f"{path}.{LEVEL_NAMES.index(name)}", int(step)


def _print_param(index: int, constant: int, steps: str) -> str:
    return f"p{index}{constant:+d}{steps}"


_SOURCE_PRINTERS: Mapping[int, Callable[[int, Values], str]] = MappingProxyType(
    {
        OperandKind.NONE: lambda index, values: "",
        OperandKind.EAST: lambda index, values: f"s{index}e",
        OperandKind.WEST: lambda index, values: f"s{index}w",
        OperandKind.HOLD: lambda index, values: f"h{index}",
        OperandKind.IMMEDIATE: lambda index, values: f"0x{values['scalar'] & 0xFFFFFFFF:08x}",
        OperandKind.PARAM: lambda index, values: _print_param(
            index, values["scalar"], _print_steps("scalar_step", values)
        ),
    }
)


def _print_source(operand: Operand, values: Values) -> str:
    index, xor = values[f"{operand.field}.index"], values.get(f"{operand.field}.xor", 0)
    text = _SOURCE_PRINTERS[values[f"{operand.field}.kind"]](index, values)
    return f"{text}^{xor}" if xor else text


def _parse_source(operand: Operand, scanner: Scanner) -> Pairs:
    if match := scanner.accept(_IMMEDIATE):
        scalar = int(match[1], 16)
        yield f"{operand.field}.kind", OperandKind.IMMEDIATE
        yield "scalar", scalar - (scalar >> 31 << 32)
    elif match := scanner.accept(_PARAM):
        yield f"{operand.field}.kind", OperandKind.PARAM
        yield f"{operand.field}.index", int(match[1])
        yield "scalar", int(match[2])
        yield from _parse_steps("scalar_step", match[3])
    elif match := scanner.accept(_HOLD):
        yield f"{operand.field}.kind", OperandKind.HOLD
        yield f"{operand.field}.index", int(match[1])
    else:
        yield from _parse_stream(operand, scanner, "a stream, hold, immediate or parameter (s4e, h2, 0x3f800000, p2+0)")
    if match := scanner.accept(_XOR):
        yield f"{operand.field}.xor", int(match[1])


def _parse_stream(operand: Operand, scanner: Scanner, wanted: str = "a stream (s4e or s4w)") -> Pairs:
    match = scanner.expect(_STREAM, wanted)
    yield f"{operand.field}.kind", OperandKind.EAST if match[2] == "e" else OperandKind.WEST
    yield f"{operand.field}.index", int(match[1])


def _print_result(operand: Operand, values: Values) -> str:
    name = operand.field
    direction, hold = values[f"{name}.direction"], values.get(f"{name}.hold", 0)
    stream = f"s{values[f'{name}.stream']}{_LETTERS_BY_DIRECTION[direction]}" if direction else ""
    parts = (stream, f"h{hold - 1}" if hold else "", "discard" if values[f"{name}.discard"] else "")
    return " ".join(filter(None, parts))


def _parse_result(operand: Operand, scanner: Scanner) -> Pairs:
    start = scanner.position
    if match := scanner.accept(_RESULT_STREAM):
        yield f"{operand.field}.stream", int(match[1])
        yield f"{operand.field}.direction", _DIRECTION_BY_LETTERS[match[2]]
    if match := scanner.accept(_HOLD):
        yield f"{operand.field}.hold", int(match[1]) + 1
    if scanner.accept(r"discard\b"):
        yield f"{operand.field}.discard", 1
    if scanner.position == start:
        raise scanner.error("expected where the result goes (s8e, s8w, s8ew, h3) or discard")


def _print_address(operand: Operand, values: Values) -> str:
    name = operand.field
    parts = [str(values[f"{name}.base"])]
    parts += [
        f"{stride}*{level}" for i, level in enumerate(LEVEL_NAMES) if (stride := values.get(f"{name}.stride.{i}", 0))
    ]
    terms = (f"{name}.term.{term}" for term in range(NUM_TERMS))
    parts += [_print_term(path, values) for path in terms if values[f"{path}.used"]]
    return f"{operand.word}[{' + '.join(parts)}]"


def _print_term(path: str, values: Values) -> str:
    param = _print_param(values[f"{path}.param"], values[f"{path}.const"], _print_steps(f"{path}.step", values))
    return f"{values[f'{path}.stride']}*(({param})>>{values[f'{path}.shift']}&{values[f'{path}.mask']})"


def _parse_address(operand: Operand, scanner: Scanner) -> Pairs:
    name = operand.field
    scanner.expect(rf"{operand.word}\[", f"{operand.word}[")
    yield f"{name}.base", int(scanner.expect(_INT, "a whole number")[0])
    while match := scanner.accept(_LEVEL_STRIDE):
        yield f"{name}.stride.{LEVEL_NAMES.index(match[2])}", int(match[1])
    for term in range(NUM_TERMS):
        if match := scanner.accept(_TERM):
            yield from _parse_term(f"{name}.term.{term}", match)
    scanner.expect(r"\]", "another stride (+ 2*r), at most two terms (+ 1*((p2+0)>>6&255)), or ]")


def _parse_term(path: str, match: re.Match[str]) -> Pairs:
    yield f"{path}.used", 1
    yield f"{path}.stride", int(match[1])
    yield f"{path}.param", int(match[2])
    yield f"{path}.const", int(match[3])
    yield from _parse_steps(f"{path}.step", match[4])
    yield f"{path}.shift", int(match[5])
    yield f"{path}.mask", int(match[6])


def _print_number(operand: Operand, values: Values) -> str:
    return f"{operand.field}={values[operand.field]}"


def _parse_number(operand: Operand, scanner: Scanner) -> Pairs:
    scanner.expect(rf"{operand.field}\b\s*=\s*", f"{operand.field}=")
    yield operand.field, int(scanner.expect(_INT, "a whole number")[0])


def _print_flag(operand: Operand, values: Values) -> str:
    return operand.field if values[operand.field] else ""


def _parse_flag(operand: Operand, scanner: Scanner) -> Pairs:
    scanner.expect(rf"{operand.field}\b", operand.field)
    yield operand.field, 1


_PRINTERS: Mapping[Form, Callable[[Operand, Values], str]] = MappingProxyType(
    {
        Form.SOURCE: _print_source,
        Form.STREAM: _print_source,
        Form.RESULT: _print_result,
        Form.ADDRESS: _print_address,
        Form.NUMBER: _print_number,
        Form.FLAG: _print_flag,
    }
)
_PARSERS: Mapping[Form, Callable[[Operand, Scanner], Pairs]] = MappingProxyType(
    {
        Form.SOURCE: _parse_source,
        Form.STREAM: _parse_stream,
        Form.RESULT: _parse_result,
        Form.ADDRESS: _parse_address,
        Form.NUMBER: _parse_number,
        Form.FLAG: _parse_flag,
    }
)
