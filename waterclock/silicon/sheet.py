"""A sheet: figures, computed at once, each with its interval and with what moves it.

**What an interval means.** Every uncertain leaf lies between its low and its high. A figure's low is its value where
each leaf stands at the end that makes the figure smallest, all at once; its high the same for the largest. Which end
that is, follows from the formulas (`waterclock.silicon.directions`); for leaves that work both ways their ends are
searched (`waterclock.silicon.corners`). A leaf that a formula uses twice moves as one, so
x - x is 0. For figures that rise or fall with each leaf this is the exact range, and it contains the figure for every
combination; for the others tests draw combinations and find each inside. Nothing is assumed of
how likely that is, or of independence. `likely` says how much narrower a figure would be if all erred independently.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from waterclock.errors import InputError
from waterclock.silicon.corners import Corners
from waterclock.silicon.evaluation import evaluated, in_order, leaves_of
from waterclock.silicon.figure import Figure, Leaf, Values, is_number, shown
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
        self._order = in_order(self.figures)
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
        return tuple(figure for figure, origin in leaves_of(self.leaves) if origin.low < origin.high)

    def interval(self, figure: Figure) -> Interval:
        low, high = self._ends[figure]
        alone = self._alone[figure]
        bounds = (float(min(low, alone.min())), float(alone[0]), float(max(high, alone.max())))
        return Interval(*(bound / figure.unit.factor for bound in bounds))

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
        for i, (figure, origin) in enumerate(leaves_of(self.uncertain)):
            values = np.full(1 + 2 * len(self.uncertain), origin.typical, np.float64)
            values[1 + 2 * i], values[2 + 2 * i] = origin.low, origin.high
            moved[figure] = values * figure.unit.factor
        return evaluated(self._order, moved, 1 + 2 * len(self.uncertain))

    @cached_property
    def _ends(self) -> Mapping[Figure, tuple[float, float]]:
        return Corners(self._order, self.uncertain, self._alone).ends

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
            for figure, origin in leaves_of(self.uncertain)
            if figure.name in fraction_by_leaf
        }
        return evaluated(self._order, moved, num_samples)


def parents(figure: Figure) -> list[Figure]:
    """The named figures and leaves that a figure's formula is over, each once; numbers in formulas left out."""
    if isinstance(figure.origin, Leaf):
        return []
    found: dict[Figure, None] = {}
    for one in figure.origin.inputs:
        for parent in [one] if one.name else parents(one):
            found[parent] = None
    return [one for one in found if not is_number(one)]


def explained(figure: Figure) -> str:
    """One line of where a figure is from: its formula, or its source and how well it is founded."""
    if isinstance(figure.origin, Leaf):
        return f"[{figure.origin.confidence}] {figure.origin.source}"
    return f"= {shown(figure)}"


def _by_name(order: Iterable[Figure]) -> Mapping[str, Figure]:
    found: dict[str, Figure] = {}
    for figure in order:
        if not figure.name or is_number(figure):
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
