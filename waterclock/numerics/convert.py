"""Conversions between fp32 and integers.

fp32 to integer rounds to nearest even, saturates, and takes NaN to 0. The 8-bit results are returned as int32 values
in the 8-bit range: that is what leaves the unit; the low byte is what an 8-bit stream carries.
"""

import numpy as np

from waterclock.numerics.fp32 import is_nan
from waterclock.numerics.jit import Fp32, Fp32Like, Int32, Int32Like, choose, float32_of, float64_of, int32_of, jitable

INT8_MIN, INT8_MAX = np.float64(-128.0), np.float64(127.0)
UINT8_MIN, UINT8_MAX = np.float64(0.0), np.float64(255.0)
INT32_MIN, INT32_MAX = np.float64(-(2.0**31)), np.float64(2.0**31 - 1)


@jitable
def saturate(x: Fp32Like, lowest: np.float64, highest: np.float64) -> Int32:
    """x rounded to the nearest integer, ties to even, and limited to [lowest, highest]; NaN gives 0.

    The limiting is done in float64, which holds every int32 and every fp32 exactly.
    """
    number = np.rint(float64_of(choose(is_nan(x), np.float32(0.0), x)))
    return int32_of(choose(number < lowest, lowest, choose(number > highest, highest, number)))


@jitable
def to_int8(x: Fp32Like) -> Int32:
    """fp32 to an int32 in [-128, 127]."""
    return saturate(x, INT8_MIN, INT8_MAX)


@jitable
def to_uint8(x: Fp32Like) -> Int32:
    """fp32 to an int32 in [0, 255]."""
    return saturate(x, UINT8_MIN, UINT8_MAX)


@jitable
def to_int32(x: Fp32Like) -> Int32:
    """fp32 to int32."""
    return saturate(x, INT32_MIN, INT32_MAX)


@jitable
def to_fp32(x: Int32Like) -> Fp32:
    """int32 to the nearest fp32, ties to even."""
    return float32_of(x)


@jitable
def widen8(x: Int32Like) -> Int32:
    """The low byte of x, sign extended to int32."""
    return int32_of(((x & 255) ^ 128) - 128)
