"""Parts of a program, and how they become queues."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from waterclock.isa.program import Param, empty_instructions
from waterclock.isa.record import Records
from waterclock.isa.table import OPCODES

POSITION, ANY, SET, ROUTED, INDEX = range(5)
"""Parameters: for addresses, for operands, set by noise to anything, set by a launch to a small number, and a wider one
for addresses."""
MAX_POSITION, MAX_ROUTED, MAX_INDEX = 15, 3, 2_000
PARAMS = (
    Param("position", POSITION, 0, MAX_POSITION),
    Param("any", ANY, -(1 << 31), (1 << 31) - 1),
    Param("set", SET, -(1 << 31), (1 << 31) - 1, host=False),
    Param("routed", ROUTED, 0, MAX_ROUTED, host=False),
    Param("index", INDEX, -MAX_INDEX, MAX_INDEX),
)
SMALL_WORD = 0
"""A word of MEM slice 0 that nothing writes; lane 0 holds a number that `ROUTED` may be."""
FIRST_FREE_WORD = 4
MAX_RUNS = (3, 2, 2)
"""How often at most a loop runs, innermost first."""
LOOP_ODDS = (0.3, 0.4, 0.15, 0.15)
"""How often a part is in no loop, in one, in two, in three."""
SLACK = 24
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
    """Append a part to all queues, in loops or once, and wait until the chip is quiet."""
    runs = _runs(rng)
    period = part.num_cycles + GAP_CYCLES
    for name, rows in queues.items():
        before = len(rows)
        rows += _entries(part.issues.get(name, []), period)
        distance = period
        for n in runs:
            rows.append(row_of("icu.loop", n=n, distance=distance, body=len(rows) - before))
            distance *= n


def _runs(rng: np.random.Generator) -> list[int]:
    """How often each of some loops inside one another runs, innermost first; mostly one loop or none."""
    depth = int(rng.choice(len(MAX_RUNS) + 1, p=LOOP_ODDS))
    return [int(rng.integers(1, most + 1)) for most in MAX_RUNS[:depth]]


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


def entries_of(row_by_cycle: Mapping[int, Row]) -> Records:
    """A queue that issues these instructions in these cycles."""
    rows, now = [row_of("icu.start")], 0
    for cycle, row in sorted(row_by_cycle.items()):
        wait = [row_of("icu.nop", n=cycle - now)] if cycle > now else []
        rows, now = [*rows, *wait, row], cycle + 1
    return stacked(rows)
