"""Figures: numbers that know their unit and where they come from.

A figure is a leaf, which has a source, or a formula over other figures. Formulas are built with the usual operators, so
that what is shown of one can't differ from what is computed. Dimensions are checked when a formula is built: one that
adds bits to joules never comes to be. Numbers in formulas are whole; anything else is a leaf.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from waterclock.silicon.units import PLAIN, Unit, base_unit, unit

Values = npt.NDArray[np.float64]


class Confidence(StrEnum):
    """How well a leaf is founded."""

    EXACT = "exact"
    """A field of a chip, a count of a program, a definition, or what the user asked about."""
    SOURCED = "sourced"
    """A publication says so."""
    DERIVED = "derived"
    """Arithmetic on what publications say."""
    REMEMBERED = "remembered"
    """Said to be published, not looked up."""
    ASSUMPTION = "assumption"
    """Nobody says so."""


@dataclass(frozen=True)
class Leaf:
    """A number with its bounds, in the unit of its figure."""

    low: float
    typical: float
    high: float
    source: str
    confidence: Confidence

    def __post_init__(self) -> None:
        if not self.low <= self.typical <= self.high:
            raise ValueError(f"{self}: low, typical and high must be in order")


@dataclass(frozen=True)
class Formula:
    """An operation on other figures."""

    operator: "Operator"
    inputs: tuple["Figure", ...]


@dataclass(frozen=True, eq=False)
class Figure:
    """A number with a unit and a parent; without a name it is a part of a formula. Figures are told apart by identity:
    one that is used twice moves as one."""

    name: str
    meaning: str
    unit: Unit
    origin: Leaf | Formula

    def named(self, name: str, unit_text: str, meaning: str) -> "Figure":
        """The same number under a name. ValueError if the unit is not of its dimension."""
        chosen = unit(unit_text)
        if chosen.dimension != self.unit.dimension:
            raise ValueError(f"{name}: is in {self.unit}, which is never {chosen}")
        return replace(self, name=name, unit=chosen, meaning=meaning)

    @property
    def typical(self) -> float:
        """Of a leaf, in its unit. ValueError for a formula, which only a sheet computes."""
        if not isinstance(self.origin, Leaf):
            raise ValueError(f"{self.name}: is no leaf")
        return self.origin.typical

    def __add__(self, other: "Figure | int") -> "Figure":
        return combined(Operator.ADD, self, other)

    def __sub__(self, other: "Figure | int") -> "Figure":
        return combined(Operator.SUB, self, other)

    def __rsub__(self, other: int) -> "Figure":
        return combined(Operator.SUB, other, self)

    def __mul__(self, other: "Figure | int") -> "Figure":
        return combined(Operator.MUL, self, other)

    def __truediv__(self, other: "Figure | int") -> "Figure":
        return combined(Operator.DIV, self, other)

    def __rtruediv__(self, other: int) -> "Figure":
        return combined(Operator.DIV, other, self)

    def __pow__(self, other: "Figure | int") -> "Figure":
        return combined(Operator.POW, self, other)

    def __radd__(self, other: int) -> "Figure":
        return combined(Operator.ADD, other, self)

    def __rmul__(self, other: int) -> "Figure":
        return combined(Operator.MUL, other, self)


class Operator(Enum):
    """What formulas are made of: how it is written, how tightly it binds, what it does to values in base units."""

    ADD = (" + ", 1, np.add)
    SUB = (" - ", 1, np.subtract)
    MUL = (" * ", 2, np.multiply)
    DIV = (" / ", 2, np.divide)
    POW = ("^", 3, np.power)
    EXP = ("exp", 4, np.exp)
    SQRT = ("sqrt", 4, np.sqrt)
    FLOOR = ("floor", 4, np.floor)
    CEIL = ("ceil", 4, np.ceil)
    MAXIMUM = ("max", 4, np.maximum)
    MINIMUM = ("min", 4, np.minimum)

    def __init__(self, symbol: str, binding: int, apply: Callable[..., Values]) -> None:
        self.symbol, self.binding, self.apply = symbol, binding, apply

    @property
    def is_function(self) -> bool:
        return self.binding == _TIGHTEST


_TIGHTEST = 4
_SAME = {Operator.ADD, Operator.SUB, Operator.MAXIMUM, Operator.MINIMUM}
_OF_NUMBERS = {Operator.EXP, Operator.FLOOR, Operator.CEIL}


def leaf(
    name: str, meaning: str, unit_text: str, typical: float, source: str,
    confidence: Confidence = Confidence.EXACT, low: float | None = None, high: float | None = None,
) -> Figure:  # fmt: skip
    """A figure with a source; without bounds it is certain."""
    lowest, highest = (float(typical if bound is None else bound) for bound in (low, high))
    return Figure(name, meaning, unit(unit_text), Leaf(lowest, float(typical), highest, source, confidence))


def whole(value: int) -> Figure:
    """A number in a formula."""
    return leaf(str(value), "a number", PLAIN, value, "stands in the formula")


def is_number(figure: Figure) -> bool:
    """Whether a figure is a number in a formula: it has no name of its own and needs no source."""
    return figure.name.removeprefix("-").isdigit()


PI = leaf("pi", "half a turn", PLAIN, np.pi, "mathematics")


def exp(x: Figure) -> Figure:
    return combined(Operator.EXP, x)


def sqrt(x: Figure) -> Figure:
    return combined(Operator.SQRT, x)


def floor(x: Figure) -> Figure:
    return combined(Operator.FLOOR, x)


def ceil(x: Figure) -> Figure:
    return combined(Operator.CEIL, x)


def maximum(x: Figure, *others: Figure) -> Figure:
    for other in others:
        x = combined(Operator.MAXIMUM, x, other)
    return x


def minimum(x: Figure, y: Figure) -> Figure:
    return combined(Operator.MINIMUM, x, y)


def total(figures: Sequence[Figure]) -> Figure:
    """The sum; there must be at least one."""
    first, *rest = figures
    for figure in rest:
        first = first + figure
    return first


def combined(operator: Operator, *inputs: Figure | int) -> Figure:
    """A formula. ValueError where the dimensions of its inputs don't fit."""
    figures = tuple(whole(one) if isinstance(one, int) else one for one in inputs)
    return Figure("", "", base_unit(_dimension(operator, figures)), Formula(operator, figures))


