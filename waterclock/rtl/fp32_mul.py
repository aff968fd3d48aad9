"""The fp32 product of one lane, by the contract of `waterclock.numerics.fp32`.

The significand of b is cut into digits: their products with the significand of a, their sum, and the rounding take
about the time of one step of the adder each.
"""

from types import MappingProxyType
from typing import Final

from amaranth.hdl import Cat, Const, Module, Mux

from waterclock.rtl.float_word import BIAS, WIDE_BITS, exponent, is_infinite, is_nan, is_zero, leading_one, sign
from waterclock.rtl.fp32 import FRACTION_BITS, SIGNIFICAND_BITS, round_and_pack
from waterclock.rtl.pipeline import Values, wire

DIGIT_BITS = 6
DIGITS: Final = tuple(f"digit_{low}" for low in range(0, 1 + FRACTION_BITS, DIGIT_BITS))
PRODUCT_BITS = 2 * (1 + FRACTION_BITS)


def multiply_digits(m: Module, values: Values) -> Values:
    """The significand of a times each digit of that of b, special cases, and the exponent of a product from 2 up."""
    a, b = values["a"], values["b"]
    significand = leading_one(b)
    digits = (significand[low : low + DIGIT_BITS] for low in range(0, len(significand), DIGIT_BITS))
    products = {name: leading_one(a) * digit for name, digit in zip(DIGITS, digits, strict=True)}
    any_zero, any_infinite = is_zero(a) | is_zero(b), is_infinite(a) | is_infinite(b)
    return products | {
        "exponent": (exponent(a) + exponent(b) - (BIAS - 1))[:WIDE_BITS].as_signed(),
        "sign": sign(a) ^ sign(b),
        "is_zero": any_zero,
        "infinite": any_infinite,
        "nan": is_nan(a) | is_nan(b) | (any_zero & any_infinite),
    }


def sum_digits(m: Module, values: Values) -> Values:
    """The product of the significands, of one or two digits before the point."""
    first, second, third, fourth = (values[name] << number * DIGIT_BITS for number, name in enumerate(DIGITS))
    kept = ("exponent", "sign", "is_zero", "infinite", "nan")
    product = ((first + second) + (third + fourth))[:PRODUCT_BITS]
    return {"product": product} | {key: values[key] for key in kept}


def round_product(m: Module, values: Values) -> Values:
    """Bring the leading one to the top, keep as many bits as a sum has, the last of them sticky, and round as a sum."""
    product, low = values["product"], PRODUCT_BITS - SIGNIFICAND_BITS
    above_two = product[-1]
    normal = wire(m, "normal", Mux(above_two, product, Cat(Const(0, 1), product[:-1])))
    total = Cat(normal[:low].any(), normal[low:])
    place = (values["exponent"] - ~above_two)[:WIDE_BITS].as_signed()
    return round_and_pack(m, {**values, "total": total, "exponent": place, "zero_sign": values["sign"]})


MUL = (multiply_digits, sum_digits, round_product)
DATAPATHS: Final = MappingProxyType({"vxm.mul": MUL})
