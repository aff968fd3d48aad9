"""A sheet: figures, computed at once, each with its interval and with what moves it.

**What an interval means.** Every uncertain leaf lies between its low and its high. A figure's low is its value where
each leaf stands at the end that makes the figure smallest, all at once; its high the same for the largest. Which end
that is, follows from the formulas (`waterclock.silicon.directions`); leaves that work both ways are moved from end to
end, one after the other, until none of them alone makes it smaller. A leaf that a formula uses twice moves as one, so
x - x is 0. For figures that rise or fall with each leaf this is the exact range, and it contains the figure for every
combination; for the others tests draw combinations and find each inside. Nothing is assumed of
how likely that is, or of independence. `likely` says how much narrower a figure would be if all erred independently.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from waterclock.errors import InputError
from waterclock.silicon.corners import climbed
from waterclock.silicon.directions import BOTH, Signs, directions
from waterclock.silicon.figure import Figure, Formula, Leaf, Values, shown
from waterclock.silicon.likely import NUM_DRAWS, drawn, likely


@dataclass(frozen=True)
class Interval:
    """A figure's bounds, in its unit."""

    low: float
    typical: float
    high: float


@dataclass(frozen=True)
class Swing:
    """What one leaf does to a figure: the figure with the leaf at its low and at its high, the others typical."""

    leaf: Figure
    at_low: float
    at_high: float

    @property
    def width(self) -> float:
        return abs(self.at_high - self.at_low)


class Sheet:
    """Figures and all that they come from."""

    def __init__(self, figures: Iterable[Figure]) -> None:
        """ValueError where two figures have one name."""
        self.figures = tuple(figures)
        self._order = _in_order(self.figures)
        self.by_name: Mapping[str, Figure] = _by_name(self._order)

    def __getitem__(self, name: str) -> Figure:
        """The figure of this name, however deep. InputError if there is none."""
        if name not in self.by_name:
            raise InputError(f"--why {name}: no such figure{closest(name, self.by_name)}")
        return self.by_name[name]

    @property
    def leaves(self) -> tuple[Figure, ...]:
        """What all figures come from in the end."""
        return tuple(figure for figure in self._order if isinstance(figure.origin, Leaf))

    @cached_property
    def uncertain(self) -> tuple[Figure, ...]:
        return tuple(figure for figure, origin in _leaves(self.leaves) if origin.low < origin.high)

    def interval(self, figure: Figure) -> Interval:
        low, high = self._ends[figure]
        alone = self._alone[figure] / figure.unit.factor
        return Interval(min(low, alone.min()), float(alone[0]), max(high, alone.max()))

    def likely(self, figure: Figure) -> tuple[float, float]:
        """Between which values a figure lies in most draws, if its leaves err independently; within its interval."""
        interval = self.interval(figure)
        low, high = likely(self._draws[figure] / figure.unit.factor)
        return max(low, interval.low), min(high, interval.high)

    def swings(self, figure: Figure) -> list[Swing]:
        """Every uncertain leaf that moves the figure, the one that moves it most first."""
        alone = self._alone[figure] / figure.unit.factor
        swings = [Swing(one, float(alone[1 + 2 * i]), float(alone[2 + 2 * i])) for i, one in enumerate(self.uncertain)]
        return sorted((s for s in swings if s.width), key=lambda s: (-s.width, s.leaf.name))

    def why(self, name: str) -> Iterator[tuple[int, Figure, bool]]:
        """A figure and everything below it: depth, figure, and whether it was there before (and is not opened)."""
        seen: set[Figure] = set()
        stack = [(0, self[name])]
        while stack:
            depth, figure = stack.pop()
            yield depth, figure, figure in seen
            if figure not in seen:
                seen.add(figure)
                stack += [(depth + 1, one) for one in reversed(parents(figure))]

    @cached_property
    def _alone(self) -> Mapping[Figure, Values]:
        """In base units: typical, then each uncertain leaf at its low and at its high."""
        moved: dict[Figure, Values] = {}
        for i, (figure, origin) in enumerate(_leaves(self.uncertain)):
            values = np.full(1 + 2 * len(self.uncertain), origin.typical, np.float64)
            values[1 + 2 * i], values[2 + 2 * i] = origin.low, origin.high
            moved[figure] = values * figure.unit.factor
        return self._computed(moved, 1 + 2 * len(self.uncertain))

    @cached_property
    def _ends(self) -> Mapping[Figure, tuple[float, float]]:
        """Of each named figure, in its unit, its least and its most."""
        named = [figure for figure in self._order if figure.name]
        typical = {figure: float(values[0]) for figure, values in self._alone.items()}
        found_signs = directions(self._order, self.uncertain, typical)
        signs = np.array([found_signs[figure] for figure in named])
        moved = self._corners(named, signs)
        found = self._computed(moved, 2 * len(named))
        ends = {figure: found[figure][[i, i + len(named)]] for i, figure in enumerate(named)}
        ends |= self._climbed([i for i in range(len(named)) if BOTH in signs[i]], named, signs, moved)
        return {
            figure: (float(low / figure.unit.factor), float(high / figure.unit.factor))
            for figure, (low, high) in ends.items()
        }

    def _corners(self, named: Sequence[Figure], signs: Signs) -> dict[Figure, Values]:
        """Every leaf at the end that lowers each of these figures, then at that which raises each; where it does both,
        at what does so alone."""
        alone = np.array([self._alone[figure] for figure in named])
        moved: dict[Figure, Values] = {}
        for i, (figure, origin) in enumerate(_leaves(self.uncertain)):
            ends = np.array([origin.typical, origin.low, origin.high]) * figure.unit.factor
            tried = alone[:, [0, 1 + 2 * i, 2 + 2 * i]]
            falls, rises = signs[:, i] == -1, signs[:, i] == 1
            least = np.select([rises, falls], [ends[1], ends[2]], ends[tried.argmin(axis=1)])
            most = np.select([rises, falls], [ends[2], ends[1]], ends[tried.argmax(axis=1)])
            moved[figure] = np.concatenate([least, most])
        return moved

    def _climbed(
        self, chosen: Sequence[int], named: Sequence[Figure], signs: Signs, corners: Mapping[Figure, Values]
    ) -> dict[Figure, Values]:
        """The ends, in base units, of those figures that some leaves move both ways."""
        places = np.array([*chosen, *(i + len(named) for i in chosen)], np.intp)
        side = np.repeat([-1.0, 1.0], len(chosen))
        own = [named[i] for i in chosen] * 2
        twofold = [one for i, one in enumerate(_leaves(self.uncertain)) if (signs[list(chosen), i] == BOTH).any()]

        def height(moved: Mapping[Figure, Values]) -> Values:
            found = self._computed(moved, len(own))
            return side * np.array([found[figure][place] for place, figure in enumerate(own)])

        ends = side * climbed(twofold, {leaf: values[places] for leaf, values in corners.items()}, height)
        return {named[i]: ends[[place, place + len(chosen)]] for place, i in enumerate(chosen)}

    def sampled(self, fraction_by_leaf: Mapping[str, Values]) -> Mapping[str, Values]:
        """All figures by name, in their units, with leaves at these fractions between low and high (typical if not
        named): what intervals are checked with."""
        found = self._at(fraction_by_leaf, len(next(iter(fraction_by_leaf.values()))))
        return {name: found[figure] / figure.unit.factor for name, figure in self.by_name.items()}

    @cached_property
    def _draws(self) -> Mapping[Figure, Values]:
        return self._at({figure.name: drawn(figure) for figure in self.uncertain}, NUM_DRAWS)

    def _at(self, fraction_by_leaf: Mapping[str, Values], num_samples: int) -> Mapping[Figure, Values]:
        """In base units."""
        moved = {
            figure: (origin.low + fraction_by_leaf[figure.name] * (origin.high - origin.low)) * figure.unit.factor
            for figure, origin in _leaves(self.uncertain)
            if figure.name in fraction_by_leaf
        }
        return self._computed(moved, num_samples)

    def _computed(self, moved: Mapping[Figure, Values], num_values: int) -> Mapping[Figure, Values]:
        """Every figure in base units, given the leaves that are not typical."""
        found: dict[Figure, Values] = dict(moved)
        for figure in self._order:
            if figure in found:
                continue
            if isinstance(figure.origin, Leaf):
                found[figure] = np.full(num_values, figure.origin.typical * figure.unit.factor, np.float64)
            else:
                found[figure] = _applied(figure, figure.origin, [found[one] for one in figure.origin.inputs])
        return found


