"""Binary encoding of queues: records to words and back, exactly, refusing what the chip would refuse.

A queue's words are a uint32 array of shape (entries, word_bits(kind) / 32), lowest bits first; where they are stored as
bytes, each is little-endian. `waterclock.isa.layout` says where each field lies.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from waterclock.chip import SliceKind
from waterclock.isa.causes import Cause, IllegalEntry, raise_first
from waterclock.isa.layout import OPCODE_BITS, Field, accepted, layout, num_bits, word_bits
from waterclock.isa.record import INSTRUCTION, Records
from waterclock.isa.table import INSTRUCTION_BY_OPCODE, Instruction

Words = npt.NDArray[np.uint32]
Entries = npt.NDArray[np.intp]
_BITS = 32


def encode_queue(records: Records, kind: SliceKind, queue: str = "") -> Words:
    """The words of a queue's INSTRUCTION rows; IllegalEntry for any row that has none. `queue` names it in errors."""
    check_fields(records, kind, queue)
    words = np.zeros((len(records), word_bits(kind) // _BITS), np.uint32)
    for instruction, entries in groups(records["op"], kind, queue):
        rows, part = records[entries], words[entries]
        part[:, 0] = instruction.opcode
        for field in layout(instruction.mnemonic):
            _insert(part, field, to_code(field, column(rows, field.path)))
        words[entries] = part
    return words


def decode_queue(words: Words, kind: SliceKind, queue: str = "") -> Records:
    """The INSTRUCTION rows of a queue's words; IllegalEntry for an opcode, reserved bit or field that is not legal."""
    if words.dtype != np.uint32 or words.ndim != 2 or words.shape[1] * _BITS != word_bits(kind):
        raise ValueError(f"entries of a {kind} queue are rows of {word_bits(kind) // _BITS} uint32 words")
    opcodes = words[:, 0] & ((1 << OPCODE_BITS) - 1)
    by_mnemonic = list(groups(opcodes, kind, queue))
    raise_first(problem for row, entries in by_mnemonic for problem in _reserved(words[entries], row, entries, queue))
    records = np.zeros(len(words), INSTRUCTION)
    for instruction, entries in by_mnemonic:
        rows, part = records[entries], words[entries]
        rows["op"] = instruction.opcode
        for field in layout(instruction.mnemonic):
            column(rows, field.path)[...] = _from_code(field, _extract(part, field))
        records[entries] = rows
    check_fields(records, kind, queue)
    return records


def check_fields(records: Records, kind: SliceKind, queue: str = "") -> None:
    """Raise IllegalEntry unless every row has an opcode that the queue accepts and fields that fit their encoding."""
    raise_first(
        problem
        for instruction, entries in groups(records["op"], kind, queue)
        for problem in _field_problems(records[entries], instruction, entries, queue or kind)
    )


def column(records: Records, path: str) -> npt.NDArray[np.integer[Any]]:
    """The field of all rows at a dotted path, as a view: writing to it writes to the rows."""
    view: npt.NDArray[Any] = records
    for part in path.split("."):
        view = view[..., int(part)] if part.isdigit() else view[part]
    return view


def groups(opcodes: npt.NDArray[Any], kind: SliceKind, queue: str = "") -> Iterator[tuple[Instruction, Entries]]:
    """Each instruction that occurs, with its entries, by opcode; IllegalEntry if a queue of `kind` refuses one."""
    present = cast(list[int], np.unique(opcodes).tolist())
    allowed = {row.opcode for row in accepted(kind)}
    strange = np.flatnonzero(np.isin(opcodes, [opcode for opcode in present if opcode not in allowed]))
    if strange.size:
        raise IllegalEntry(queue or kind, int(strange[0]), Cause.OPCODE, _strange(int(opcodes[strange[0]]), kind))
    return ((INSTRUCTION_BY_OPCODE[opcode], np.flatnonzero(opcodes == opcode)) for opcode in present)


def _strange(opcode: int, kind: SliceKind) -> str:
    if opcode not in INSTRUCTION_BY_OPCODE:
        return f"no instruction has opcode {opcode:#x}"
    return f"{INSTRUCTION_BY_OPCODE[opcode].mnemonic} does not belong in a {kind} queue"


def to_code(field: Field, values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """What stands for a record's values in the word: themselves, or of powers of two 1 + log2 (-1 for no power)."""
    wide = values.astype(np.int64)
    if not field.power:
        return wide
    log2 = np.frexp(wide)[1].astype(np.int64)  # a power of two is 0.5 * 2^(1 + log2)
    return np.where(wide & (wide - 1) == 0, log2, -1)


def _from_code(field: Field, codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return (1 << codes) >> 1 if field.power else codes


def _insert(words: Words, field: Field, codes: npt.NDArray[np.int64]) -> None:
    index, shift = divmod(field.offset, _BITS)
    bits = (codes & ((1 << field.bits) - 1)).astype(np.uint64) << np.uint64(shift)
    words[:, index] |= bits.astype(np.uint32)
    if shift + field.bits > _BITS:
        words[:, index + 1] |= (bits >> np.uint64(_BITS)).astype(np.uint32)


def _extract(words: Words, field: Field) -> npt.NDArray[np.int64]:
    index, shift = divmod(field.offset, _BITS)
    bits = words[:, index].astype(np.uint64)
    if shift + field.bits > _BITS:
        bits |= words[:, index + 1].astype(np.uint64) << np.uint64(_BITS)
    codes = (bits >> np.uint64(shift)).astype(np.int64) & ((1 << field.bits) - 1)
    return codes - ((codes >> field.bits - 1) << field.bits) if field.signed else codes


def _reserved(words: Words, row: Instruction, entries: Entries, queue: str) -> Iterator[IllegalEntry]:
    end = num_bits(row.mnemonic)
    index, shift = divmod(end, _BITS)
    above = words[:, index:].copy()
    if above.size:
        above[:, 0] &= np.uint32((1 << _BITS) - (1 << shift))
    bad = np.flatnonzero(above.any(axis=1))
    if bad.size:
        detail = f"{row.mnemonic} ends before bit {end}, but a reserved bit from there on is set"
        yield IllegalEntry(queue or row.area.value, int(entries[bad[0]]), Cause.RESERVED, detail)


def _field_problems(rows: Records, instruction: Instruction, entries: Entries, queue: str) -> Iterator[IllegalEntry]:
    used = {field.path: field for field in layout(instruction.mnemonic)}
    for path in _leaf_paths():
        values = column(rows, path)
        field = used.get(path)
        if field is None:
            bad, what = values != 0, "is not used and must be 0"
        else:
            codes, live = to_code(field, values), _in_use(rows, field)
            bad = np.where(live, (codes < field.low) | (codes > field.high), values != 0)
            what = f"must be {field.range_text}" + (", and 0 where it is not used" if field.guards else "")
        if bad.any():
            first = int(np.argmax(bad))
            detail = f"{instruction.mnemonic}: {path} = {values[first]} {what}"
            yield IllegalEntry(queue, int(entries[first]), Cause.FIELD, detail)


def _in_use(rows: Records, field: Field) -> npt.NDArray[np.bool_]:
    live = np.full(len(rows), not field.guards)
    for guard in field.guards:
        value = column(rows, guard.path)
        for used in guard.values:
            live |= value == used
    return live


@cache
def _leaf_paths() -> tuple[str, ...]:
    """The path of every number in a record, but for the opcode."""
    return tuple(path for path in _leaves(INSTRUCTION, "") if path != "op")


def _leaves(dtype: np.dtype[Any], path: str) -> Iterator[str]:
    if dtype.subdtype is not None:
        base, shape = dtype.subdtype
        for index in range(shape[0]):
            yield from _leaves(base, f"{path}.{index}")
    elif dtype.names is not None:
        for name in dtype.names:
            yield from _leaves(dtype[name], f"{path}.{name}" if path else name)
    else:
        yield path
