"""Corners of intervals: leaves at ends from which none of them alone makes a figure smaller or larger still."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from waterclock.silicon.figure import Figure, Leaf, Values

ROUNDING = 1e-12
"""What is larger by less is so by the rounding of floats."""


def climbed(
    leaves: Sequence[tuple[Figure, Leaf]],
    start: Mapping[Figure, Values],
    height: Callable[[Mapping[Figure, Values]], Values],
) -> Values:
    """The heights that are reached from values of leaves, by moving one leaf after the other to an end, for as long as
    that raises. Each place of `start` climbs by itself; all are in base units."""
    state, best, is_higher = dict(start), height(start), True
    while is_higher:
        is_higher = False
        for leaf, origin in leaves:
            for end in (origin.low, origin.high):
                tried = {**state, leaf: np.full_like(best, end * leaf.unit.factor)}
                found = height(tried)
                higher = found > best + ROUNDING * abs(best)
                state[leaf] = np.where(higher, tried[leaf], state[leaf])
                best = np.where(higher, found, best)
                is_higher = is_higher or bool(higher.any())
    return best
