"""Small programs by hand: entries in, Program out, with the flow that its author states."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from waterclock.chip import Chip
from waterclock.isa.program import (
    Object,
    Output,
    Param,
    Program,
    computations,
    empty_flow,
    empty_instructions,
    instruction_id,
)
from waterclock.isa.record import Direction, OperandKind
from waterclock.isa.table import CONTROL, OPCODES

WAYS = {"e": OperandKind.EAST, "w": OperandKind.WEST, "h": OperandKind.HOLD, "p": OperandKind.PARAM}
DIRECTIONS = {"e": Direction.EAST, "w": Direction.WEST, "b": Direction.BOTH}


@dataclass(frozen=True)
class Entry:
    """An entry and its flow: producers by name as (queue, entry) or ((queue, entry), (queue, entry)) if carried."""

    mnemonic: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    flow: Mapping[str, Any] = field(default_factory=dict)

    def meant(self, **flow: Any) -> "Entry":
        return replace(self, flow={**self.flow, **flow})

    def with_fields(self, **fields: Any) -> "Entry":
        return replace(self, fields={**self.fields, **fields})


START = Entry("icu.start")


def nop(n: int) -> Entry:
    return Entry("icu.nop", {"n": n})


def repeat(n: int, distance: int) -> Entry:
    return Entry("icu.repeat", {"n": n, "distance": distance})


def loop(n: int, period: int, body: int) -> Entry:
    return Entry("icu.loop", {"n": n, "distance": period, "body": body})


def issue(mnemonic: str, *operands: str | int, to: str = "", hold: int | None = None, **fields: Any) -> Entry:
    """Operands: "e4", "w8" (streams), "h0" (hold), "p3" (parameter), an int (immediate); `to`: "e4", "w4", "b4"."""
    values: dict[str, Any] = dict(fields)
    for name, operand in zip("abc", operands, strict=False):
        if isinstance(operand, int):
            values[name], values["scalar"] = {"kind": OperandKind.IMMEDIATE}, operand
        else:
            values[name] = {"kind": WAYS[operand[0]], "index": int(operand[1:])}
    result: dict[str, Any] = {}
    if to:
        result |= {"direction": DIRECTIONS[to[0]], "stream": int(to[1:])}
    if hold is not None:
        result |= {"hold": hold + 1}
    if values.pop("discard", False):
        result |= {"discard": 1}
    return Entry(mnemonic, {**values, "result": result} if result else values)


def _fill(row: Any, fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        if isinstance(value, Mapping):
            _fill(row[name], value)
        else:
            row[name] = value


def program(
    chip: Chip,
    queues: Mapping[str, Iterable[Entry]],
    *,
    objects: tuple[Object, ...] = (),
    params: tuple[Param, ...] = (),
    outputs: tuple[Output, ...] = (),
    length_cycles: int = 0,
) -> Program:
    """A program of these queues; icu.start is put before each."""
    records, flows = {}, {}
    for name, entries in queues.items():
        whole = [START, *entries]
        records[name], flows[name] = empty_instructions(len(whole)), empty_flow(len(whole))
        for place, entry in enumerate(whole):
            records[name][place]["op"] = OPCODES[entry.mnemonic]
            _fill(records[name][place], entry.fields)
            flow = {key: _producer(chip, value) if key in _PRODUCERS else value for key, value in entry.flow.items()}
            _fill(flows[name][place], flow)
            if entry.mnemonic not in CONTROL:
                flows[name][place]["computes"] = computations(records[name][place])
    labels = {name: np.full(len(rows), -1, np.int32) for name, rows in records.items()}
    return Program("test", chip.sha256, records, flows, labels, (), objects, params, outputs, length_cycles)


_PRODUCERS = ("a", "b", "c", "acc", "memory")


def _producer(chip: Chip, value: Any) -> dict[str, int]:
    first, carried = value if isinstance(value[0], tuple) or value[0] is None else (value, None)
    return {"first": _id(chip, first), "carried": _id(chip, carried)}


def _id(chip: Chip, place: tuple[str, int] | None) -> int:
    return -1 if place is None else instruction_id(chip.queue_by_name[place[0]].number, place[1])
