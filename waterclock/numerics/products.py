"""The matrix product of the machine: 8-bit operands, int32 result modulo 2^32, exact, hence in any order."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from waterclock.numerics.jit import Int32

Codes = NDArray[np.signedinteger[Any]] | NDArray[np.uint8]


def matvec(tile: NDArray[np.int8], x: Codes) -> Int32:
    """y[j] = sum over i of tile[j, i] * x[i] modulo 2^32, for one tile and one int8 or uint8 vector: the definition."""
    total = np.zeros(tile.shape[0], dtype=np.int32)
    for column, value in zip(tile.astype(np.int32).T, x.astype(np.int32), strict=True):
        total = total + column * value
    return total


def matmul(a: Codes, b: Codes) -> Int32:
    """a @ b with numpy's rules for shapes, int32 modulo 2^32.

    Operands hold values of int8 or uint8, in any integer type. Done in float64 by BLAS, which is exact here in any
    order of summation: a product is at most 255 * 255 < 2^16, so every partial sum of fewer than 2^37 of them is an
    integer below 2^53. The sum is then taken modulo 2^32.
    """
    exact = a.astype(np.float64) @ b.astype(np.float64)
    return exact.astype(np.int64).astype(np.int32)
