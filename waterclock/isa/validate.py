"""Static legality: whether a chip's queues can hold these records at all, before anything is linked.

Addresses, values on streams and bank times are the link step's; here are fields against the chip's sizes, units, where
results may go, and the structure of repeats and loops.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt

from waterclock.chip import Chip, Queue
from waterclock.errors import InputError
from waterclock.isa.assembly import instruction_text
from waterclock.isa.causes import Cause, IllegalEntry, raise_first
from waterclock.isa.encoding import check_fields, column, groups
from waterclock.isa.record import NUM_LEVELS, NUM_TERMS, OPERAND_NAMES, OperandKind, Records
from waterclock.isa.table import CONTROL, INSTRUCTION_BY_OPCODE, OPCODES, Form, Instruction, Operand, Unit, Width

Bad = npt.NDArray[np.bool_]
Findings = Iterator[tuple[Bad, str]]
"""Which rows break a rule, and the rule."""


class FormRules(Protocol):
    """The rules of one form of operand, over all rows of one instruction."""

    def __call__(self, rows: Records, operand: Operand, instruction: Instruction, chip: Chip) -> Findings: ...


def check_records(queues: Mapping[str, Records], chip: Chip) -> None:
    """Raise IllegalEntry for the first entry of the first queue that `chip` cannot hold, with the instruction's text.

    InputError for a queue that the chip does not have or that is too long.
    """
    for name in sorted(queues, key=lambda name: _queue(chip, name).number):
        queue, records = _queue(chip, name), queues[name]
        if len(records) > chip.max_queue_entries:
            raise InputError(f"{name}: {len(records)} entries, chip {chip.name} holds {chip.max_queue_entries}")
        check_fields(records, queue.slice.kind, name)
        raise_first(_problems(records, queue, chip))


def num_cycles(records: Records) -> int:
    """Cycles from cycle 0 to the end of a queue that `check_records` has passed."""
    starts: list[int] = []
    cycle = 0
    rows = cast(list[tuple[int, int, int, int]], records[["op", "n", "distance", "body"]].tolist())
    for entry, (op, n, distance, body) in enumerate(rows):
        mnemonic = INSTRUCTION_BY_OPCODE[op].mnemonic
        starts.append(starts[entry - body] if mnemonic == "icu.loop" else cycle)
        cycle = _next_cycle(mnemonic, cycle, _Span(entry, starts[entry]), n, distance)
    return cycle


def _queue(chip: Chip, name: str) -> Queue:
    if name not in chip.queue_by_name:
        raise InputError(f"{name}: chip {chip.name} has no such queue")
    return chip.queue_by_name[name]


def _problems(records: Records, queue: Queue, chip: Chip) -> Iterator[IllegalEntry]:
    for instruction, entries in groups(records["op"], queue.slice.kind, queue.name):
        for bad, rule in _instruction_findings(records[entries], instruction, queue, chip):
            if bad.any():
                yield _illegal(records, queue, int(entries[np.argmax(bad)]), Cause.FIELD, rule)
    for entry, rule in _sequence_findings(records):
        yield _illegal(records, queue, entry, Cause.SEQUENCE, rule)


def _illegal(records: Records, queue: Queue, entry: int, cause: Cause, rule: str) -> IllegalEntry:
    return IllegalEntry(queue.name, entry, cause, f"`{instruction_text(records[entry : entry + 1])}`: {rule}")


def _instruction_findings(rows: Records, instruction: Instruction, queue: Queue, chip: Chip) -> Findings:
    alus = alus_of(instruction.unit, chip)
    if instruction.unit is not Unit.ANY:
        rule = f"runs only on ALUs {alus.start} to {alus.stop - 1}"
        yield np.full(len(rows), queue.index not in alus), rule
    for operand in instruction.operands:
        yield from _RULES_BY_FORM[operand.form](rows, operand, instruction, chip)
    scalars = np.zeros(len(rows), np.int64)
    for name in OPERAND_NAMES:
        scalars += np.isin(column(rows, f"{name}.kind"), [OperandKind.IMMEDIATE, OperandKind.PARAM])
    yield scalars > 1, "only one operand may be an immediate or a parameter"


def alus_of(unit: Unit, chip: Chip) -> range:
    """The ALUs of the chip's VXM that execute instructions of a unit."""
    num_alus = chip.vxm.num_alus
    return {
        Unit.ANY: range(num_alus),
        Unit.SPECIAL: range(chip.vxm.num_special),
        Unit.REDUCE: range(num_alus - chip.vxm.num_reduce, num_alus),
    }[unit]


def _operand_rules(rows: Records, operand: Operand, instruction: Instruction, chip: Chip) -> Findings:
    kind, index = column(rows, f"{operand.field}.kind"), column(rows, f"{operand.field}.index")
    stream = np.isin(kind, [OperandKind.EAST, OperandKind.WEST])
    yield from _stream_rules(stream, index, operand.width, chip)
    yield (kind == OperandKind.HOLD) & (index >= chip.vxm.num_holds), f"{_available(chip.vxm.num_holds)} holds"
    yield (kind == OperandKind.PARAM) & (index >= chip.num_params), f"{_available(chip.num_params)} parameters"
    if operand.width is Width.BYTE:
        yield ~stream, "a byte operand comes from a stream"
    yield _crosses(column(rows, f"{operand.field}.xor"), chip), f"lane-xor leaves the {chip.lanes} lanes"


def _stream_rules(used: Bad, stream: npt.NDArray[Any], width: Width, chip: Chip) -> Findings:
    yield used & (stream >= chip.num_streams), f"{_available(chip.num_streams)} streams"
    yield used & (stream % width.value != 0), f"a 32-bit value takes streams from a multiple of {width.value}"


def _available(number: int) -> str:
    return f"the chip has {number}"


