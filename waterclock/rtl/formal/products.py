"""What is proven of the fp32 multiplier, for all 2^64 pairs of operands.

No solver compares two 24 x 24 multipliers. So the product is proven in three parts that meet in named values: each
digit's product, the sum of any digit products, and the rounding of any 48-bit product. Together they say that the
result is the exact product rounded once, from which it follows that the multiplier commutes and is monotone.
"""

from collections.abc import Callable
from typing import Final

from amaranth.hdl import Assert, Assume, Cat, Const, Module, Mux, Value

from waterclock.rtl.float_word import exponent, flush, fraction, is_infinite, is_zero, leading_one, sign
from waterclock.rtl.formal.proof import Design, Proof
from waterclock.rtl.formal.words import (
    free,
    is_any_nan,
    is_canonical,
    nearest_even,
    negated,
    result_of,
)
from waterclock.rtl.fp32 import FRACTION_BITS, MAGNITUDE_BITS
from waterclock.rtl.fp32_mul import DIGIT_BITS, DIGITS, MUL, PRODUCT_BITS
from waterclock.rtl.pipeline import chain, wire

Product = Callable[[str, Value, Value], Value]
Property = Callable[[Module, Product, Value, Value], Value]
ONE = Const(127 << FRACTION_BITS, 32)
INFINITY = 255 << FRACTION_BITS
MAX_SIGNIFICAND = (1 << FRACTION_BITS + 1) - 1


def _harness(claim: Property) -> Callable[[Design], Module]:
    def harness(design: Design) -> Module:
        m = Module()
        a, b = free(m, "a"), free(m, "b")
        m.d.comb += Assert(claim(m, lambda name, x, y: result_of(m, name, design, x, y), a, b))
        return m

    return harness


def _is_odd(m: Module, mul: Product, a: Value, b: Value) -> Value:
    product = mul("product", a, b)
    mirrored = (mul("left", negated(a), b) == negated(product)) & (mul("right", a, negated(b)) == negated(product))
    return is_any_nan(product) | mirrored


def _keeps_a_number(m: Module, mul: Product, a: Value, b: Value) -> Value:
    return is_any_nan(a) | ((mul("left", ONE, a) == flush(a)) & (mul("right", a, ONE) == flush(a)))


def _nan(m: Module, mul: Product, a: Value, b: Value) -> Value:
    product = mul("product", a, b)
    undefined = is_any_nan(a) | is_any_nan(b) | (is_zero(a) & is_infinite(b)) | (is_infinite(a) & is_zero(b))
    return Mux(undefined, is_canonical(product), ~is_any_nan(product))


def _flushes(design: Design) -> Module:
    m = Module()
    result = _of_any_product(m, "any", design, free(m, "a"), free(m, "b"), free(m, "product", PRODUCT_BITS))
    m.d.comb += Assert((exponent(result) != 0) | (fraction(result) == 0))
    return m


def _commutes(design: Design) -> Module:
    m = Module()
    a, b, product = free(m, "a"), free(m, "b"), free(m, "product", PRODUCT_BITS)
    m.d.comb += Assert(
        _of_any_product(m, "ab", design, a, b, product) == _of_any_product(m, "ba", design, b, a, product)
    )
    return m


def _of_any_product(m: Module, name: str, design: Design, a: Value, b: Value, product: Value) -> Value:
    """The result for a and b if the product of their significands were this one."""
    m.submodules[name] = inner = Module()
    values = chain(inner, "step", design[:2], 1, {"a": a, "b": b})
    return wire(m, f"{name}_result", design[2](inner, {**values, "product": product})["result"])


def _digits_are_products(design: Design) -> Module:
    """Each digit of b times the significand of a is what long multiplication, bit by bit, gives."""
    m = Module()
    a, b = free(m, "a"), free(m, "b")
    values = design[0](m, {"a": a, "b": b})
    for number, name in enumerate(DIGITS):
        digit = leading_one(b)[number * DIGIT_BITS : (number + 1) * DIGIT_BITS]
        total: Value | int = 0
        for place in range(DIGIT_BITS):
            total = total + Mux(digit[place], leading_one(a) << place, 0)
        m.d.comb += Assert(values[name] == total)
    return m


def _sum_is_whole(design: Design) -> Module:
    """The sum of digit products in their places, added in another order and with room to spare."""
    m = Module()
    a, b = free(m, "a"), free(m, "b")
    bits = FRACTION_BITS + 1 + DIGIT_BITS
    free_digits = {name: free(m, f"free_{name}", bits) for name in DIGITS}
    for value in free_digits.values():
        m.d.comb += Assume(value <= MAX_SIGNIFICAND * ((1 << DIGIT_BITS) - 1))
    values = design[1](m, {**design[0](m, {"a": a, "b": b}), **free_digits})
    total: Value | int = 0
    for number, name in reversed(list(enumerate(DIGITS))):
        total = total + (free_digits[name] << number * DIGIT_BITS)
    m.d.comb += Assert(values["product"] == total)
    return m


def _product_is_rounded(design: Design) -> Module:
    """The rounding of any product of two significands, with exponents, signs and special cases of any operands."""
    m = Module()
    a, b, product = free(m, "a"), free(m, "b"), free(m, "product", PRODUCT_BITS)
    m.d.comb += Assume((product >= 1 << 2 * FRACTION_BITS) & (product <= MAX_SIGNIFICAND**2))
    result = _of_any_product(m, "design", design, a, b, product)
    m.submodules.reference = reference = Module()
    negative = sign(a) ^ sign(b)
    place = exponent(a) + exponent(b) - 127 - 2 * FRACTION_BITS
    finite = nearest_even(reference, negative, product, place)
    any_nan, any_infinite, any_zero = (test(a) | test(b) for test in (is_any_nan, is_infinite, is_zero))
    special = Mux(any_infinite, Cat(Const(INFINITY, MAGNITUDE_BITS), negative), Cat(Const(0, MAGNITUDE_BITS), negative))
    expected = Mux(any_infinite | any_zero, special, finite)
    m.d.comb += Assert(Mux(any_nan | (any_infinite & any_zero), is_canonical(result), result == expected))
    return m


def _proof(name: str, claim: str, harness: Callable[[Design], Module], is_long: bool = False) -> Proof:
    return Proof(f"mul.{name}", claim, MUL, harness, is_long=is_long)


PROOFS: Final = (
    _proof("odd", "(-a) b = a (-b) = -(a b), unless it is NaN", _harness(_is_odd)),
    _proof("one", "1 a = a 1 = a, subnormals flushed", _harness(_keeps_a_number)),
    _proof("nan", "the one NaN for NaN operands and 0 times infinity, no NaN otherwise", _harness(_nan)),
    _proof("flush", "no subnormal result, for any product of significands", _flushes),
    _proof("commutes", "a b = b a, for any product of significands", _commutes),
    _proof("digits", "each digit's product is that of long multiplication", _digits_are_products),
    _proof("sum", "the sum of digit products is whole, for any digit products", _sum_is_whole),
    _proof("nearest", "any product of significands rounded to nearest even, tiny ones flushed; special cases, "
           "subnormal operands as zeros", _product_is_rounded),
)  # fmt: skip
