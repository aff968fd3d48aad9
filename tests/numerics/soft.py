"""The contract of numbers once more, on Python integers and Berkeley SoftFloat, without numpy or Waterclock arithmetic.

A word is an unsigned 32-bit Python int. `functions` are re-executed operation by operation from their docstrings.
"""

from collections.abc import Callable

import softfloatpy as soft
from softfloatpy import ExceptionFlag, Float32, TininessMode

from waterclock.numerics import functions

SIGN, MAGNITUDE, WORD = 1 << 31, (1 << 31) - 1, (1 << 32) - 1
INFINITY, NAN, SMALLEST_NORMAL, ONE = 0x7F800000, 0x7FC00000, 0x00800000, 0x3F800000

soft.set_tininess_mode(TininessMode.BEFORE_ROUNDING)


def number(word: int) -> Float32:
    return Float32.from_bytes(word.to_bytes(4))


def word_of(value: Float32) -> int:
    return int.from_bytes(value.to_bytes())


def flush(word: int) -> int:
    return word if word & INFINITY else word & SIGN


def is_nan(word: int) -> bool:
    return word & MAGNITUDE > INFINITY


def signed(word: int) -> int:
    return word - ((word & SIGN) << 1)


def arithmetic(operation: Callable[[Float32, Float32], Float32], a: int, b: int) -> int:
    x, y = number(flush(a)), number(flush(b))
    result = word_of(operation(x, y))
    if is_nan(result):
        return NAN
    if result & MAGNITUDE == SMALLEST_NORMAL:
        soft.set_exception_flags(0)
        operation(x, y)
        return result & SIGN if soft.test_exception_flags(ExceptionFlag.UNDERFLOW) else result
    return flush(result)


def add(a: int, b: int) -> int:
    return arithmetic(soft.f32_add, a, b)


def sub(a: int, b: int) -> int:
    return arithmetic(soft.f32_sub, a, b)


def mul(a: int, b: int) -> int:
    return arithmetic(soft.f32_mul, a, b)


def below(a: int, b: int) -> bool:
    """a < b, with -0 below +0."""
    if not (a | b) & MAGNITUDE:
        return a > b
    return soft.f32_lt_quiet(number(a), number(b))


def maximum(a: int, b: int) -> int:
    if is_nan(a) or is_nan(b):
        return NAN
    a, b = flush(a), flush(b)
    return b if below(a, b) else a


def minimum(a: int, b: int) -> int:
    if is_nan(a) or is_nan(b):
        return NAN
    a, b = flush(a), flush(b)
    return b if below(b, a) else a


def absolute(a: int) -> int:
    return NAN if is_nan(a) else flush(a) & MAGNITUDE


def compare(relation: Callable[[Float32, Float32], bool]) -> Callable[[int, int], int]:
    return lambda a, b: WORD if relation(number(flush(a)), number(flush(b))) else 0


def to_integer(lowest: int, highest: int) -> Callable[[int], int]:
    def convert(word: int) -> int:
        if is_nan(word):
            return 0
        if word & MAGNITUDE >= 0x53800000:  # 2^40: beyond every range, within int64
            return (lowest if word & SIGN else highest) & WORD
        integer = int.from_bytes(
            soft.f32_to_i64(number(flush(word)), soft.RoundingMode.NEAR_EVEN).to_bytes(), signed=True
        )
        return max(lowest, min(highest, integer)) & WORD

    return convert


def to_fp32(word: int) -> int:
    return word_of(soft.i32_to_f32(soft.Int32.from_bytes(word.to_bytes(4))))


def table(values: object) -> list[int]:
    return [int(word) for word in values.view("uint32")]  # type: ignore[attr-defined]


def constant(value: object) -> int:
    return int(value.view("uint32"))  # type: ignore[attr-defined]


