"""Which fp32 operations an evaluation of a definition takes, and how many after one another."""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from waterclock.numerics import functions

OPERATIONS = {np.add: "add", np.subtract: "sub", np.multiply: "mul"}
TABLES = (functions.EXP2_SCALE, functions.RECIPROCAL_SEEDS, functions.RECIPROCAL_MULTIPLIER, functions.RECIPROCAL_SCALE,
          functions.RSQRT_MULTIPLIER, functions.RSQRT_SCALE)  # fmt: skip
IN_TABLES = np.concatenate(TABLES)


class Traced(np.ndarray):
    """An array that follows values through an evaluation: an fp32 operation is one deeper than the deeper of its
    operands; what is in a table is looked up, however it is computed."""

    done: ClassVar[list[tuple[str, int]]] = []
    depth_by_value: ClassVar[dict[int, int]] = {}

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **_: Any) -> Any:
        plain = [np.asarray(x) for x in inputs]
        result = getattr(ufunc, method)(*plain)
        if ufunc in OPERATIONS and result.dtype == np.float32 and result not in IN_TABLES:
            depth = 1 + max(self.depth_by_value.get(_word(x), 0) for x in plain)
            self.depth_by_value[_word(result)] = depth
            self.done.append((OPERATIONS[ufunc], depth))
        return result.view(Traced)

    def __array_function__(self, function: Any, _types: Any, arguments: Any, options: Any) -> Any:
        return function(*(np.asarray(x) for x in arguments), **options).view(Traced)


def _word(x: np.ndarray) -> int:
    return int(x.astype(np.float32).view(np.int32).flat[0])


def traced(function: Callable[[Any], Any], x: float) -> list[tuple[str, int]]:
    """Name and depth of every fp32 operation."""
    Traced.done.clear()
    Traced.depth_by_value.clear()
    function(np.array([x], np.float32).view(Traced))
    return list(Traced.done)
