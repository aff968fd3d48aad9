"""The least and the most of figures, with every uncertain leaf at one of its ends, in base units.

For a leaf that moves a figure one way only, its end follows from the formulas (`waterclock.silicon.directions`). For
those that work both ways ends are searched, from what each does alone and from the ends of other figures, such as the
inputs of a maximum: not proven to be the most, but what tests draw stays inside.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from waterclock.silicon.directions import BOTH, Signs, directions
from waterclock.silicon.evaluation import evaluated, in_order, leaves_of
from waterclock.silicon.figure import Figure, Values

ROUNDING = 1e-12
"""What is larger by less is so by the rounding of floats."""
Bounds = Mapping[Figure, tuple[float, float]]
Moved = Mapping[Figure, Values]
Height = Callable[[Moved], Values]


@dataclass(frozen=True, eq=False)
class Corners:
    """Of the named figures of an order, inputs first. `alone` has each figure where all leaves are typical, then where
    each uncertain one alone is at its low and at its high."""

    order: Sequence[Figure]
    uncertain: Sequence[Figure]
    alone: Mapping[Figure, Values]

    @cached_property
    def ends(self) -> Mapping[Figure, tuple[float, float]]:
        found = evaluated(self.order, self._one_way, 2 * len(self._named))
        ends = {figure: found[figure][[i, i + len(self._named)]] for i, figure in enumerate(self._named)}
        ends |= self._searched([i for i in range(len(self._named)) if BOTH in self._signs[i]])
        return {figure: (float(low), float(high)) for figure, (low, high) in ends.items()}

    @cached_property
    def _named(self) -> Sequence[Figure]:
        return [figure for figure in self.order if figure.name]

    @cached_property
    def _directions(self) -> Mapping[Figure, Signs]:
        typical = {figure: float(values[0]) for figure, values in self.alone.items()}
        return directions(self.order, self.uncertain, typical)

    @cached_property
    def _signs(self) -> Signs:
        """Of named figures and leaves."""
        return np.array([self._directions[figure] for figure in self._named])

    @cached_property
    def _bounds(self) -> Mapping[Figure, tuple[float, float]]:
        return {
            leaf: (origin.low * leaf.unit.factor, origin.high * leaf.unit.factor)
            for leaf, origin in leaves_of(self.uncertain)
        }

    @cached_property
    def _one_way(self) -> dict[Figure, Values]:
        """Every leaf at the end that lowers each named figure, then at that which raises each; where it does both, at
        what does so alone."""
        alone = np.array([self.alone[figure] for figure in self._named])
        moved: dict[Figure, Values] = {}
        for i, (leaf, (low, high)) in enumerate(self._bounds.items()):
            tried, ends = alone[:, [0, 1 + 2 * i, 2 + 2 * i]], np.array([self.alone[leaf][0], low, high])
            falls, rises = self._signs[:, i] == -1, self._signs[:, i] == 1
            least = np.select([rises, falls], [low, high], ends[tried.argmin(axis=1)])
            most = np.select([rises, falls], [high, low], ends[tried.argmax(axis=1)])
            moved[leaf] = np.concatenate([least, most])
        return moved

    def _searched(self, chosen: Sequence[int]) -> dict[Figure, Values]:
        """The ends of those named figures that some leaves move both ways."""
        if not chosen:
            return {}
        own = [self._named[i] for i in chosen]
        places = np.array([*chosen, *(i + len(self._named) for i in chosen)], np.intp)
        twofold = (self._signs[list(chosen)] == BOTH).any(axis=0)
        bounds = {leaf: both for (leaf, both), yes in zip(self._bounds.items(), twofold, strict=True) if yes}
        start = {leaf: values[places] for leaf, values in self._one_way.items()}
        changing = [one for one in in_order(own) if one not in start and np.any(self._directions[one][twofold])]
        still = evaluated(self.order, start, len(places))
        for figure in changing:
            del still[figure]
        side = np.repeat([-1.0, 1.0], len(own))

        def height(moved: Moved) -> Values:
            found = evaluated(changing, {**still, **moved}, len(places))
            return side * np.array([found[figure][place] for place, figure in enumerate(own * 2)])

        ends = side * _highest(bounds, start, height)
        return {figure: ends[[place, place + len(own)]] for place, figure in enumerate(own)}


def _highest(bounds: Bounds, start: Moved, height: Height) -> Values:
    """Each place climbs, then begins anew where that of another is best for it, until no place gets higher by that."""
    state, best = _climbed(bounds, start, height)
    while True:
        other, reached = _climbed(bounds, state | _best_of_others(bounds, state, height), height)
        higher = reached > best + ROUNDING * abs(best)
        if not higher.any():
            return best
        best = np.where(higher, reached, best)
        state = {leaf: np.where(higher, other[leaf], values) for leaf, values in state.items()}


def _best_of_others(bounds: Bounds, state: Moved, height: Height) -> dict[Figure, Values]:
    """For each place the leaves of another that raise it most, whether they do or not."""
    found = {leaf: state[leaf] for leaf in bounds}
    best = np.full_like(height(state), -np.inf)
    for place in range(best.size):
        tried = {leaf: np.full_like(best, state[leaf][place]) for leaf in bounds}
        reached = height({**state, **tried})
        higher = (reached > best) & (np.arange(best.size) != place)
        found = {leaf: np.where(higher, tried[leaf], values) for leaf, values in found.items()}
        best = np.where(higher, reached, best)
    return found


def _climbed(bounds: Bounds, start: Moved, height: Height) -> tuple[dict[Figure, Values], Values]:
    """Leaves, and the height that is reached where one after the other moves to an end for as long as that raises; each
    place climbs by itself."""
    state, best, is_higher = dict(start), height(start), True
    while is_higher:
        is_higher = False
        for leaf, end in ((leaf, end) for leaf, both in bounds.items() for end in both):
            found = height({**state, leaf: np.full_like(best, end)})
            higher = found > best + ROUNDING * abs(best)
            state[leaf] = np.where(higher, end, state[leaf])
            best = np.where(higher, found, best)
            is_higher = is_higher or bool(higher.any())
    return state, best
