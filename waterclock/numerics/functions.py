"""exp2, reciprocal and rsqrt, *defined* as short fixed sequences of fp32 and int32 operations from an integer seed.

All three have one shape, four fp32 operations deep: a table entry picked by the leading mantissa bits, and a cubic in
the remaining variable, factored into a line and a parabola that are evaluated side by side:

    exp2         (Y * (z + a)) * (z * (z + b) + c)     z = 1.f, the fraction of x within an eighth
    reciprocal   (Y * (1 - h)) * ((1/2 - h) + h * h)   h = m * T, close to 1/2
    rsqrt        (Y * (a - h)) * ((b - h) + h * h)     h = m * T, close to 1/2

For the last two, T = y/2 (or y^2/2) for a short approximation y of the answer; with d = 1/2 - h the true answer is
y / (1 - 2d), or y / sqrt(1 - 2d), and the products are 8 y (1/2 + d)(1/4 + d^2) = y (1 + 2d)(1 + 4d^2), exact up to
d^4, and y (1 + d)(1 + 3/2 d^2), exact up to d^3. Each power of two is mapped exactly by exp2 and reciprocal, each power
of four by rsqrt. The methods are standard; see Muller, *Elementary Functions* (3rd ed., 2016), chapters 4 and 6.

Sequences are written with `*`, `+`, `-`, each rounded by itself: whatever the operand, they meet normal numbers alone,
for which `fp32.mul`, `fp32.add` and `fp32.sub` are the host's own operations. Errors in
`ACCURACY` are against float64, in units in the last place of the exact result: over every significand for reciprocal
and rsqrt, over every third to thirteenth fp32 number with a result other than 1 for exp2.
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from waterclock.numerics import int32
from waterclock.numerics.fp32 import (
    CANONICAL_NAN_BITS,
    EXPONENT_BITS,
    INFINITY_BITS,
    MAGNITUDE_BITS,
    SIGN_BIT,
)
from waterclock.numerics.jit import Fp32, Fp32Like, Int32, bits_of, choose, float32_of, fp32_of, int32_of, jitable


@dataclass(frozen=True)
class CriticalPath:
    """The longest chain of dependent operations in a definition, from operand to result.

    An int32 operation is an addition, a variable shift, a comparison, a table look-up or a choice; shifts and masks by
    constants are wires and count nothing.
    """

    num_fp32: int
    num_int32: int


@dataclass(frozen=True)
class Accuracy:
    """The largest error of a definition against the exact result."""

    max_error_ulp: float
    max_relative_error: float


CRITICAL_PATH: Final = MappingProxyType(
    {
        "exp2": CriticalPath(num_fp32=4, num_int32=6),
        "reciprocal": CriticalPath(num_fp32=4, num_int32=3),
        "rsqrt": CriticalPath(num_fp32=4, num_int32=3),
    }
)

ACCURACY: Final = MappingProxyType(
    {
        "exp2": Accuracy(max_error_ulp=3.96, max_relative_error=2.7e-7),
        "reciprocal": Accuracy(max_error_ulp=3.80, max_relative_error=2.9e-7),
        "rsqrt": Accuracy(max_error_ulp=3.65, max_relative_error=2.8e-7),
    }
)

FRACTION_BITS = np.int32(0x007FFFFF)
HIDDEN_BIT = np.int32(0x00800000)
ONE_BITS = np.int32(0x3F800000)


def _fp32_table(values: list[float]) -> Fp32:
    table = np.array(values, dtype=np.float32)
    table.flags.writeable = False
    return table


def _rounded(value: float, num_bits: int) -> float:
    """The multiple of 2^-num_bits nearest to a value."""
    return round(value * 2.0**num_bits) / 2.0**num_bits


# exp2: Y[j] is 2^(j/8) times the cubic's leading coefficient; (a, b, c, Y) are its minimax fit, 1.8e-8 relative,
# nudged by a few units in the last place so that exp2 of an integer is exact.
EXP2_LINE = np.float32(float.fromhex("0x1.0ecf68p+4"))
EXP2_PARABOLA_LINEAR = np.float32(float.fromhex("0x1.a6a590p+3"))
EXP2_PARABOLA_CONSTANT = np.float32(float.fromhex("0x1.de9f2ep+8"))
EXP2_SCALE = _fp32_table(
    [
        float.fromhex(value)
        for value in (
            "0x1.dac69ep-14",
            "0x1.02df96p-13",
            "0x1.1a4dacp-13",
            "0x1.33daa4p-13",
            "0x1.4fb79cp-13",
            "0x1.6e1a2cp-13",
            "0x1.8f3cc0p-13",
            "0x1.b35f12p-13",
        )
    ]
)
EXP2_OVERFLOW_BITS = np.int32(0x43000000)  # 128.0
EXP2_UNDERFLOW_BITS = np.int32(0x42FC0000)  # 126.0


@jitable
def _exp2_scale(j: Int32) -> Fp32:
    """EXP2_SCALE[j], by choices: a compiled loop over lanes is several times slower with a look-up in it."""
    quarters = (
        choose((j & 1) != 0, EXP2_SCALE[1], EXP2_SCALE[0]),
        choose((j & 1) != 0, EXP2_SCALE[3], EXP2_SCALE[2]),
        choose((j & 1) != 0, EXP2_SCALE[5], EXP2_SCALE[4]),
        choose((j & 1) != 0, EXP2_SCALE[7], EXP2_SCALE[6]),
    )
    low = choose((j & 2) != 0, quarters[1], quarters[0])
    high = choose((j & 2) != 0, quarters[3], quarters[2])
    return choose((j & 4) != 0, high, low)


# reciprocal: y = 2 / (2 + (2 j + 1) / 64), rounded to 8 fraction bits, balances the error over its 64th of [1, 2).
@jitable
def _reciprocal_seed(j: Int32) -> Fp32:
    """y of the j-th 64th. The quotient in fp32 is never near a tie, so it is rounded as the exact one is."""
    return np.rint(np.float32(32768.0) / float32_of(129 + 2 * j)) * np.float32(1 / 256)


RECIPROCAL_SEEDS = _reciprocal_seed(np.arange(64, dtype=np.int32))
RECIPROCAL_MULTIPLIER = _fp32_table([y / 2.0 for y in RECIPROCAL_SEEDS])
RECIPROCAL_SCALE = _fp32_table([8.0 * y for y in RECIPROCAL_SEEDS])
HALF, EIGHT = np.float32(0.5), np.float32(8.0)
RECIPROCAL_LINE = np.float32(1.0)
RECIPROCAL_PARABOLA = np.float32(0.5)
RECIPROCAL_UNDERFLOW_BITS = np.int32(0x7E800000)  # 2^126

# rsqrt: y belongs to the middle of the j-th 64th of [2, 4), then of [1, 2), and has 10 fraction bits. The line and the
# scale share out the missing d^3 over the interval (a - 1/2 = 1 / (1 + 9e-6)); b is 2/3 + 1/4, one unit less.
RSQRT_MIDPOINTS = [scale * (1.0 + (2 * j + 1) / 128.0) for scale in (2.0, 1.0) for j in range(64)]
RSQRT_SEEDS = [_rounded(float(np.sqrt(1.0 / middle)), 10) for middle in RSQRT_MIDPOINTS]
RSQRT_MULTIPLIER = _fp32_table([y * y / 2.0 for y in RSQRT_SEEDS])
RSQRT_SCALE = _fp32_table([1.5 * (1.0 + 9e-6) * y for y in RSQRT_SEEDS])
RSQRT_LINE = np.float32(float.fromhex("0x1.7fff6ap+0"))
RSQRT_PARABOLA = np.float32(float.fromhex("0x1.d55554p-1"))


@jitable
def fixed_point(word: Int32) -> Int32:
    """fp32 bits as a signed number of 2^-24, rounded down, for |x| < 128; 0 for |x| < 2^-25.

    s = 133 - exponent; significand << 7, negated if x < 0, >> s (arithmetic); 0 if s > 31.
    """
    shift = np.int32(133) - ((word >> 23) & 255)
    magnitude = ((word & FRACTION_BITS) | HIDDEN_BIT) << 7
    signed = int32_of(choose(word < 0, -magnitude, magnitude))
    return int32_of(choose(shift > 31, np.int32(0), int32.sar(signed, int32_of(shift))))


@jitable
def exp2(x: Fp32Like) -> Fp32:
    """2^x.

    Sequence: k = fixed_point(x); n = k >> 24; j = the next 3 bits of k; z = 1.f with the last 21 bits of k as leading
    fraction bits; r = (EXP2_SCALE[j] * (z + a)) * (z * (z + b) + c), in [1, 2]; the result is r with n added to its
    exponent. Beside it: NaN gives NaN, x >= 128 inf, x < -126 +0.
    Critical path: negate, sign select, shift, range select; z + b, *, + c, *; exponent add, special select.
    """
    word = bits_of(x)
    fixed = fixed_point(word)
    z = fp32_of(int32_of(((fixed & 0x1FFFFF) << 2) | ONE_BITS))
    scale = _exp2_scale(int32_of((fixed >> 21) & 7))
    line = scale * (z + EXP2_LINE)
    parabola = z * (z + EXP2_PARABOLA_LINEAR) + EXP2_PARABOLA_CONSTANT
    exponent = int32_of((fixed >> 1) & (EXPONENT_BITS | SIGN_BIT))
    return fp32_of(_exp2_specials(word, int32.add(bits_of(float32_of(line * parabola)), exponent)))


@jitable
def _exp2_specials(word: Int32, regular: Int32) -> Int32:
    magnitude = word & MAGNITUDE_BITS
    result = choose((word >= 0) & (magnitude >= EXP2_OVERFLOW_BITS), INFINITY_BITS, regular)
    result = choose((word < 0) & (magnitude > EXP2_UNDERFLOW_BITS), np.int32(0), result)
    return int32_of(choose(magnitude > INFINITY_BITS, CANONICAL_NAN_BITS, result))


@jitable
def reciprocal(x: Fp32Like) -> Fp32:
    """1 / x.

    Sequence: m = 1.f of x; j = the leading 6 fraction bits; h = m * RECIPROCAL_MULTIPLIER[j];
    r = (RECIPROCAL_SCALE[j] * (1 - h)) * ((1/2 - h) + h * h), in [1/2, 1]; the result is r with x's sign and with
    127 - (x's exponent field) added to its exponent. Beside it: NaN gives NaN, +-0 (and a subnormal) +-inf,
    |x| > 2^126 (and +-inf) +-0.
    Critical path: look-up; m * T, h * h, +, *; exponent add, special select.
    """
    word = bits_of(x)
    seed = _reciprocal_seed(int32_of((word >> 17) & 63))  # both tables hold it, times a power of two
    m = fp32_of(int32_of((word & FRACTION_BITS) | ONE_BITS))
    h = m * (seed * HALF)
    line = (seed * EIGHT) * (RECIPROCAL_LINE - h)
    parabola = (RECIPROCAL_PARABOLA - h) + h * h
    exponent = int32_of((ONE_BITS - (word & EXPONENT_BITS)) ^ (word & SIGN_BIT))
    return fp32_of(_reciprocal_specials(word, int32.add(bits_of(float32_of(line * parabola)), exponent)))


@jitable
def _reciprocal_specials(word: Int32, regular: Int32) -> Int32:
    magnitude, sign = word & MAGNITUDE_BITS, word & SIGN_BIT
    result = choose(magnitude < HIDDEN_BIT, sign | INFINITY_BITS, regular)
    result = choose(magnitude > RECIPROCAL_UNDERFLOW_BITS, sign, result)
    return int32_of(choose(magnitude > INFINITY_BITS, CANONICAL_NAN_BITS, result))


@jitable
def rsqrt(x: Fp32Like) -> Fp32:
    """1 / sqrt(x).

    Sequence: m = 1.f of x, doubled if the exponent field is even, so that an even power of two remains; j = the lowest
    exponent bit and the leading 6 fraction bits; h = m * RSQRT_MULTIPLIER[j];
    r = (RSQRT_SCALE[j] * (a - h)) * ((b - h) + h * h), in [1/2, 1]; the result is r with
    64 - ((x's exponent field + 1) >> 1) added to its exponent. Beside it: NaN gives NaN, +-0 (and a subnormal) +-inf,
    a negative number NaN, +inf +0.
    Critical path: look-up; m * T, h * h, +, *; exponent add, special select.
    """
    word = bits_of(x)
    index = (word >> 17) & 127
    m = fp32_of(int32_of(((word & (FRACTION_BITS | HIDDEN_BIT)) ^ HIDDEN_BIT) + ONE_BITS))
    h = m * RSQRT_MULTIPLIER[index]
    line = RSQRT_SCALE[index] * (RSQRT_LINE - h)
    parabola = (RSQRT_PARABOLA - h) + h * h
    half_exponent = (((word >> 23) & 255) + 1) >> 1
    exponent = int32_of((np.int32(64) - half_exponent) << 23)
    return fp32_of(_rsqrt_specials(word, int32.add(bits_of(float32_of(line * parabola)), exponent)))


@jitable
def _rsqrt_specials(word: Int32, regular: Int32) -> Int32:
    magnitude = word & MAGNITUDE_BITS
    result = choose(word < 0, CANONICAL_NAN_BITS, regular)
    result = choose(word == INFINITY_BITS, np.int32(0), result)
    result = choose(magnitude < HIDDEN_BIT, (word & SIGN_BIT) | INFINITY_BITS, result)
    return int32_of(choose(magnitude > INFINITY_BITS, CANONICAL_NAN_BITS, result))
