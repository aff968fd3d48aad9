"""Links: matvecs of one accumulator that are done together.

Up to three products of ReRAM tiles that follow one another on an accumulator become one call, in the place of the last:
nothing can look at an accumulator in between, and what ReRAM holds does not change in a launch.
"""

import numpy as np

from waterclock.simulator.machine.columns import Bools, Columns, Longs
from waterclock.simulator.machine.kernels.blocks import LINKS
from waterclock.simulator.machine.kernels.products import ACC_SHIFT, EMIT, FIRST, SRAM, UNSIGNED


def groups(columns: Columns, can_be_linked: Bools, extra: Longs, step: Longs) -> list[list[int]]:
    """Events, by number, that are done together, in order: two or three of them that add to one accumulator, with
    operands of one kind and tiles that step alike from run to run (`step`), only the last of which may drive it."""
    pending: dict[int, list[int]] = {}
    found: list[list[int]] = []
    matvecs = columns.where(lambda row: row.field("acc") is not None)
    for event in np.flatnonzero(matvecs).tolist():
        acc, flags = int(extra[event]) >> ACC_SHIFT, int(extra[event])
        before = pending.pop(acc, [])
        if not can_be_linked[event]:
            found.append(before)
            continue
        alike = before and not flags & FIRST and step[before[0]] == step[event]
        if not alike or (int(extra[before[0]]) ^ flags) & UNSIGNED:
            found.append(before)
            before = []
        group = [*before, event]
        if flags & EMIT or len(group) == LINKS:
            found.append(group)
        else:
            pending[acc] = group
    return [group for group in [*found, *pending.values()] if len(group) > 1]


def flags_of(extra: Longs, group: list[int]) -> int:
    """Whether a group begins its accumulator, as its first event says; the rest is as its last one says."""
    three = SRAM if len(group) == LINKS else 0  # no tile here is of SRAM: the bit says how many there are
    return (int(extra[group[-1]]) & ~(FIRST | SRAM)) | (int(extra[group[0]]) & FIRST) | three
