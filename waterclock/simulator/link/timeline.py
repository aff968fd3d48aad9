"""Which write a register shows at a time: the question behind streams, holds, accumulators, memories and parameters."""

import numpy as np

from waterclock.simulator.link.linked import Bools, Ints, Longs


class Timeline:
    """Writes of registers, each by an event: k of them, in any order.

    `register` is any number >= 0 that names a register, `time` the place >= 0 of the write in that register's history.
    """

    def __init__(self, register: Longs, time: Longs, event: Longs | Ints) -> None:
        self.span = int(time.max(initial=0)) + 1
        key = register * self.span + time
        order = np.argsort(key, kind="stable")
        self.key = key[order]
        self.event = event[order].astype(np.int64)

    def latest(self, register: Longs, time: Longs) -> Longs:
        """The event of the last write of each register at or before a time; -1 where there is none."""
        if not len(self.key):
            return np.full(len(register), -1, np.int64)
        wanted = register * self.span + np.minimum(time, self.span - 1)
        place = np.searchsorted(self.key, wanted, side="right") - 1
        found = (place >= 0) & (self.key[place] // self.span == register)
        return np.where(found, self.event[place], -1)

    def doubles(self) -> Longs:
        """The events that write a register at a time at which an event before them does."""
        same: Bools = self.key[1:] == self.key[:-1]
        return np.maximum(self.event[1:], self.event[:-1])[same]
