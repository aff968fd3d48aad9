"""The parts of an fp32 word, and steps that datapaths share."""

from amaranth.hdl import Cat, Const, Module, Mux, Value

from waterclock.rtl.fp32 import EXPONENT_BITS, FRACTION_BITS, INFINITE_EXPONENT, MAGNITUDE_BITS
from waterclock.rtl.pipeline import wire

BIAS = INFINITE_EXPONENT // 2
"""The exponent field of 1.0."""
WIDE_BITS = EXPONENT_BITS + 2
"""Bits of a signed exponent that may lie below or above the field."""


def sign(word: Value) -> Value:
    return word[MAGNITUDE_BITS]


def magnitude(word: Value) -> Value:
    return word[:MAGNITUDE_BITS]


def exponent(word: Value) -> Value:
    return word[FRACTION_BITS:MAGNITUDE_BITS]


def fraction(word: Value) -> Value:
    return word[:FRACTION_BITS]


def leading_one(word: Value) -> Value:
    """1.fraction of a normal number, as an integer."""
    return Cat(fraction(word), Const(1, 1))


def is_zero(word: Value) -> Value:
    """Whether the word counts as a zero: subnormals do."""
    return exponent(word) == 0


def is_nan(word: Value) -> Value:
    return (exponent(word) == INFINITE_EXPONENT) & fraction(word).any()


def is_infinite(word: Value) -> Value:
    return (exponent(word) == INFINITE_EXPONENT) & ~fraction(word).any()


def flush(word: Value) -> Value:
    """The word with a subnormal replaced by the zero of its sign."""
    return Cat(Mux(is_zero(word), Const(0, MAGNITUDE_BITS), magnitude(word)), sign(word))


def infinity(sign: Value) -> Value:
    return Cat(Const(0, FRACTION_BITS), Const(INFINITE_EXPONENT, EXPONENT_BITS), sign)


def normalise(m: Module, number: Value) -> tuple[Value, Value]:
    """An unsigned number with its leading one shifted to the top, and by how many places: a bit for each power of two.

    The width is a power of two. The places of 0 say nothing.
    """
    shift = len(number) // 2
    shifts: list[Value] = []
    while shift:
        low = wire(m, f"low_{shift}", ~number[-shift:].any())
        number = wire(m, f"number_{shift}", Mux(low, Cat(Const(0, shift), number[:-shift]), number))
        shifts.insert(0, low)
        shift //= 2
    return number, Cat(*shifts)
