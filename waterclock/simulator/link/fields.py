"""Whether every field of every entry is one that its instruction, its queue and the chip allow."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from waterclock.chip import Chip
from waterclock.isa.record import INSTRUCTION, NUM_TERMS, OperandKind, Records
from waterclock.isa.table import Form, Instruction, Operand, Unit, Width
from waterclock.simulator.link.anatomy import ISSUING
from waterclock.simulator.link.errors import Cause
from waterclock.simulator.link.linked import Bools, Events, Longs

Fault = tuple[Bools, str]
"""Which of some records are bad, and why."""

_USERS_BY_SCALAR = {"scalar": (OperandKind.IMMEDIATE, OperandKind.PARAM), "scalar_step": (OperandKind.PARAM,)}
_MAX_SHIFT = 31


def check_fields(events: Events) -> None:
    """LinkError for the first event whose record is not allowed."""
    rows = events.rows
    reason_by_row: dict[int, str] = {}
    known = np.isin(rows.record["op"], [instruction.opcode for instruction in ISSUING])
    for instruction in ISSUING:
        here = np.flatnonzero(rows.record["op"] == instruction.opcode)
        for bad, reason in _faults(events.chip, instruction, rows.record[here], rows.queue[here]):
            reason_by_row |= dict.fromkeys(here[bad].tolist(), reason)
    refused = ~known
    refused[list(reason_by_row)] = True
    events.refuse(
        refused[events.row], Cause.FIELD, lambda event: reason_by_row.get(int(events.row[event]), "no such instruction")
    )


def _faults(chip: Chip, instruction: Instruction, records: Records, queues: Longs) -> Iterator[Fault]:
    if not len(records):
        return
    yield _on_wrong_queue(chip, instruction)[queues], "this queue has no unit for it"
    for operand in instruction.operands:
        yield from _FAULTS_BY_FORM[operand.form](chip, instruction, operand, records)
    used = {operand.field for operand in instruction.operands}
    kinds = [records[operand.field]["kind"] for operand in instruction.sources]
    for name in INSTRUCTION.names or ():
        idle = np.full(len(records), name not in used and name != "op")
        if kinds and name in _USERS_BY_SCALAR:
            idle &= ~np.isin(kinds, _USERS_BY_SCALAR[name]).any(axis=0)
        yield idle & _is_set(records[name]), f"{name} must be zero where it is not used"


def _on_wrong_queue(chip: Chip, instruction: Instruction) -> Bools:
    allowed = {
        Unit.ANY: range(chip.vxm.num_alus),
        Unit.SPECIAL: range(chip.vxm.num_special),
        Unit.REDUCE: range(chip.vxm.num_alus - chip.vxm.num_reduce, chip.vxm.num_alus),
    }[instruction.unit]
    kind = instruction.area.slice_kind
    return np.array(
        [kind is not None and (queue.slice.kind is not kind or queue.index not in allowed) for queue in chip.queues]
    )


def _is_set(column: Records) -> Bools:
    """Which rows of a field, whatever its type, are not all zero bytes."""
    return np.asarray(np.ascontiguousarray(column).view(np.uint8).reshape(len(column), -1).any(axis=1))


def _power_of_two(values: Longs) -> Bools:
    single_bit: Bools = np.asarray(values & (values - 1) == 0)
    return single_bit & (values > 0)


def _source_faults(chip: Chip, instruction: Instruction, operand: Operand, records: Records) -> Iterator[Fault]:
    name, column = operand.field, records[operand.field]
    kind, index, xor = (column[field].astype(np.int64) for field in ("kind", "index", "xor"))
    kinds = tuple(OperandKind)[1:] if operand.form is Form.SOURCE else (OperandKind.EAST, OperandKind.WEST)
    yield ~np.isin(kind, kinds), f"{name}.kind is none that this operand may have"
    limit_by_kind = {
        OperandKind.EAST: chip.num_streams,
        OperandKind.WEST: chip.num_streams,
        OperandKind.HOLD: chip.vxm.num_holds,
        OperandKind.IMMEDIATE: 1,
        OperandKind.PARAM: chip.num_params,
    }
    for each, limit in limit_by_kind.items():
        yield (kind == each) & (index >= limit), f"{name}.index must be below {limit}"
    is_stream = np.isin(kind, (OperandKind.EAST, OperandKind.WEST))
    yield is_stream & (index % operand.width.value != 0), f"{name}.index must be a multiple of {operand.width.value}"
    straight = operand.form is Form.STREAM
    yield (xor != 0) & (straight | ~_power_of_two(xor) | (xor >= chip.lanes)), f"{name}.xor is not allowed"


def _result_faults(chip: Chip, instruction: Instruction, operand: Operand, records: Records) -> Iterator[Fault]:
    column = records[operand.field]
    stream, direction, hold = (column[field].astype(np.int64) for field in ("stream", "direction", "hold"))
    holds = chip.vxm.num_holds if instruction.area.value == "vxm" else 0
    yield stream >= chip.num_streams, f"result.stream must be below {chip.num_streams}"
    if operand.width is Width.WORD:
        yield stream % Width.WORD.value != 0, f"result.stream must be a multiple of {Width.WORD.value}"
    yield direction > 3, "result.direction must be 0 to 3"
    yield hold > holds, f"result.hold must be at most {holds}"
    yield column["discard"] > 1, "result.discard must be 0 or 1"


def _address_faults(chip: Chip, instruction: Instruction, operand: Operand, records: Records) -> Iterator[Fault]:
    for place in range(NUM_TERMS):
        term, name = records[operand.field]["term"][:, place], f"{operand.field}.term[{place}]"
        yield term["used"] > 1, f"{name}.used must be 0 or 1"
        yield term["param"] >= chip.num_params, f"{name}.param must be below {chip.num_params}"
        yield term["shift"] > _MAX_SHIFT, f"{name}.shift must be at most {_MAX_SHIFT}"


def _number_faults(chip: Chip, instruction: Instruction, operand: Operand, records: Records) -> Iterator[Fault]:
    name, value = operand.field, records[operand.field].astype(np.int64)
    yield (value < 0) | (value >> operand.bits > 0), f"{name} must have at most {operand.bits} bits"
    limit = {"acc": chip.mxm.num_accumulators, "param": chip.num_params, "mask": chip.lanes, "segment": chip.lanes + 1}
    if name in limit:
        yield value >= limit[name], f"{name} must be below {limit[name]}"
    if name in ("mask", "segment"):
        yield ~_power_of_two(value), f"{name} must be a power of two"


def _flag_faults(chip: Chip, instruction: Instruction, operand: Operand, records: Records) -> Iterator[Fault]:
    yield records[operand.field] > 1, f"{operand.field} must be 0 or 1"


_FAULTS_BY_FORM: Mapping[Form, Callable[[Chip, Instruction, Operand, Records], Iterator[Fault]]] = {
    Form.SOURCE: _source_faults,
    Form.STREAM: _source_faults,
    Form.RESULT: _result_faults,
    Form.ADDRESS: _address_faults,
    Form.NUMBER: _number_faults,
    Form.FLAG: _flag_faults,
}
