"""Producers: whether each operand finds the value that the program's flow means.

A flow row names instructions; loops decide which issue of one is meant. Levels are matched from the outermost inwards:
a level of the producer holds the reader too if it is the same loop (of one queue: the same entry; of two queues: one
with as many runs and the same period), and so are all around it. There the producer is in the reader's run, elsewhere
in its last. `carried` counts back one run of the innermost loop that holds reader and producer (or of one further out),
or of the repeat where an instruction reads itself. What wrote a memory in another loop is the last run that wrote what
is read, not the last. What is written out before and after a loop counts as further runs of what is in the loop.
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
        itself = np.arange(len(flow))
        named = self._row_of(flow["stands_for"].astype(np.int64))
        self.pattern = np.where(named < 0, itself, named)
        depth = self.chains.depth
        self.malformed_rows = (named == _NO_SUCH_ROW) | ((self.pattern != itself) & (depth[self.pattern] != depth + 1))

    def deviates(self, found: Longs, name: str, *, by_address: bool = False) -> Bools:
        """[n]: which events find another producer than the flow's column `name` means.

        `found` holds events. With `by_address` a producer in a loop that does not hold the reader may be in any run.
        """
        linked, meant = self.linked, self.flow[name]
        row = linked.row.astype(np.int64)
        first, carried = (self._row_of(meant[which].astype(np.int64))[row] for which in ("first", "carried"))
        event = np.flatnonzero((first != NO_PRODUCER) | (carried != NO_PRODUCER) | (found >= 0))
        row, first, carried, found = row[event], first[event], carried[event], found[event]
        reader, ahead = self.pattern[row], meant["ahead"].astype(np.int64)[row]
        run = self._runs(event)
        place = np.full(len(event), -1, np.int64)
        place[carried >= 0] = self.chains.carrying_place(reader[carried >= 0], carried[carried >= 0])
        place -= np.where(place >= 0, meant["around"].astype(np.int64)[row], 0)
        goes_back = (place >= 0) & (np.take_along_axis(run, np.maximum(place, 0)[:, None], axis=1)[:, 0] > 0)
        producer = np.where(goes_back, carried, first)
        back = goes_back[:, None] & (np.arange(NUM_LEVELS) == place[:, None])
        shared = self.chains.shared(reader, np.maximum(producer, 0))
        last = self._last_runs(np.maximum(producer, 0))
        innermost = np.arange(NUM_LEVELS) == (shared.sum(axis=1) - 1)[:, None]
        run_meant = np.where(shared, np.minimum(run - back + innermost * ahead[:, None], last), last)
        in_run = (self._runs(np.maximum(found, 0)) == run_meant) | (~shared & by_address)
        right = (found >= 0) & (self.pattern[linked.row[found]] == producer) & in_run.all(axis=1)
        malformed = (carried == _NO_SUCH_ROW) | ((carried >= 0) & (place < 0)) | self.malformed_rows[row]
        bad = np.zeros(len(linked), np.bool_)
        bad[event] = malformed | ~np.where(producer == NO_PRODUCER, found < 0, right)
        return bad

    def _runs(self, event: Longs) -> Longs:
        """[k, 4]: the run of each level that the events are in, by place from the outermost."""
        row, iteration = self.linked.row[event].astype(np.int64), self.linked.iteration[event].astype(np.int64)
        level, place = self.chains.level[row], np.arange(NUM_LEVELS)
        in_loops = np.where(level > 0, np.take_along_axis(iteration, np.maximum(level, 0), axis=1), 0)
        depth = self.chains.depth[self.pattern[row]][:, None]  # of a written out run: one more than is around it
        token = np.where(place == depth - 1, self.flow["token"].astype(np.int64)[row, None], 0)
        return in_loops + token + np.where(place == depth, iteration[:, :1], 0)

    @cached_property
    def _last_token(self) -> Longs:
        """[m]: the last run of the innermost loop around each row, what is written out of it counted."""
        if self.linked.rolled is not None:
            return self.linked.rolled.last_kept
        rows = np.arange(len(self.flow))
        runs = np.where(self.chains.depth > 0, self.linked.rows.runs[:, 1], 1)
        last = np.zeros(len(rows), np.int64)
        written_out = self.pattern != rows
        tokens = self.flow["token"] + np.where(written_out, 0, runs - 1)
        np.maximum.at(last, self.pattern, tokens)
        return last

    def _last_runs(self, row: Longs) -> Longs:
        """[k, 4]: the last run of each level of the rows, by place from the outermost."""
        last = self.chains.inwards(self.linked.rows.runs, row, 1) - 1
        innermost = np.arange(NUM_LEVELS) == (self.chains.depth[row] - 1)[:, None]
        return np.where(innermost, self._last_token[row][:, None], last)

    def _row_of(self, instruction: Longs) -> Longs:
        """The row that each instruction id names, NO_PRODUCER for none, _NO_SUCH_ROW for no row of the program."""
        rows = self.linked.rows
        ids = (rows.queue << QUEUE_SHIFT) | rows.entry
        row = np.searchsorted(ids, instruction)
        row = np.where(ids[np.minimum(row, len(ids) - 1)] == instruction, row, _NO_SUCH_ROW)
        return np.where(instruction == NO_PRODUCER, NO_PRODUCER, row)
