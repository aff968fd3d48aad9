"""Links: matvecs of one accumulator that are done together.

Products of ReRAM tiles that follow one another on an accumulator become one call, in the place of the last: nothing can
look at an accumulator in between, and what ReRAM holds does not change in a launch.
"""

import numpy as np

from waterclock.simulator.machine.columns import Bools, Columns, Longs
from waterclock.simulator.machine.kernels.products import ACC_SHIFT, EMIT, FIRST


def chains(columns: Columns, can_be_linked: Bools, extra: Longs) -> list[list[int]]:
    """Events, by number, that are done together, each chain in order and all by their last: they add to one
    accumulator, and only the last may drive it."""
    pending: dict[int, list[int]] = {}
    found: list[list[int]] = []
    matvecs = columns.where(lambda row: row.field("acc") is not None)
    for event in np.flatnonzero(matvecs).tolist():
        acc, flags = int(extra[event]) >> ACC_SHIFT, int(extra[event])
        before = pending.pop(acc, [])
        if not can_be_linked[event]:
            found.append(before)
            continue
        if flags & FIRST:
            found.append(before)
            before = []
        pending[acc] = [*before, event]
        if flags & EMIT:
            found.append(pending.pop(acc))
    return sorted((chain for chain in [*found, *pending.values()] if chain), key=lambda chain: chain[-1])


def flags_of(extra: Longs, chain: list[int]) -> int:
    """Whether a chain begins its accumulator, as its first event says; the rest is as its last one says."""
    return (int(extra[chain[-1]]) & ~FIRST) | (int(extra[chain[0]]) & FIRST)
