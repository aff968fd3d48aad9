"""Which way each leaf moves each figure: up, down, not at all, or both ways by different paths.

Found from the formulas, by the rules of differentiation: a maximum rises with each of its inputs, also with one that is
not the largest while all are typical. Factors are taken to keep the sign that they have while all leaves are typical.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from waterclock.silicon.figure import Figure, Formula, Operator

Signs = npt.NDArray[np.int8]
"""For each leaf: 1 up, -1 down, 0 not at all, BOTH."""
BOTH = 2


def directions(
    order: Sequence[Figure], leaves: Sequence[Figure], typical: Mapping[Figure, float]
) -> Mapping[Figure, Signs]:
    """Of all figures, inputs before what they go into."""
    place = {figure: i for i, figure in enumerate(leaves)}
    found: dict[Figure, Signs] = {}
    for figure in order:
        if isinstance(figure.origin, Formula):
            found[figure] = _of_formula(figure.origin, found, typical)
            continue
        found[figure] = np.zeros(len(leaves), np.int8)
        if figure in place:
            found[figure][place[figure]] = 1
    return MappingProxyType(found)


def _of_formula(formula: Formula, found: Mapping[Figure, Signs], typical: Mapping[Figure, float]) -> Signs:
    """What the inputs do, each turned as the operator turns it."""
    turns = _TURNS[formula.operator]([typical[one] for one in formula.inputs])
    signs = [_turned(found[one], turn) for one, turn in zip(formula.inputs, turns, strict=True)]
    return signs[0] if len(signs) == 1 else _together(*signs)


def _turned(signs: Signs, turn: int) -> Signs:
    return np.where(signs == BOTH, BOTH, signs * turn).astype(np.int8)


def _together(a: Signs, b: Signs) -> Signs:
    """Both at once: one that does nothing leaves the other, two that differ are both."""
    return np.where(a == 0, b, np.where((b == 0) | (a == b), a, BOTH)).astype(np.int8)


def _sign(value: float) -> int:
    return -1 if value < 0 else 1


_Turns = Callable[[Sequence[float]], tuple[int, ...]]
_TURNS: Mapping[Operator, _Turns] = MappingProxyType({
    Operator.ADD: lambda x: (1, 1),
    Operator.SUB: lambda x: (1, -1),
    Operator.MUL: lambda x: (_sign(x[1]), _sign(x[0])),
    Operator.DIV: lambda x: (_sign(x[1]), -_sign(x[0])),
    Operator.POW: lambda x: (_sign(x[1]), _sign(x[0] - 1)),
    Operator.EXP: lambda x: (1,),
    Operator.SQRT: lambda x: (1,),
    Operator.FLOOR: lambda x: (1,),
    Operator.CEIL: lambda x: (1,),
    Operator.MAXIMUM: lambda x: (1, 1),
    Operator.MINIMUM: lambda x: (1, 1),
})  # fmt: skip
"""The signs of an operator's derivatives, from its inputs; a base is positive."""
