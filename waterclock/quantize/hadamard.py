"""Blockwise Hadamard transforms of weights, in float64: what is folded in is rounded once, to float32, at the end."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from waterclock.quantize.compiled import compiled
from waterclock.quantize.rewrite import float32_of

Floats = NDArray[np.floating]


def largest_block(size: int) -> int:
    """The largest power of two that divides a dimension."""
    return size & -size


def transform(x: Floats, block: int, divisor: float = 1.0) -> Floats:
    """The Walsh-Hadamard transform of each block of the last axis, in natural order, divided by `divisor`: in float64,
    rounded once to the type of x."""
    result = np.empty(x.shape, x.dtype)
    _transform(np.ascontiguousarray(x).reshape(-1, block), divisor, result.reshape(-1, block))
    return result


@compiled
def _transform(rows: Any, divisor: float, result: Any) -> None:
    block = rows.shape[1]
    sums = np.empty(block, np.float64)
    for row in range(len(rows)):
        sums[:] = rows[row]
        stride = block // 2
        while stride > 0:
            for first in range(0, block, 2 * stride):
                for low in range(first, first + stride):
                    x, y = sums[low], sums[low + stride]
                    sums[low], sums[low + stride] = x + y, x - y
            stride //= 2
        result[row] = sums / divisor


def rotate_inputs(weight: NDArray[np.generic], block: int) -> NDArray[np.float32]:
    """W Q for the orthogonal, symmetric Q = H / sqrt(block) on each block of the input axis: (W Q)(Q x) = W x."""
    return transform(float32_of(weight), block, math.sqrt(block))


def rotate_outputs(weight: NDArray[np.generic], block: int) -> NDArray[np.float32]:
    """Q W: the output comes out rotated."""
    return np.ascontiguousarray(rotate_inputs(np.ascontiguousarray(weight.T), block).T)


def invert_inputs(weight: NDArray[np.generic], block: int) -> NDArray[np.float32]:
    """W H / block, so that (W H / block)(H x) = W x for an unnormalised run-time transform of x."""
    return transform(float32_of(weight), block, block)