def _dimension(operator: Operator, figures: Sequence[Figure]) -> Any:
    first, *rest = (figure.unit.dimension for figure in figures)
    plain = unit(PLAIN).dimension
    if (operator in _SAME and first != rest[0]) or (operator in _OF_NUMBERS and first != plain):
        units = " and ".join(str(figure.unit) or "a plain number" for figure in figures)
        raise ValueError(f"{operator.name.lower()} of {units}: the dimensions don't fit")
    if operator is Operator.MUL:
        return first * rest[0]
    if operator is Operator.DIV:
        return first / rest[0]
    if operator is Operator.SQRT:
        return first**0.5
    return _power(first, figures[1]) if operator is Operator.POW else first


def _power(dimension: Any, exponent: Figure) -> Any:
    """What has a dimension takes powers that are certain; a plain number any."""
    plain = unit(PLAIN).dimension
    if exponent.unit.dimension != plain:
        raise ValueError(f"power of {exponent.unit}: an exponent is a plain number")
    if dimension == plain:
        return plain
    if not isinstance(exponent.origin, Leaf) or exponent.origin.confidence is not Confidence.EXACT:
        raise ValueError("power of what has a unit: the exponent must be certain")
    return dimension**exponent.origin.typical


def shown(figure: Figure) -> str:
    """The formula of a figure, over the names of its inputs; of a leaf its source."""
    if isinstance(figure.origin, Leaf):
        return figure.origin.source
    return _text(figure.origin)


def _text(formula: Formula) -> str:
    operator, inputs = formula.operator, formula.inputs
    if operator.is_function:
        return f"{operator.symbol}({', '.join(_inside(one, 0) for one in inputs)})"
    left, right = inputs
    is_strict = operator in {Operator.SUB, Operator.DIV}
    own = operator.binding
    return f"{_inside(left, own)}{operator.symbol}{_inside(right, own + is_strict)}"


def _inside(figure: Figure, binding: int) -> str:
    if figure.name or isinstance(figure.origin, Leaf):
        return figure.name
    text = _text(figure.origin)
    return f"({text})" if figure.origin.operator.binding < binding else text
