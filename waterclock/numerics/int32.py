"""The 32-bit integer and bit operations: two's complement, wrapping modulo 2^32.

Every shift amount is the low five bits of operand b.
"""

import numpy as np

from waterclock.numerics.jit import Int32, Int32Like, int32_of, int64_of, jitable

SHIFT_MASK = np.int64(31)
WORD_MASK = np.int64(0xFFFFFFFF)


@jitable
def add(a: Int32Like, b: Int32Like) -> Int32:
    """a + b modulo 2^32."""
    return int32_of(int64_of(a) + int64_of(b))


@jitable
def bit_and(a: Int32Like, b: Int32Like) -> Int32:
    """Bitwise and."""
    return int32_of(a & b)


@jitable
def bit_or(a: Int32Like, b: Int32Like) -> Int32:
    """Bitwise or."""
    return int32_of(a | b)


@jitable
def bit_xor(a: Int32Like, b: Int32Like) -> Int32:
    """Bitwise exclusive or."""
    return int32_of(a ^ b)


@jitable
def shl(a: Int32Like, b: Int32Like) -> Int32:
    """a shifted left, zeros in from the right."""
    return int32_of((int64_of(a) & WORD_MASK) << (int64_of(b) & SHIFT_MASK))


@jitable
def shr(a: Int32Like, b: Int32Like) -> Int32:
    """a shifted right, zeros in from the left (logical)."""
    return int32_of((int64_of(a) & WORD_MASK) >> (int64_of(b) & SHIFT_MASK))


@jitable
def sar(a: Int32Like, b: Int32Like) -> Int32:
    """a shifted right, copies of its sign in from the left (arithmetic)."""
    return int32_of(int64_of(a) >> (int64_of(b) & SHIFT_MASK))
