"""Assembler and disassembler: queues of records as text, one instruction a line, and back, exactly.

    queue vxm.alu0:
        icu.start
        vxm.mul s4e, h2^32 -> s8ew h3
        vxm.add s4w, 0x3f800000 -> h1 discard  # 1.0
        vxm.iadd s0e, p2+5{r:1,l1:2} -> s4e

`s4e` is stream 4 flowing east (a 32-bit operand takes streams 4 to 7), `h2` a hold register, `^32` lane-exclusive-or,
`p2+5{r:1}` launch parameter 2 plus 5 plus the iteration of level r. Addresses are named by what they count:
`tile[40 + 1*r + 64*((p2+0{l1:1})>>6&255)]`. What follows `#` or `;` is a comment.
"""

import re
from collections.abc import Iterator, Mapping

import numpy as np

from waterclock.isa.encoding import column
from waterclock.isa.layout import field_by_path, layout
from waterclock.isa.program import Program, empty_instructions
from waterclock.isa.record import OPERAND_NAMES, OperandKind, Records
from waterclock.isa.syntax import AssemblyError, Scanner, Values, parse_operand, print_operand
from waterclock.isa.table import INSTRUCTION_BY_OPCODE, INSTRUCTIONS, OPCODES, Form, Instruction

__all__ = [
    "AssemblyError", "assemble", "disassemble", "disassemble_program", "instruction_text",
    "instruction_texts", "lines_by_queue",
]  # fmt: skip

_COMMENT = re.compile(r"[#;].*")
_QUEUE = re.compile(r"queue\s+([a-z0-9_.]+)\s*:\s*$")
_MNEMONIC = re.compile(r"[a-z0-9_.]+")
_PLAIN_EXPONENTS = range(127 - 32, 127 + 32)
"""fp32 exponents of immediates that are likely meant as numbers; small integers and masks lie outside."""


def instruction_text(record: Records) -> str:
    """One INSTRUCTION record (scalar or an array of one) as text, without a comment."""
    return instruction_texts(record.reshape(1))[0]


def instruction_texts(records: Records) -> list[str]:
    """Every record of a queue as text, without comments. The records' fields must pass `check_fields`."""
    return [_text(instruction, values) for instruction, values in _rows(records)]


def disassemble(queues: Mapping[str, Records]) -> str:
    """The text of all queues, in the order given; immediates that look like fp32 numbers are also given as such."""
    return "\n".join(line for queue, records in queues.items() for line in _queue_lines(queue, records))


def disassemble_program(program: Program) -> str:
    """The text of a program's queues, headed by comments that state its name, chip, length, parameters and outputs."""
    header = [
        f"# program {program.name}",
        f"# chip {program.chip_sha256}",
        f"# length {program.length_cycles} cycles",
        *(f"# parameter p{param.index} {param.name}: {param.low} to {param.high}" for param in program.params),
        *(f"# output {output.name}: {output.size} elements" for output in program.outputs),
    ]
    return "\n".join([*(" ".join(line.split()) for line in header), "", disassemble(program.queues)])


def assemble(text: str, source: str = "assembly") -> dict[str, Records]:
    """The queues that the text describes, in its order. AssemblyError names source, line and column of what is wrong.

    What is checked is the text and that fields fit their encoding; `waterclock.isa.validate` checks the rest.
    """
    queues: dict[str, list[tuple[Instruction, Values]]] = {}
    entries: list[tuple[Instruction, Values]] | None = None
    for scanner in _scanners(text, source):
        if match := scanner.accept(_QUEUE):
            if match[1] in queues:
                raise scanner.error(f"queue {match[1]} has been described before")
            entries = queues[match[1]] = []
        elif entries is None:
            raise scanner.error("expected `queue NAME:` before the first instruction")
        else:
            entries.append(_parse_line(scanner))
    return {queue: _records(rows) for queue, rows in queues.items()}


def lines_by_queue(text: str) -> dict[str, list[int]]:
    """The number of the line that each entry of each queue stands in, of text that can be assembled."""
    lines: dict[str, list[int]] = {}
    entries: list[int] = []
    for scanner in _scanners(text, ""):
        if match := scanner.accept(_QUEUE):
            entries = lines[match[1]] = []
        else:
            entries.append(scanner.line)
    return lines