def parents(figure: Figure) -> list[Figure]:
    """The named figures and leaves that a figure's formula is over, each once; numbers in formulas left out."""
    if isinstance(figure.origin, Leaf):
        return []
    found: dict[Figure, None] = {}
    for one in figure.origin.inputs:
        for parent in [one] if one.name else parents(one):
            found[parent] = None
    return [one for one in found if not one.name.lstrip("-").isdigit()]


def explained(figure: Figure) -> str:
    """One line of where a figure is from: its formula, or its source and how well it is founded."""
    if isinstance(figure.origin, Leaf):
        return f"[{figure.origin.confidence}] {figure.origin.source}"
    return f"= {shown(figure)}"


def _applied(figure: Figure, formula: Formula, inputs: Sequence[Values]) -> Values:
    """InputError where a number is divided by 0 or too large, as constants of the user may make it."""
    try:
        with np.errstate(divide="raise", invalid="raise", over="raise"):
            return formula.operator.apply(*inputs)
    except FloatingPointError as error:
        raise InputError(f"{figure.name or shown(figure)}: can't be computed with these constants: {error}") from None


def _leaves(figures: Sequence[Figure]) -> Iterator[tuple[Figure, Leaf]]:
    for figure in figures:
        if isinstance(figure.origin, Leaf):
            yield figure, figure.origin


def _in_order(figures: Iterable[Figure]) -> tuple[Figure, ...]:
    """All figures below these and these, inputs first."""
    order: dict[Figure, None] = {}
    stack = [(figure, False) for figure in reversed(tuple(figures))]
    while stack:
        figure, is_open = stack.pop()
        if figure in order:
            continue
        if is_open or not isinstance(figure.origin, Formula):
            order[figure] = None
            continue
        stack.append((figure, True))
        stack += [(one, False) for one in reversed(figure.origin.inputs)]
    return tuple(order)


def _by_name(order: Iterable[Figure]) -> Mapping[str, Figure]:
    found: dict[str, Figure] = {}
    for figure in order:
        if not figure.name or figure.name.isdigit():
            continue
        if figure.name in found:
            raise ValueError(f"{figure.name}: two figures have this name")
        found[figure.name] = figure
    return found


def closest(name: str, names: Iterable[str]) -> str:
    """What may have been meant, to add to a refusal."""
    from difflib import get_close_matches

    close = get_close_matches(name, list(names), n=3, cutoff=0.4)
    return f"; did you mean {' or '.join(close)}?" if close else ""
