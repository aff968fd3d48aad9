"""Blocks: the loops of a program, and how few of their runs show all that can happen in them.

A *block* is a stretch of time in which all queues are in alike loops. Its *inner* runs begin `inner_period` cycles
apart and may overlap; its *outer* runs follow one another.

What a run does depends on the runs that it can meet: those that issue while one of its results is still on its way. So
link looks at the first runs only: so many that one of them has all its neighbours, and that nothing from before the
block is still on its way when they are over. All further runs are the same, if their addresses are in the same places
to one another; `runs_are_alike` asks that, and link looks at every run if not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from waterclock.isa.record import NUM_LEVELS
from waterclock.simulator.link.rows import Longs, Rows

INNER, OUTER = 1, 2
KEPT_OUTER_RUNS = 2


@dataclass(frozen=True)
class Block:
    """A stretch of a program from cycle `begin` on: `inner_runs` of everything, and all of that `outer_runs` times.

    `span_cycles` is how much later than its first instruction the last one of a run can issue, `reach_cycles` how much
    later than an issue another one can still meet what it sent on its way.
    """

    begin: int
    span_cycles: int
    inner_runs: int = 1
    inner_period: int = 0
    outer_runs: int = 1
    outer_period: int = 0
    reach_cycles: int = 0
    kept_inner: int = 1

    @property
    def outer_span_cycles(self) -> int:
        """How much later than its first instruction the last one of an outer run issues."""
        return (self.inner_runs - 1) * self.inner_period + self.span_cycles

    @property
    def end(self) -> int:
        """The last cycle of an issue."""
        return self.begin + (self.outer_runs - 1) * self.outer_period + self.outer_span_cycles

    @property
    def overlap(self) -> int:
        """Inner runs whose instructions issue among one another."""
        return 1 + self.span_cycles // self.inner_period if self.inner_runs > 1 else 1

    @property
    def wanted_inner(self) -> int:
        """Inner runs of which one has all its neighbours before and after; values may be carried: at least one."""
        if self.inner_runs == 1:
            return 1
        return 1 + 2 * max(1, (self.span_cycles + self.reach_cycles) // self.inner_period)

    @property
    def kept_outer(self) -> int:
        """Outer runs of which the last has all its neighbours before it."""
        if self.outer_runs == 1:
            return 1
        neighbours = (self.outer_span_cycles + self.reach_cycles) // self.outer_period
        return min(self.outer_runs, max(KEPT_OUTER_RUNS, 1 + neighbours))

    @property
    def kept_period(self) -> int:
        """The outer period without the inner runs that are left out."""
        return self.outer_period - (self.inner_runs - self.kept_inner) * self.inner_period

    @property
    def left_out_cycles(self) -> int:
        """How much shorter the block is without the runs that are left out."""
        if self.outer_runs == 1:
            return (self.inner_runs - self.kept_inner) * self.inner_period
        return self.outer_runs * self.outer_period - self.kept_outer * self.kept_period

    @property
    def is_cut(self) -> bool:
        return self.left_out_cycles > 0


@dataclass(frozen=True, eq=False)
class Rolled:
    """The blocks of a program in order of time. For each row: its block, -1 where it is no instruction or stands for
    another; the inner run that it begins with; and the cycle in which it issues in run 0."""

    rows: Rows
    blocks: tuple[Block, ...]
    block: Longs
    first_run: Longs
    first_cycle: Longs

    @property
    def is_cut(self) -> bool:
        return self.left_out_cycles > 0

    @property
    def left_out_cycles(self) -> int:
        """How much shorter the program is without the runs that are left out."""
        return sum(block.left_out_cycles for block in self.blocks)

    def runs(self, chosen: Sequence[tuple[Sequence[int], Sequence[int]]]) -> tuple[Longs, Longs, Longs]:
        """Every row in every chosen run of its block (inner ones, outer ones): row, inner run and outer run of each."""
        found: list[Longs] = []
        for number, (inner, outer) in enumerate(chosen):
            grid = np.meshgrid(np.flatnonzero(self.block == number), inner, outer, indexing="ij")
            found.append(np.stack([column.ravel() for column in grid]).astype(np.int64))
        row, inner, outer = np.concatenate(found, axis=1)
        return row, inner, outer

    def iteration(self, row: Longs, inner: Longs, outer: Longs) -> Longs:
        """[k, levels]: the counts of rows in these runs."""
        iteration = np.zeros((len(row), NUM_LEVELS), np.int64)
        iteration[:, INNER] = inner - self.first_run[row]
        iteration[:, OUTER] = outer
        return iteration

    @cached_property
    def last_kept(self) -> Longs:
        """[m]: the last inner run that is kept of each row's block."""
        return np.array([*(block.kept_inner - 1 for block in self.blocks), 0])[self.block]

    @cached_property
    def kept_rows(self) -> Rows:
        """The rows with the runs and periods that are kept."""
        runs, period = self.rows.runs.copy(), self.rows.period.copy()
        for number, block in enumerate(self.blocks):
            mine = self.block == number
            inner = mine & (self.rows.runs[:, INNER] > 1)
            runs[inner, INNER] -= block.inner_runs - block.kept_inner
            runs[mine, OUTER] = np.minimum(runs[mine, OUTER], block.kept_outer)
            period[mine & (period[:, OUTER] > 0), OUTER] = block.kept_period
        return replace(self.rows, runs=runs, period=period)