def _scanners(text: str, source: str) -> Iterator[Scanner]:
    """A scanner at the first character of every line that has more than a comment."""
    for number, line in enumerate(text.splitlines(), start=1):
        content = _COMMENT.sub("", line).rstrip()
        if content:
            yield Scanner(content, source, number, position=len(content) - len(content.lstrip()))


def _parse_line(scanner: Scanner) -> tuple[Instruction, Values]:
    mnemonic = scanner.expect(_MNEMONIC, "an instruction")[0]
    if mnemonic not in INSTRUCTIONS:
        raise scanner.error(f"no instruction {mnemonic!r}")
    instruction = INSTRUCTIONS[mnemonic]
    values: dict[str, int] = {}
    fields = field_by_path(mnemonic)
    for path, value in _parse_operands(instruction, scanner):
        if path not in fields:
            raise scanner.error(f"{mnemonic} has no {path}")
        if values.get(path, value) != value:
            raise scanner.error(f"{path} is {values[path]} and {value}: an instruction has only one")
        field = fields[path]
        if not field.allows(value):
            raise scanner.error(f"{path} = {value} must be {field.range_text}")
        values[path] = value
    return instruction, values


def _parse_operands(instruction: Instruction, scanner: Scanner) -> Iterator[tuple[str, int]]:
    """The values of all operands: commas between them, `->` before a result, which may be absent as flags may."""
    lead = ""
    for operand in instruction.operands:
        if operand.form is Form.RESULT:
            if scanner.accept(r"->\s*"):
                yield from parse_operand(operand, scanner)
        elif operand.form is not Form.FLAG:
            scanner.expect(rf"{lead}\s*", "a comma")
            yield from parse_operand(operand, scanner)
        elif scanner.accept(rf"{lead}\s*(?={operand.field}\b)"):
            yield from parse_operand(operand, scanner)
        lead = ","
    scanner.expect(r"$", "end of line")


def _records(rows: list[tuple[Instruction, Values]]) -> Records:
    records = empty_instructions(len(rows))
    records["op"] = [OPCODES[instruction.mnemonic] for instruction, _ in rows]
    for opcode in np.unique(records["op"]).tolist():
        entries = np.flatnonzero(records["op"] == opcode)
        part = records[entries]
        for field in layout(INSTRUCTION_BY_OPCODE[opcode].mnemonic):
            column(part, field.path)[...] = [rows[entry][1].get(field.path, 0) for entry in entries.tolist()]
        records[entries] = part
    return records


def _rows(records: Records) -> list[tuple[Instruction, Values]]:
    """Instruction and values of every record, in order."""
    rows: dict[int, tuple[Instruction, Values]] = {}
    for opcode in np.unique(records["op"]).tolist():
        entries = np.flatnonzero(records["op"] == opcode)
        instruction, part = INSTRUCTION_BY_OPCODE[opcode], records[entries]
        paths = [field.path for field in layout(instruction.mnemonic)]
        columns = [column(part, path).tolist() for path in paths]
        for place, entry in enumerate(entries.tolist()):
            rows[entry] = instruction, {path: values[place] for path, values in zip(paths, columns, strict=True)}
    return [rows[entry] for entry in range(len(records))]


def _text(instruction: Instruction, values: Values) -> str:
    result = instruction.result
    operands = [print_operand(operand, values) for operand in instruction.operands if operand is not result]
    text = " ".join(filter(None, (instruction.mnemonic, ", ".join(filter(None, operands)))))
    destination = print_operand(result, values) if result else ""
    return f"{text} -> {destination}" if destination else text


def _queue_lines(queue: str, records: Records) -> Iterator[str]:
    yield f"queue {queue}:"
    for instruction, values in _rows(records):
        yield f"    {_text(instruction, values)}{_comment(values)}"
    yield ""


def _comment(values: Values) -> str:
    if all(values.get(f"{name}.kind") != OperandKind.IMMEDIATE for name in OPERAND_NAMES):
        return ""
    if (values["scalar"] >> 23 & 0xFF) not in _PLAIN_EXPONENTS:
        return ""
    return f"  # {np.array(values['scalar'], np.int32).view(np.float32).item():.9g}"