def _crosses(power: npt.NDArray[Any], chip: Chip) -> Bad:
    """Where lane ^ power is no lane for some lane."""
    return (power != 0) & (chip.lanes % (2 * np.maximum(power, 1).astype(np.int64)) != 0)


def _result_rules(rows: Records, operand: Operand, instruction: Instruction, chip: Chip) -> Findings:
    directed = column(rows, f"{operand.field}.direction") != 0
    hold = column(rows, f"{operand.field}.hold")
    yield from _stream_rules(directed, column(rows, f"{operand.field}.stream"), operand.width, chip)
    yield hold > chip.vxm.num_holds, f"{_available(chip.vxm.num_holds)} holds"
    if operand.width is Width.BYTE:
        yield hold != 0, "a byte result goes to a stream, not to a hold"
    somewhere = directed | (hold != 0)
    if instruction.field("emit") is None:
        yield ~somewhere, "the result must go to a stream or a hold"
        return
    emit = column(rows, "emit") != 0
    yield emit & ~directed, "what is emitted must go to a stream"
    yield ~emit & (somewhere | (column(rows, f"{operand.field}.discard") != 0)), "there is a result only with emit"


def _address_rules(rows: Records, operand: Operand, instruction: Instruction, chip: Chip) -> Findings:
    for term in range(NUM_TERMS):
        param = column(rows, f"{operand.field}.term.{term}.param")
        yield param >= chip.num_params, f"{_available(chip.num_params)} parameters"


def _number_rules(rows: Records, operand: Operand, instruction: Instruction, chip: Chip) -> Findings:
    rule = _RULE_BY_NUMBER.get(operand.field)
    if rule is not None:
        yield rule(column(rows, operand.field), chip)


_RULE_BY_NUMBER: Mapping[str, Callable[[npt.NDArray[Any], Chip], tuple[Bad, str]]] = MappingProxyType(
    {
        "acc": lambda acc, chip: (acc >= chip.mxm.num_accumulators, f"{_available(chip.mxm.num_accumulators)} of acc"),
        "param": lambda param, chip: (param >= chip.num_params, f"{_available(chip.num_params)} parameters"),
        "mask": lambda mask, chip: (_crosses(mask, chip), f"mask leaves the {chip.lanes} lanes"),
        "segment": lambda segment, chip: (chip.lanes % segment != 0, f"segments do not divide {chip.lanes} lanes"),
    }
)


def _no_rules(rows: Records, operand: Operand, instruction: Instruction, chip: Chip) -> Findings:
    return iter(())


_RULES_BY_FORM: Mapping[Form, FormRules] = MappingProxyType(
    {
        Form.SOURCE: _operand_rules,
        Form.STREAM: _operand_rules,
        Form.RESULT: _result_rules,
        Form.ADDRESS: _address_rules,
        Form.NUMBER: _number_rules,
        Form.FLAG: _no_rules,
    }
)


@dataclass(frozen=True)
class _Span:
    """What one entry covers: the entries from `first` to itself, the cycle its first one starts in, loops around it."""

    first: int
    start_cycle: int
    depth: int = 0


def _sequence_findings(records: Records) -> Iterator[tuple[int, str]]:
    """Entries that break the structure of a queue: at most the first one, for what follows depends on it."""
    ops = records["op"]
    misplaced = np.flatnonzero((ops == OPCODES["icu.start"]) != (np.arange(len(ops)) == 0))
    if misplaced.size:
        yield int(misplaced[0]), "icu.start must be the first entry, and no other"
        return
    mnemonics = [INSTRUCTION_BY_OPCODE[op].mnemonic for op in ops.tolist()]
    numbers = zip(*(records[name].tolist() for name in ("n", "distance", "body")), strict=True)
    spans: list[_Span] = []
    cycle = 0
    for entry, (mnemonic, (n, distance, body)) in enumerate(zip(mnemonics, numbers, strict=True)):
        fault, span = "", _Span(entry, cycle)
        if mnemonic == "icu.repeat":
            fault = "repeat must follow the instruction that it repeats" if mnemonics[entry - 1] in CONTROL else ""
            span = _Span(entry - 1, cycle)
        elif mnemonic == "icu.loop":
            fault = _loop_fault(cycle, distance, body, spans)
            span = _loop_span(body, spans) if not fault else span
        if fault:
            yield entry, fault
            return
        spans.append(span)
        cycle = _next_cycle(mnemonic, cycle, span, n, distance)


def _loop_span(body: int, spans: list[_Span]) -> _Span:
    inner = spans[-body:]
    return _Span(len(spans) - body, inner[0].start_cycle, 1 + max(piece.depth for piece in inner))


def _loop_fault(cycle: int, period: int, body: int, spans: list[_Span]) -> str:
    """What is wrong with a loop over the last `body` entries, which end before `cycle`; "" if nothing."""
    first = len(spans) - body
    if first < 1:
        return f"the body of {body} entries starts before the first entry after icu.start"
    loop = _loop_span(body, spans)
    if min(piece.first for piece in spans[first:]) < first:
        return "the body cuts a repeat or a loop inside it"
    if loop.depth >= NUM_LEVELS:
        return f"loops nest at most {NUM_LEVELS - 1} deep"
    length = cycle - loop.start_cycle
    return f"the body takes {length} cycles, more than the period" if length > period else ""


def _next_cycle(mnemonic: str, cycle: int, span: _Span, n: int, distance: int) -> int:
    """The cycle in which the entry after this one starts, in the first iteration of the loops around it."""
    after = {
        "icu.start": cycle,
        "icu.nop": cycle + n,
        "icu.repeat": cycle + n * distance,
        "icu.loop": span.start_cycle + n * distance,
    }
    return after.get(mnemonic, cycle + 1)
