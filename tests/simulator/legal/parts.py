"""What a legal program is made of: segments of time, operations in them, and issues of those.

A segment is straight or in loops; all queues share its loops. An operation stands in one queue and issues in every run
of its segment's loops, and of its own repeat. A run counts its levels from the outermost inwards, the repeat last.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from waterclock.chip import Chip, Queue
from waterclock.isa.program import Object
from waterclock.isa.record import NUM_LEVELS, Records
from waterclock.isa.table import Instruction, Width

if TYPE_CHECKING:
    from tests.simulator.legal.histories import Histories

Run = tuple[int, ...]


class Level(NamedTuple):
    """A loop, or a repeat: what it is of, how many runs, and the cycles between two."""

    owner: object
    runs: int
    period: int


@dataclass(eq=False)
class Segment:
    """A stretch of time: all issue between cycles `begin` and `end` for the first time, and then in loops given by
    (runs, period), outermost first."""

    begin: int
    loops: tuple[tuple[int, int], ...]
    end: int
    num_written_out: int = 0
    """Runs of the innermost loop that every queue writes out before and after its own; known at the end."""


@dataclass(eq=False)
class Operation:
    """An instruction that issues in cycle `offset` of the launch in its first run; `row` is as in the first run.

    `object` is the index of the program's object that the address lies in. `found` says, for every operand of every
    run, whose result it finds: the meant dataflow, known because the generator put it there.
    """

    queue: Queue
    instruction: Instruction
    row: Records
    offset: int
    segment: Segment
    repeats: int = 0
    distance: int = 1
    object: int = -1
    found: dict[tuple[str, Run], "Issue | None"] = field(default_factory=dict)

    @property
    def levels(self) -> tuple[Level, ...]:
        loops = tuple(Level((self.segment, place), *loop) for place, loop in enumerate(self.segment.loops))
        return (*loops, Level(self, self.repeats + 1, self.distance)) if self.repeats else loops

    def issues(self) -> Iterator["Issue"]:
        return (Issue(self, run) for run in product(*(range(level.runs) for level in self.levels)))

    @property
    def num_issues(self) -> int:
        return prod(level.runs for level in self.levels)

    @property
    def last_run(self) -> Run:
        return tuple(level.runs - 1 for level in self.levels)

    def iteration(self, run: Run) -> tuple[int, ...]:
        """The counts by level of the record: the repeat, then the loops, innermost first."""
        loops = run[: len(self.segment.loops)]
        counts = (run[-1] if self.repeats else 0, *reversed(loops))
        return (*counts, *[0] * (NUM_LEVELS - len(counts)))

    def copy(self, **changes: object) -> "Operation":
        """Another operation that is as this one was before it was placed."""
        return replace(self, row=self.row.copy(), found={}, **changes)

    def result_width(self) -> Width | None:
        """The width of what leaves, None where nothing does."""
        silent = self.instruction.field("emit") is not None and not self.row["emit"]
        result = self.instruction.result
        return None if result is None or silent else result.width

    def latency(self, chip: Chip) -> int:
        assert self.instruction.latency is not None
        return self.instruction.latency(chip)


class Issue(NamedTuple):
    """An operation in one run."""

    operation: Operation
    run: Run

    @property
    def cycle(self) -> int:
        levels = self.operation.levels
        return self.operation.offset + sum(count * level.period for count, level in zip(self.run, levels, strict=True))


@dataclass(frozen=True, eq=False)
class Legal:
    """A legal program before it is written as queues: what it does is known, by construction."""

    chip: Chip
    operations: tuple[Operation, ...]
    objects: tuple[Object, ...]
    outputs: tuple[tuple[str, int], ...]
    histories: "Histories"

    def issues(self) -> list[Issue]:
        """All issues in the order of cycles and queues."""
        every = [issue for operation in self.operations for issue in operation.issues()]
        return sorted(every, key=lambda issue: (issue.cycle, issue.operation.queue.number))

    def readers(self) -> Mapping[Operation, set[Run]]:
        """Which runs of each operation have a result that somebody reads from a stream or a hold register."""
        read: dict[Operation, set[Run]] = {operation: set() for operation in self.operations}
        for operation in self.operations:
            for (name, _), found in operation.found.items():
                if found is not None and name in ("a", "b", "c"):
                    read[found.operation].add(found.run)
        return read


def in_run(row: Records, name: str, iteration: tuple[int, ...]) -> int:
    """A field's base in a run, without what depends on parameters."""
    return int(row[name]["base"]) + int((row[name]["stride"].astype(np.int64) * iteration).sum())