EXP2_SCALE = table(functions.EXP2_SCALE)
EXP2_LINE, EXP2_LINEAR, EXP2_CONSTANT = map(
    constant, (functions.EXP2_LINE, functions.EXP2_PARABOLA_LINEAR, functions.EXP2_PARABOLA_CONSTANT)
)
RECIPROCAL_MULTIPLIER, RECIPROCAL_SCALE = table(functions.RECIPROCAL_MULTIPLIER), table(functions.RECIPROCAL_SCALE)
RSQRT_MULTIPLIER, RSQRT_SCALE = table(functions.RSQRT_MULTIPLIER), table(functions.RSQRT_SCALE)
RSQRT_LINE, RSQRT_PARABOLA = constant(functions.RSQRT_LINE), constant(functions.RSQRT_PARABOLA)


def exp2(x: int) -> int:
    if is_nan(x):
        return NAN
    if x >= SIGN and x & MAGNITUDE > 0x42FC0000:
        return 0
    if 0x43000000 <= x < SIGN:
        return INFINITY
    exponent, significand = (x >> 23) & 255, (x & 0x7FFFFF) | 0x800000
    k = ((-significand if x & SIGN else significand) << 7) >> (133 - exponent) if exponent >= 102 else 0
    z = ONE | ((k & 0x1FFFFF) << 2)
    line = mul(EXP2_SCALE[(k >> 21) & 7], add(z, EXP2_LINE))
    parabola = add(mul(z, add(z, EXP2_LINEAR)), EXP2_CONSTANT)
    return mul(line, parabola) + ((k >> 24) << 23)


def product(h: int, scale: int, line: int, parabola: int) -> int:
    return mul(mul(scale, sub(line, h)), add(sub(parabola, h), mul(h, h)))


def reciprocal(x: int) -> int:
    sign, magnitude = x & SIGN, x & MAGNITUDE
    if is_nan(x):
        return NAN
    if magnitude < SMALLEST_NORMAL:
        return sign | INFINITY
    if magnitude > 0x7E800000:
        return sign
    j = (x >> 17) & 63
    h = mul(ONE | (x & 0x7FFFFF), RECIPROCAL_MULTIPLIER[j])
    r = product(h, RECIPROCAL_SCALE[j], ONE, 0x3F000000)
    return sign | (r + ((127 - (magnitude >> 23)) << 23))


def rsqrt(x: int) -> int:
    if is_nan(x):
        return NAN
    if x & MAGNITUDE < SMALLEST_NORMAL:
        return x & SIGN | INFINITY
    if x & SIGN:
        return NAN
    if x == INFINITY:
        return 0
    exponent, j = x >> 23, (x >> 17) & 127
    m = (x & 0x7FFFFF) | (0x3F800000 if exponent % 2 else 0x40000000)
    r = product(mul(m, RSQRT_MULTIPLIER[j]), RSQRT_SCALE[j], RSQRT_LINE, RSQRT_PARABOLA)
    return r + ((64 - ((exponent + 1) >> 1)) << 23)


REFERENCES: dict[str, Callable[..., int]] = {
    "fp32.add": add,
    "fp32.sub": sub,
    "fp32.mul": mul,
    "fp32.maximum": maximum,
    "fp32.minimum": minimum,
    "fp32.absolute": absolute,
    "fp32.compare_lt": compare(soft.f32_lt_quiet),
    "fp32.compare_le": compare(soft.f32_le_quiet),
    "fp32.compare_eq": compare(soft.f32_eq),
    "fp32.select": lambda c, a, b: a if c else b,
    "int32.add": lambda a, b: (a + b) & WORD,
    "int32.bit_and": lambda a, b: a & b,
    "int32.bit_or": lambda a, b: a | b,
    "int32.bit_xor": lambda a, b: a ^ b,
    "int32.shl": lambda a, b: (a << b % 32) & WORD,
    "int32.shr": lambda a, b: a >> b % 32,
    "int32.sar": lambda a, b: (signed(a) >> b % 32) & WORD,
    "convert.to_int8": to_integer(-128, 127),
    "convert.to_uint8": to_integer(0, 255),
    "convert.to_int32": to_integer(-(2**31), 2**31 - 1),
    "convert.to_fp32": to_fp32,
    "convert.widen8": lambda a: ((a & 255) - ((a & 128) << 1)) & WORD,
    "functions.exp2": exp2,
    "functions.reciprocal": reciprocal,
    "functions.rsqrt": rsqrt,
}
