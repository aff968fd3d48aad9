"""What is proven of the fp32 adder, for all 2^64 pairs of operands.

`nearest` is taken apart by the distance of the exponents, as no solver does all at once. Together with `zero`, `nan`,
`flush` and `infinity` it says all that a sum is, from which the other properties follow; monotony does too.
"""

from collections.abc import Callable
from typing import Final

from amaranth.hdl import Assert, Assume, Cat, Const, Module, Mux, Value

from waterclock.rtl.float_word import exponent, flush, fraction, is_infinite, is_zero, leading_one, sign
from waterclock.rtl.formal.proof import Design, Proof
from waterclock.rtl.formal.words import (
    free,
    implies,
    is_any_nan,
    is_canonical,
    nearest_even,
    negated,
    result_of,
)
from waterclock.rtl.fp32 import ADD, EXPONENT_BITS, FRACTION_BITS
from waterclock.rtl.pipeline import wire

Sum = Callable[[str, Value, Value], Value]
Property = Callable[[Module, Sum, Value, Value], Value]
GAP = FRACTION_BITS + 4
"""A smaller operand that is shifted further than this only says on which side of the larger one the sum lies."""


def _harness(claim: Property) -> Callable[[Design], Module]:
    def harness(design: Design) -> Module:
        m = Module()
        a, b = free(m, "a"), free(m, "b")
        m.d.comb += Assert(claim(m, lambda name, x, y: result_of(m, name, design, x, y), a, b))
        return m

    return harness


def _commutes(m: Module, add: Sum, a: Value, b: Value) -> Value:
    return add("ab", a, b) == add("ba", b, a)


def _is_odd(m: Module, add: Sum, a: Value, b: Value) -> Value:
    total, mirrored = add("sum", a, b), add("mirrored", negated(a), negated(b))
    opposite = flush(a) == negated(flush(b))
    return is_any_nan(total) | Mux(opposite, (total == 0) & (mirrored == 0), mirrored == negated(total))


def _keeps_a_number(m: Module, add: Sum, a: Value, b: Value) -> Value:
    minus_zero, plus_zero = add("minus_zero", a, Const(1 << 31, 32)), add("plus_zero", a, Const(0, 32))
    kept = (minus_zero == flush(a)) & (plus_zero == Mux(is_zero(a), 0, a))
    return is_any_nan(a) | kept


def _nan(m: Module, add: Sum, a: Value, b: Value) -> Value:
    total = add("sum", a, b)
    undefined = is_any_nan(a) | is_any_nan(b) | (is_infinite(a) & is_infinite(b) & (sign(a) != sign(b)))
    return Mux(undefined, is_canonical(total), ~is_any_nan(total))


def _flushes(m: Module, add: Sum, a: Value, b: Value) -> Value:
    total = add("sum", a, b)
    is_subnormal = (exponent(total) == 0) & (fraction(total) != 0)
    return ~is_subnormal & (total == add("of_flushed", flush(a), flush(b)))


def _keeps_infinity(m: Module, add: Sum, a: Value, b: Value) -> Value:
    total = add("sum", a, b)
    return implies(is_infinite(a) & ~is_any_nan(total), total == a)


def _nearest_at(low: int, high: int) -> Property:
    """The sum of operands whose exponents are `low` to `high` apart."""

    def claim(m: Module, add: Sum, a: Value, b: Value) -> Value:
        for operand in (a, b):
            m.d.comb += Assume(~is_infinite(operand) & ~is_any_nan(operand) & ~is_zero(operand))
        swap = wire(m, "swap", exponent(a) < exponent(b))
        big, small = wire(m, "big", Mux(swap, b, a)), wire(m, "small", Mux(swap, a, b))
        distance = wire(m, "distance", (exponent(big) - exponent(small))[:EXPONENT_BITS])
        m.d.comb += Assume((distance >= low) & (distance <= high))
        return add("sum", a, b) == _rounded_sum(m, big, small, low)

    return claim


def _rounded_sum(m: Module, big: Value, small: Value, distance: int) -> Value:
    """The exact sum in fixed point, the smaller operand in its place below the larger one, then rounded."""
    first = wire(m, "first", Cat(leading_one(big) << GAP, Const(0, 2)).as_signed())
    second = leading_one(small) << GAP - distance if distance <= GAP else Const(1, 1)
    second = wire(m, "second", Cat(second, Const(0, 1)).as_signed())
    exact = wire(m, "exact", Mux(sign(big), -first, first) + Mux(sign(small), -second, second))
    negative = exact < 0
    size = wire(m, "size", Mux(negative, -exact, exact)[: FRACTION_BITS + GAP + 2].as_unsigned())
    m.submodules.reference = reference = Module()
    expected = nearest_even(reference, negative, size, exponent(big) - FRACTION_BITS - GAP)
    return Mux(size == 0, 0, expected)


def _proof(name: str, claim: str, statement: Property, is_long: bool = False) -> Proof:
    return Proof(f"add.{name}", claim, ADD, _harness(statement), is_long=is_long)


PROOFS: Final = (
    _proof("commutes", "a + b = b + a", _commutes, is_long=True),
    _proof("odd", "(-a) + (-b) = -(a + b), unless it is NaN; +0 where b = -a", _is_odd),
    _proof("zero", "a + (-0) = a, a + 0 = a (+0 where a is a zero), subnormals flushed", _keeps_a_number),
    _proof("nan", "the one NaN for NaN operands and infinity - infinity, no NaN otherwise", _nan),
    _proof("flush", "no subnormal sum; subnormal operands count as zeros of their sign", _flushes, is_long=True),
    _proof("infinity", "infinity + b is that infinity, unless it is NaN", _keeps_infinity),
    *(_proof(f"nearest.{low}", f"the exact sum rounded to nearest even, tiny ones flushed; exponents {low} apart",
             _nearest_at(low, low), is_long=True) for low in range(GAP + 1)),
    _proof("nearest.far", f"the same for exponents more than {GAP} apart", _nearest_at(GAP + 1, 253), is_long=True),
)  # fmt: skip
