"""Producers: whether each operand finds the value that the program's flow means.

A flow row names instructions; loops decide which issue of one is meant. Levels are matched from the outermost inwards:
a level of the producer holds the reader too if it is the same loop (of one queue: the same entry; of two queues: one
with as many runs and the same period), and so are all around it. There the producer is in the reader's run, elsewhere
in its last. `carried` counts back one run of the innermost loop that holds reader and producer, or of the repeat where
an instruction reads itself. What wrote a memory in another loop is the last run that wrote what is read, not the last.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from waterclock.isa.program import NO_PRODUCER, QUEUE_SHIFT
from waterclock.isa.record import NUM_LEVELS, Records
from waterclock.simulator.link.linked import Bools, Linked, Longs, Rows

_NO_SUCH_ROW = -2


@dataclass(frozen=True, eq=False)
class _Chains:
    """The levels around every row from the outermost inwards: the loops, then the repeat; [m, 4] each."""

    rows: Rows

    @cached_property
    def depth(self) -> Longs:
        """Loops around each row, which is also the place of its repeat."""
        return (self.rows.steered_by[:, 1:] >= 0).sum(axis=1)

    @cached_property
    def level(self) -> Longs:
        """The level at each place, negative where there is none."""
        return self.depth[:, None] - np.arange(NUM_LEVELS)

    def inwards(self, column: Longs, row: Longs, absent: int) -> Longs:
        """[k, 4]: a column [m, 4] by level, of k rows and by place from the outermost."""
        level = self.level[row]
        return np.where(level >= 0, np.take_along_axis(column[row], np.maximum(level, 0), axis=1), absent)

    def shared(self, reader: Longs, producer: Longs) -> Bools:
        """[k, 4]: whether the level at each place holds both rows."""
        rows = self.rows
        by, runs, period = (
            [self.inwards(column, row, -1) for row in (reader, producer)]
            for column in (rows.steered_by, rows.runs, rows.period)
        )
        in_one_queue = np.equal(rows.queue[reader], rows.queue[producer])[:, None]
        alike = np.asarray((runs[0] == runs[1]) & (period[0] == period[1]), np.bool_)
        identical = np.asarray(by[0] == by[1], np.bool_)
        same = (by[0] >= 0) & (by[1] >= 0) & np.where(in_one_queue, identical, alike)
        return np.logical_and.accumulate(same, axis=1)

    def carrying_place(self, reader: Longs, producer: Longs) -> Longs:
        """The place of the level around which the producer's value is carried to the reader, -1 where there is none."""
        loops = self.shared(reader, producer) & (np.arange(NUM_LEVELS) < self.depth[reader][:, None])
        itself = (reader == producer) & (self.rows.steered_by[reader, 0] >= 0)
        return np.where(itself, self.depth[reader], loops.sum(axis=1) - 1)


class Meaning:
    """What the flow of a program means, for the events of that program."""

    def __init__(self, linked: Linked, flow: Records) -> None:
        """`flow` holds FLOW rows, one for each of `linked.rows`."""
        self.linked = linked
        self.flow = flow
        self.chains = _Chains(linked.rows)

    def deviates(self, found: Longs, name: str, *, by_address: bool = False) -> Bools:
        """[n]: which events find another producer than the flow's column `name` means.

        `found` holds events. With `by_address` a producer in a loop that does not hold the reader may be in any run.
        """
        linked = self.linked
        reader = linked.row.astype(np.int64)
        first, carried = (
            self._row_of(self.flow[name][which].astype(np.int64))[reader] for which in ("first", "carried")
        )
        event = np.flatnonzero((first != NO_PRODUCER) | (carried != NO_PRODUCER) | (found >= 0))
        reader, first, carried, found = reader[event], first[event], carried[event], found[event]
        run = self._runs(event)
        place = np.full(len(event), -1, np.int64)
        place[carried >= 0] = self.chains.carrying_place(reader[carried >= 0], carried[carried >= 0])
        goes_back = (place >= 0) & (np.take_along_axis(run, np.maximum(place, 0)[:, None], axis=1)[:, 0] > 0)
        producer = np.where(goes_back, carried, first)
        back = goes_back[:, None] & (np.arange(NUM_LEVELS) == place[:, None])
        shared = self.chains.shared(reader, np.maximum(producer, 0))
        last = self.chains.inwards(linked.rows.runs, np.maximum(producer, 0), 1) - 1
        run_meant = np.where(shared, run - back, last)
        in_run = (self._runs(np.maximum(found, 0)) == run_meant) | (~shared & by_address)
        right = (found >= 0) & (linked.row[found] == producer) & in_run.all(axis=1)
        malformed = (carried == _NO_SUCH_ROW) | ((carried >= 0) & (place < 0))
        bad = np.zeros(len(linked), np.bool_)
        bad[event] = malformed | ~np.where(producer == NO_PRODUCER, found < 0, right)
        return bad

    def _runs(self, event: Longs) -> Longs:
        """[k, 4]: the run of each level that the events are in, by place from the outermost."""
        row = self.linked.row[event].astype(np.int64)
        level = self.chains.level[row]
        runs = np.take_along_axis(self.linked.iteration[event].astype(np.int64), np.maximum(level, 0), axis=1)
        return np.where(level >= 0, runs, 0)

    def _row_of(self, instruction: Longs) -> Longs:
        """The row that each instruction id names, NO_PRODUCER for none, _NO_SUCH_ROW for no row of the program."""
        rows = self.linked.rows
        ids = (rows.queue << QUEUE_SHIFT) | rows.entry
        row = np.searchsorted(ids, instruction)
        row = np.where(ids[np.minimum(row, len(ids) - 1)] == instruction, row, _NO_SUCH_ROW)
        return np.where(instruction == NO_PRODUCER, NO_PRODUCER, row)
