"""exp2, reciprocal and rsqrt of one lane: the sequences that `waterclock.numerics.functions` defines, step by step.

The steps are those of its critical paths: three for each fp32 operation, one for each int32 operation. Which special
case an operand is comes out of the first step and goes along to the last.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from amaranth.hdl import Array, Cat, Const, Module, Mux, Value

from waterclock.numerics import functions
from waterclock.numerics.jit import Fp32
from waterclock.rtl.float_word import (
    BIAS,
    exponent,
    fraction,
    infinity,
    is_infinite,
    is_nan,
    is_zero,
    leading_one,
    magnitude,
    sign,
)  # fmt: skip
from waterclock.rtl.fp32 import (
    ADD,
    CANONICAL_NAN,
    EXPONENT_BITS,
    FRACTION_BITS,
    MAGNITUDE_BITS,
    SUBTRACT,
)  # fmt: skip
from waterclock.rtl.fp32_mul import MUL
from waterclock.rtl.pipeline import Step, Values, wire
from waterclock.rtl.side_by_side import Operation, side_by_side
from waterclock.rtl.streams import WORD_BITS

CASES = ("nan", "infinite", "zero", "sign")
POWER_BITS = EXPONENT_BITS + 1
"""What is added to the exponent field of a number and the sign above it."""
TO_THE_END = ("power", *CASES)

FIXED_POINT_BITS = 24
INTEGER_BITS = 7
TOP_EXPONENT = BIAS + INTEGER_BITS - 1
"""The exponent field of a number whose leading one is the top bit of a fixed-point magnitude."""
SHIFT_BITS = 5
SCALE_INDEX_BITS = (len(functions.EXP2_SCALE) - 1).bit_length()
SEED_INDEX_BITS = (len(functions.RECIPROCAL_SCALE) - 1).bit_length()


def _table(m: Module, name: str, table: Fp32, index: Value) -> Value:
    """A read-only memory of fp32 numbers, read at an index."""
    words = Array([Const(word, WORD_BITS) for word in table.view(np.uint32).tolist()])
    return wire(m, name, words[index])


def _number(exponent: Value | int, fraction: Value) -> Value:
    """A positive fp32 number of an exponent field and a fraction."""
    field = Const(exponent, EXPONENT_BITS) if isinstance(exponent, int) else exponent
    return Cat(fraction, field, Const(0, 1))


# exp2: a becomes a fixed-point number, one step for each operation on integers.


def negate(m: Module, values: Values) -> Values:
    """The significand of a and its negative, how far to shift them, and the special cases."""
    a = values["a"]
    return {
        "significand": leading_one(a),
        "negated": (-leading_one(a))[: FRACTION_BITS + 2],
        "negative": sign(a),
        "shift": (TOP_EXPONENT - exponent(a))[:SHIFT_BITS],
        "gone": exponent(a) <= TOP_EXPONENT - (1 << SHIFT_BITS),
        "nan": is_nan(a),
        "infinite": ~sign(a) & (magnitude(a) >= int(functions.EXP2_OVERFLOW_BITS)),
        "zero": sign(a) & (magnitude(a) > int(functions.EXP2_UNDERFLOW_BITS)),
        "sign": Const(0, 1),
    }


def choose_sign(m: Module, values: Values) -> Values:
    signed = Mux(values["negative"], values["negated"], values["significand"])[: FRACTION_BITS + 2]
    return {"signed": signed} | {key: values[key] for key in ("shift", "gone", *CASES)}


def shift_to_point(m: Module, values: Values) -> Values:
    """The fixed-point number, rounded down."""
    below = FIXED_POINT_BITS + INTEGER_BITS - (FRACTION_BITS + 1)
    fixed = Cat(Const(0, below), values["signed"]).as_signed() >> values["shift"]
    return {"fixed": fixed.as_unsigned()} | {key: values[key] for key in ("gone", *CASES)}


def look_up_scale(m: Module, values: Values) -> Values:
    """Take the fixed-point number apart: a power of two, an eighth, and z in [1, 2) from what remains."""
    fixed = wire(m, "fixed", Mux(values["gone"], 0, values["fixed"])[: len(values["fixed"])])
    rest = FIXED_POINT_BITS - SCALE_INDEX_BITS
    return {
        "z": _number(BIAS, Cat(Const(0, FRACTION_BITS - rest), fixed[:rest])),
        "scale": _table(m, "scale", functions.EXP2_SCALE, fixed[rest:FIXED_POINT_BITS]),
        "power": Cat(fixed[FIXED_POINT_BITS:], fixed[-1]),
    } | {key: values[key] for key in CASES}


# reciprocal and rsqrt: a seed from a table.


def look_up_reciprocal(m: Module, values: Values) -> Values:
    a = values["a"]
    index = fraction(a)[-SEED_INDEX_BITS:]
    return {
        "m": _number(BIAS, fraction(a)),
        "multiplier": _table(m, "multiplier", functions.RECIPROCAL_MULTIPLIER, index),
        "scale": _table(m, "scale", functions.RECIPROCAL_SCALE, index),
        "power": (BIAS - exponent(a))[:POWER_BITS] ^ (sign(a) << EXPONENT_BITS),
        "nan": is_nan(a),
        "infinite": is_zero(a),
        "zero": magnitude(a) > int(functions.RECIPROCAL_UNDERFLOW_BITS),
        "sign": sign(a),
    }


def look_up_rsqrt(m: Module, values: Values) -> Values:
    """The seed of a with an even power of two taken out: m is in [2, 4) where the exponent field is even."""
    a = values["a"]
    even = ~exponent(a)[0]
    index = Cat(fraction(a)[-SEED_INDEX_BITS:], ~even)
    half = (exponent(a) + 1) >> 1
    return {
        "m": _number(BIAS + even, fraction(a)),
        "multiplier": _table(m, "multiplier", functions.RSQRT_MULTIPLIER, index),
        "scale": _table(m, "scale", functions.RSQRT_SCALE, index),
        "power": ((BIAS + 1) // 2 - half)[:POWER_BITS],
        "nan": is_nan(a) | (sign(a) & ~is_zero(a)),
        "infinite": is_zero(a),
        "zero": is_infinite(a),
        "sign": sign(a),
    }


# Every function ends with these two.


def add_power(m: Module, values: Values) -> Values:
    """Add to the exponent of a number, sign included, modulo their width."""
    number = values["number"]
    upper = (number[FRACTION_BITS:] + values["power"])[:POWER_BITS]
    return {"number": Cat(fraction(number), upper)} | {key: values[key] for key in CASES}


def choose_case(m: Module, values: Values) -> Values:
    """The number, or what a special case has instead."""
    zero = Cat(Const(0, MAGNITUDE_BITS), values["sign"])
    result = Mux(values["zero"], zero, values["number"])
    result = Mux(values["infinite"], infinity(values["sign"]), result)
    return {"result": Mux(values["nan"], CANONICAL_NAN, result)[:WORD_BITS]}


EXP2 = (
    negate, choose_sign, shift_to_point, look_up_scale,
    *side_by_side({
        "shifted": Operation(ADD, "z", functions.EXP2_LINE),
        "linear": Operation(ADD, "z", functions.EXP2_PARABOLA_LINEAR),
    }, keep=("z", "scale", *TO_THE_END)),
    *side_by_side({
        "line": Operation(MUL, "scale", "shifted"),
        "product": Operation(MUL, "z", "linear"),
    }, keep=TO_THE_END),
    *side_by_side({
        "parabola": Operation(ADD, "product", functions.EXP2_PARABOLA_CONSTANT),
    }, keep=("line", *TO_THE_END)),
    *side_by_side({"number": Operation(MUL, "line", "parabola")}, keep=TO_THE_END),
    add_power, choose_case,
)  # fmt: skip


def _from_seed(look_up: Step, line: np.float32, parabola: np.float32) -> tuple[Step, ...]:
    """The shape that reciprocal and rsqrt share."""
    return (
        look_up,
        *side_by_side({"h": Operation(MUL, "m", "multiplier")}, keep=("scale", *TO_THE_END)),
        *side_by_side({
            "factor": Operation(SUBTRACT, line, "h"),
            "rest": Operation(SUBTRACT, parabola, "h"),
            "square": Operation(MUL, "h", "h"),
        }, keep=("scale", *TO_THE_END)),
        *side_by_side({
            "line": Operation(MUL, "scale", "factor"),
            "parabola": Operation(ADD, "rest", "square"),
        }, keep=TO_THE_END),
        *side_by_side({"number": Operation(MUL, "line", "parabola")}, keep=TO_THE_END),
        add_power, choose_case,
    )  # fmt: skip


DATAPATHS: Final[Mapping[str, tuple[Step, ...]]] = MappingProxyType({
    "vxm.exp2": EXP2,
    "vxm.reciprocal": _from_seed(look_up_reciprocal, functions.RECIPROCAL_LINE, functions.RECIPROCAL_PARABOLA),
    "vxm.rsqrt": _from_seed(look_up_rsqrt, functions.RSQRT_LINE, functions.RSQRT_PARABOLA),
})  # fmt: skip
