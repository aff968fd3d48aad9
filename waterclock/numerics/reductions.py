"""Sums, maxima and Hadamard transforms whose order of operations is part of the definition.

A reduction is a halving tree over the elements of the logical vector, padded to a power of two n with a value that
changes nothing: for k = n/2 .. 1, x[i] <- x[i] op x[i ^ k]. The strides are element strides, largest first, so the bits
do not depend on how the vector is cut into lanes. Both operations commute bit for bit, hence every element ends with
the same result and the tree may be computed for element 0 alone.
"""

from collections.abc import Callable

import numpy as np

from waterclock.errors import InputError
from waterclock.numerics import fp32
from waterclock.numerics.jit import Fp32, Fp32Like, jitable

Combine = Callable[[Fp32Like, Fp32Like], Fp32]

ADD_PADDING = np.float32(-0.0)
MAX_PADDING = np.float32(-np.inf)


def reduce_add(x: Fp32) -> Fp32:
    """Sum over the last axis, [..., n] to [..., 1]."""
    return _reduce(fp32.add, x, ADD_PADDING)


def reduce_max(x: Fp32) -> Fp32:
    """Maximum over the last axis, [..., n] to [..., 1]."""
    return _reduce(fp32.maximum, x, MAX_PADDING)


def _reduce(combine: Combine, x: Fp32, padding: np.float32) -> Fp32:
    x = _pad(x, padding)
    while x.shape[-1] > 1:
        half = x.shape[-1] // 2
        x = combine(x[..., :half], x[..., half:])
    return x


def _pad(x: Fp32, padding: np.float32) -> Fp32:
    length = x.shape[-1]
    if length < 1:
        raise InputError("reduction: the last axis is empty")
    missing = (1 << (length - 1).bit_length()) - length
    if not missing:
        return x
    return np.concatenate([x, np.full((*x.shape[:-1], missing), padding)], axis=-1)


def reduce_lanes(combine: Combine, x: Fp32, segment: int) -> Fp32:
    """Reduce each run of `segment` lanes (a power of two) of [..., lanes]; every lane gets its run's result."""
    _check_stride("segment", segment, x.shape[-1])
    runs = x.reshape(*x.shape[:-1], -1, segment)
    stride = segment // 2
    while stride:
        runs = combine(runs, exchange(runs, stride))
        stride //= 2
    return runs.reshape(x.shape)


@jitable
def reduce_lanes_add(x: Fp32, segment: int) -> None:
    """`reduce_lanes(fp32.add, ...)` in place on one float32 [lanes] vector, for compiled loops."""
    for start in range(0, len(x), segment):
        stride = segment // 2
        while stride:
            for i in range(start, start + stride):
                x[i] = fp32.add(x[i], x[i + stride])
            stride //= 2
        x[start : start + segment] = x[start]


@jitable
def reduce_lanes_max(x: Fp32, segment: int) -> None:
    """`reduce_lanes(fp32.maximum, ...)` in place on one float32 [lanes] vector, for compiled loops."""
    for start in range(0, len(x), segment):
        stride = segment // 2
        while stride:
            for i in range(start, start + stride):
                x[i] = fp32.maximum(x[i], x[i + stride])
            stride //= 2
        x[start : start + segment] = x[start]


def exchange(x: Fp32, mask: int) -> Fp32:
    """x[i ^ mask] in element i of the last axis, for a power of two below its length."""
    pairs = x.reshape(*x.shape[:-1], -1, 2, mask)
    return pairs[..., ::-1, :].reshape(x.shape)


@jitable
def butterfly_pair(low: Fp32Like, high: Fp32Like) -> tuple[Fp32, Fp32]:
    """The two results of a butterfly: low + high for the element whose mask bit is 0, low - high for its partner."""
    return fp32.add(low, high), fp32.sub(low, high)


def butterfly(x: Fp32, mask: int) -> Fp32:
    """y[i] = x[i ^ mask] - x[i] where i & mask, else x[i] + x[i ^ mask]; the mask is a power of two."""
    _check_stride("mask", 2 * mask, x.shape[-1])
    pairs = x.reshape(*x.shape[:-1], -1, 2, mask)
    return np.stack(butterfly_pair(pairs[..., 0, :], pairs[..., 1, :]), axis=-2).reshape(x.shape)


def hadamard(x: Fp32, block: int) -> Fp32:
    """The Hadamard transform of each run of `block` elements of the last axis, strides block/2 .. 1, not normalised.

    The block is a power of two that divides the last axis.
    """
    _check_stride("block", block, x.shape[-1])
    stride = block // 2
    while stride:
        x = butterfly(x, stride)
        stride //= 2
    return x


def _check_stride(name: str, size: int, length: int) -> None:
    if size < 1 or size & (size - 1) or length % size:
        raise InputError(f"{name}: {size} is no power of two that divides the {length} elements")
