"""The sequencer: when each entry of an instruction queue issues, for the stepper, entry by entry."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from waterclock.chip import Queue
from waterclock.isa.record import NUM_LEVELS, Records
from waterclock.isa.table import INSTRUCTION_BY_OPCODE, OPCODES, Instruction

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
