"""What harnesses are built of: free fp32 words, and an exact reference of rounding that shares no step with the RTL."""

from collections.abc import Sequence

from amaranth.asserts import AnySeq
from amaranth.hdl import Cat, Const, Module, Mux, Value

from waterclock.rtl.float_word import fraction, magnitude, sign
from waterclock.rtl.fp32 import CANONICAL_NAN, EXPONENT_BITS, FRACTION_BITS, INFINITE_EXPONENT
from waterclock.rtl.pipeline import Step, chain, wire

WORD_BITS = 32
ROOM_BITS = 12
"""Width of a signed exponent of anything that occurs."""


def free(m: Module, name: str, bits: int = WORD_BITS) -> Value:
    """A value about which nothing is known, a new one in each cycle."""
    return wire(m, name, AnySeq(bits))


def result_of(m: Module, name: str, steps: Sequence[Step], a: Value, b: Value) -> Value:
    """What all steps of a datapath make of a and b, with no registers between them."""
    m.submodules[name] = inner = Module()
    return wire(m, f"{name}_result", chain(inner, "step", steps, 1, {"a": a, "b": b})["result"])


def negated(word: Value) -> Value:
    return Cat(magnitude(word), ~sign(word))


def implies(condition: Value, conclusion: Value) -> Value:
    return ~condition | conclusion


def nearest_even(m: Module, negative: Value, number: Value, exponent: Value) -> Value:
    """number * 2^(exponent - 127), not 0, as fp32: nearest even, flushed if tiny before rounding.

    Written as the definition: the place of the leading one, quotient and remainder of the number by the weight of
    the last place that fits, and the comparison of the remainder with half of that weight.
    """
    top = wire(m, "top_place", _leading_place(number))
    last = wire(m, "last_place", (top - FRACTION_BITS).as_signed())
    units = wire(m, "units", number << FRACTION_BITS)
    quotient = wire(m, "quotient", (units >> top)[: FRACTION_BITS + 1])
    remainder = wire(m, "remainder", units - (quotient << top))
    twice, weight = remainder << 1, Const(1, 1) << top
    up = (twice > weight) | ((twice == weight) & quotient[0])
    rounded = wire(m, "rounded", quotient + up)
    place = wire(m, "place", (exponent + last + FRACTION_BITS)[:ROOM_BITS].as_signed())
    carried = wire(m, "carried", (place + rounded[-1])[:ROOM_BITS].as_signed())
    finite = Cat(rounded[:FRACTION_BITS], carried[:EXPONENT_BITS])
    infinite = Const(INFINITE_EXPONENT << FRACTION_BITS, FRACTION_BITS + EXPONENT_BITS)
    size = Mux(place < 1, 0, Mux(carried >= INFINITE_EXPONENT, infinite, finite))
    return Cat(size[: WORD_BITS - 1], negative)


def _leading_place(number: Value) -> Value:
    place: Value = Const(0, len(number).bit_length())
    for bit in range(len(number)):
        place = Mux(number[bit], bit, place)
    return place


def is_any_nan(word: Value) -> Value:
    """Whether the word is a NaN, the canonical one or another."""
    return (magnitude(word)[FRACTION_BITS:] == INFINITE_EXPONENT) & (fraction(word) != 0)


def is_canonical(word: Value) -> Value:
    return word == CANONICAL_NAN
