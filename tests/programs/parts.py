"""Parts of a program, and how they become queues."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from waterclock.isa.program import Param, empty_instructions
from waterclock.isa.record import Records
from waterclock.isa.table import OPCODES

POSITION, ANY, SET, ROUTED = range(4)
"""Parameters: for addresses, for operands, set by noise to anything, and set by a launch to a small number."""
MAX_ROUTED = 3
PARAMS = (
    Param("position", POSITION, 0, 15),
    Param("any", ANY, -(1 << 31), (1 << 31) - 1),
    Param("set", SET, -(1 << 31), (1 << 31) - 1, host=False),
    Param("routed", ROUTED, 0, MAX_ROUTED, host=False),
)
SMALL_WORD = 0
"""A word of MEM slice 0 that nothing writes; lane 0 holds a number that `ROUTED` may be."""
FIRST_FREE_WORD = 4
MAX_LOOPS, SLACK = 3, 24
GAP_CYCLES = 64
"""Longer than any result lives: a latency and the way across the chip."""

Row = Records


@dataclass
class Issue:
    """An instruction in cycle `cycle` of its part, and `repeats` more of it, `distance` cycles apart."""

    cycle: int
    row: Row
    repeats: int = 0
    distance: int = 1

    @property
    def end(self) -> int:
        return self.cycle + self.repeats * self.distance + 1


@dataclass
class Part:
    """Issues by queue, in order of cycles; they end before `num_cycles`, with all that they sent under way."""

    num_cycles: int
    issues: dict[str, list[Issue]] = field(default_factory=dict)

    def add(self, queue: str, issue: Issue) -> None:
        self.issues.setdefault(queue, []).append(issue)


def append(queues: dict[str, list[Row]], part: Part, rng: np.random.Generator) -> None:
    """Append a part to all queues, run once or in a loop, and wait until the chip is quiet."""
    runs = int(rng.integers(1, MAX_LOOPS + 1))
    period = part.num_cycles + GAP_CYCLES
    for name, rows in queues.items():
        before = len(rows)
        rows += _entries(part.issues.get(name, []), period)
        if runs > 1:
            rows.append(row_of("icu.loop", n=runs, distance=period, body=len(rows) - before))


def _entries(issues: list[Issue], length: int) -> Iterator[Row]:
    cursor = 0
    for issue in issues:
        if issue.cycle > cursor:
            yield row_of("icu.nop", n=issue.cycle - cursor)
        yield issue.row
        if issue.repeats:
            yield row_of("icu.repeat", n=issue.repeats, distance=issue.distance)
        cursor = issue.end
    yield row_of("icu.nop", n=length - cursor)


def row_of(mnemonic: str, **fields: object) -> Row:
    row = empty_instructions(1)[0]
    row["op"] = OPCODES[mnemonic]
    for name, value in fields.items():
        row[name] = value
    return row


def stacked(rows: list[Row]) -> Records:
    records = empty_instructions(len(rows))
    for place, row in enumerate(rows):
        records[place] = row
    return records
