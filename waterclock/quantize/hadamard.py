"""Blockwise Hadamard transforms of weights, in float64: what is folded in is rounded once, to float32, at the end."""

import numpy as np
from numpy.typing import NDArray

from waterclock.quantize.rewrite import float64_of


def largest_block(size: int) -> int:
    """The largest power of two that divides a dimension."""
    return size & -size


def transform(x: NDArray[np.float64], block: int) -> NDArray[np.float64]:
    """The Walsh-Hadamard transform of each block of the last axis, in natural order, not normalised."""
    columns = np.ascontiguousarray(x.reshape(-1, block).T)
    stride = block // 2
    while stride > 0:
        low, high = columns.reshape(-1, 2, stride, columns.shape[1]).swapaxes(0, 1)
        low[:], high[:] = low + high, low - high
        stride //= 2
    return columns.T.reshape(x.shape)


def rotate_inputs(weight: NDArray[np.generic], block: int) -> NDArray[np.float32]:
    """W Q for the orthogonal, symmetric Q = H / sqrt(block) on each block of the input axis: (W Q)(Q x) = W x."""
    return (transform(float64_of(weight), block) / np.sqrt(block)).astype(np.float32)


def rotate_outputs(weight: NDArray[np.generic], block: int) -> NDArray[np.float32]:
    """Q W: the output comes out rotated."""
    return np.ascontiguousarray(rotate_inputs(np.ascontiguousarray(weight.T), block).T)


def invert_inputs(weight: NDArray[np.generic], block: int) -> NDArray[np.float32]:
    """W H / block, so that (W H / block)(H x) = W x for an unnormalised run-time transform of x."""
    return (transform(float64_of(weight), block) / block).astype(np.float32)
