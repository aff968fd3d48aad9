"""The vector arithmetic: IEEE 754 binary32, round to nearest even, with three simplifications that save gates.

Subnormal operands and results are zeros of the same sign (a result is subnormal if it is below 2^-126 *before*
rounding), every NaN result is the canonical NaN 0x7fc00000, and there are no exception flags. All special cases are
decided on integer bits, so no definition depends on the host's flush-to-zero flags or on how it propagates NaNs.

fp32 values are float32 arrays or scalars; a raw 32-bit value is an int32. Source: IEEE 754-2019 and the design's
contract of numbers.
"""

import numpy as np

from waterclock.numerics.jit import (
    Bool,
    Float64,
    Fp32,
    Fp32Like,
    Int32,
    Int32Like,
    bits_of,
    choose,
    float32_of,
    float64_of,
    fp32_of,
    int32_of,
    jitable,
)

SIGN_BIT = np.int32(-(2**31))
MAGNITUDE_BITS = np.int32(0x7FFFFFFF)
EXPONENT_BITS = np.int32(0x7F800000)
INFINITY_BITS = EXPONENT_BITS
CANONICAL_NAN_BITS = np.int32(0x7FC00000)
SMALLEST_NORMAL = np.float64(2.0**-126)


@jitable
def flush(x: Fp32Like) -> Fp32:
    """Replace a subnormal by the zero of its sign; other bits stay."""
    word = bits_of(x)
    return fp32_of(choose((word & EXPONENT_BITS) == 0, word & SIGN_BIT, word))


@jitable
def canonical(x: Fp32Like) -> Fp32:
    """Replace any NaN by the canonical one; other bits stay."""
    word = bits_of(x)
    return fp32_of(choose((word & MAGNITUDE_BITS) > INFINITY_BITS, CANONICAL_NAN_BITS, word))


@jitable
def round_to_fp32(exact: Float64) -> Fp32:
    """Round an exact float64 to the nearest fp32 (ties to even) under this module's rules."""
    tiny = np.abs(exact) < SMALLEST_NORMAL
    return canonical(float32_of(choose(tiny, np.copysign(0.0, exact), exact)))


@jitable
def add(a: Fp32Like, b: Fp32Like) -> Fp32:
    """a + b. A tiny sum of two normal numbers is exact, so flushing after the addition is flushing before rounding."""
    return canonical(flush(flush(a) + flush(b)))


@jitable
def sub(a: Fp32Like, b: Fp32Like) -> Fp32:
    """a - b, by the same argument as `add`."""
    return canonical(flush(flush(a) - flush(b)))


@jitable
def mul(a: Fp32Like, b: Fp32Like) -> Fp32:
    """a * b. The product of two 24-bit significands is exact in float64, so it is rounded once."""
    return round_to_fp32(float64_of(flush(a)) * float64_of(flush(b)))


@jitable
def is_nan(x: Fp32Like) -> Bool:
    """Whether x is a NaN of any payload."""
    return (bits_of(x) & MAGNITUDE_BITS) > INFINITY_BITS


@jitable
def order_key(word: Int32Like) -> Int32:
    """Map fp32 bits to an int32 that sorts as the numbers do, -0 directly below +0; its own inverse."""
    return int32_of(word ^ ((word >> 31) & MAGNITUDE_BITS))


@jitable
def maximum(a: Fp32Like, b: Fp32Like) -> Fp32:
    """The larger operand, -0 below +0; the canonical NaN if either operand is NaN."""
    key_a, key_b = order_key(bits_of(flush(a))), order_key(bits_of(flush(b)))
    word = order_key(choose(key_a < key_b, key_b, key_a))
    return fp32_of(choose(is_nan(a) | is_nan(b), CANONICAL_NAN_BITS, word))


@jitable
def minimum(a: Fp32Like, b: Fp32Like) -> Fp32:
    """The smaller operand, -0 below +0; the canonical NaN if either operand is NaN."""
    key_a, key_b = order_key(bits_of(flush(a))), order_key(bits_of(flush(b)))
    word = order_key(choose(key_a < key_b, key_a, key_b))
    return fp32_of(choose(is_nan(a) | is_nan(b), CANONICAL_NAN_BITS, word))


@jitable
def absolute(x: Fp32Like) -> Fp32:
    """|x|; the canonical NaN for any NaN."""
    return canonical(fp32_of(bits_of(flush(x)) & MAGNITUDE_BITS))


@jitable
def compare_lt(a: Fp32Like, b: Fp32Like) -> Int32:
    """-1 where a < b, else 0; false on NaN; subnormals compare as zeros."""
    return int32_of(choose(flush(a) < flush(b), np.int32(-1), np.int32(0)))


@jitable
def compare_le(a: Fp32Like, b: Fp32Like) -> Int32:
    """-1 where a <= b, else 0; false on NaN; subnormals compare as zeros."""
    return int32_of(choose(flush(a) <= flush(b), np.int32(-1), np.int32(0)))


@jitable
def compare_eq(a: Fp32Like, b: Fp32Like) -> Int32:
    """-1 where a = b, else 0; false on NaN; subnormals compare as zeros."""
    return int32_of(choose(flush(a) == flush(b), np.int32(-1), np.int32(0)))


@jitable
def select(condition: Int32Like, a: Int32Like, b: Int32Like) -> Int32:
    """The raw bits of a where the condition is not 0, else those of b."""
    return int32_of(choose(condition != 0, a, b))
