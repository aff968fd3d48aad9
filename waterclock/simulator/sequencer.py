"""The sequencer: when each entry of an instruction queue issues, and what its record says in that iteration."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from waterclock.chip import Queue
from waterclock.isa.record import NUM_LEVELS, OperandKind, Records
from waterclock.isa.table import INSTRUCTION_BY_OPCODE, OPCODES, Instruction
from waterclock.simulator.state import Words

MAX_LOOPS = NUM_LEVELS - 1


@dataclass(frozen=True)
class Issue:
    """One issue of an entry; `iteration` counts from 0 for each level: the repeat, then the loops, innermost first."""

    cycle: int
    queue: Queue
    entry: int
    iteration: tuple[int, ...]
    record: np.void

    @property
    def row(self) -> Instruction:
        """Its row of the instruction table."""
        return INSTRUCTION_BY_OPCODE[int(self.record["op"])]

    def address(self, field: str, params: Words) -> int:
        """The value of an address field, given the launch parameters: int32, not yet checked against any memory."""
        record = self.record[field]
        value = int(record["base"]) + self._sum(record["stride"])
        for term in record["term"]:
            if term["used"]:
                number = _int32(int(params[term["param"]]) + int(term["const"]) + self._sum(term["step"]))
                value += int(term["stride"]) * (number >> int(term["shift"]) & int(term["mask"]))
        return _int32(value)

    def scalar(self, field: str, params: Words) -> int:
        """The 32 bits that an immediate or parameter operand has in every lane."""
        operand, scalar = self.record[field], int(self.record["scalar"])
        if operand["kind"] == OperandKind.IMMEDIATE:
            return scalar
        return _int32(int(params[operand["index"]]) + scalar + self._sum(self.record["scalar_step"]))

    def _sum(self, strides: Any) -> int:
        return sum(int(stride) * count for stride, count in zip(strides, self.iteration, strict=True))


def _int32(value: int) -> int:
    """`value` modulo 2^32, as a signed number."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


@dataclass(frozen=True)
class _Node:
    """An entry of a queue; a loop has taken in the entries of its body, from entry `first` on."""

    entry: int
    first: int
    body: "tuple[_Node, ...]" = ()


def issues(queue: Queue, rows: Records) -> Generator[Issue, None, int]:
    """Every issue of a well-formed queue, in order of time."""
    nodes: list[_Node] = []
    for entry, row in enumerate(rows):
        first, body = entry, ()
        if row["op"] == OPCODES["icu.loop"]:
            first = entry - int(row["body"])
            body = tuple(node for node in nodes if node.first >= first)
            del nodes[len(nodes) - len(body) :]
        nodes.append(_Node(entry, first, body))
    return _run(queue, rows, nodes, cycle=0, loops=())


def _run(
    queue: Queue, rows: Records, nodes: Sequence[_Node], cycle: int, loops: tuple[int, ...]
) -> Generator[Issue, None, int]:
    """Issue nodes, the first in `cycle`, with the loops around them in these iterations; returns the cycle after."""
    levels = (*loops, *[0] * (MAX_LOOPS - len(loops)))
    for node in nodes:
        entry, row = node.entry, rows[node.entry]
        n, distance = int(row["n"]), int(row["distance"])
        match INSTRUCTION_BY_OPCODE[int(row["op"])].mnemonic:
            case "icu.start":
                pass
            case "icu.nop":
                cycle += n
            case "icu.repeat":
                first = cycle - 1
                for k in range(1, n + 1):
                    yield Issue(first + k * distance, queue, entry - 1, (k, *levels), rows[entry - 1])
                cycle = first + n * distance + 1
            case "icu.loop":
                for k in range(n):
                    yield from _run(queue, rows, node.body, cycle + k * distance, (k, *loops))
                cycle += n * distance
            case _:
                yield Issue(cycle, queue, entry, (0, *levels), row)
                cycle += 1
    return cycle
