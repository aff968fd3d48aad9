"""Figures computed, many values at once, in base units."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from waterclock.errors import InputError
from waterclock.silicon.figure import Figure, Formula, Leaf, Values, shown


def in_order(figures: Iterable[Figure]) -> tuple[Figure, ...]:
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


def leaves_of(figures: Iterable[Figure]) -> Iterator[tuple[Figure, Leaf]]:
    for figure in figures:
        if isinstance(figure.origin, Leaf):
            yield figure, figure.origin


def evaluated(order: Sequence[Figure], given: Mapping[Figure, Values], num_values: int) -> dict[Figure, Values]:
    """These figures, inputs first, and what is given of them or of their inputs; leaves that are not are typical.

    InputError where a number is divided by 0 or too large, as constants of the user may make it.
    """
    found: dict[Figure, Values] = dict(given)
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        for figure in order:
            if figure not in found:
                found[figure] = _value(figure, found, num_values)
    return found


def _value(figure: Figure, found: Mapping[Figure, Values], num_values: int) -> Values:
    origin = figure.origin
    if isinstance(origin, Leaf):
        return np.full(num_values, origin.typical * figure.unit.factor, np.float64)
    try:
        return origin.operator.apply(*(found[one] for one in origin.inputs))
    except FloatingPointError as error:
        raise InputError(f"{figure.name or shown(figure)}: can't be computed with these constants: {error}") from None
