"""Tape: a flat list of kernel calls that does what a stretch of a launch does."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from waterclock.simulator.machine.ops import Ints
from waterclock.simulator.machine.stretches import Stretch

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tape:
    """A stretch as the loop runs it. Operation i is row i of `ops`; row i of `origin` has the queue, the entry and the
    cycle in run 0 of the event that it serves.

    Rows 0 .. len(constants) - 1 of the values hold a constant each, in every lane. `terms` has `TERM_COLUMNS`, with the
    operation instead of the event, in ascending order; its last row belongs to operation -1. `links` has
    `LINK_COLUMNS`, the links of all chains in order. `starts` has a row for each section, and one after the last:
    number of the first operation and of the first term. `num_slots` counts the writes of parts;
    the periods are the cycles from one run of a loop to the next.
    """

    stretch: Stretch
    ops: Ints
    starts: Ints
    links: Ints
    origin: Longs
    terms: Ints
    constants: Ints
    num_rows: int
    num_slots: int
    longest_chain: int
    inner_period: int
    outer_period: int
