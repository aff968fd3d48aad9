"""Conversions of one lane between fp32 and integers, by the contract of `waterclock.numerics.convert`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, signed

from waterclock.numerics import convert
from waterclock.rtl.float_word import BIAS, WIDE_BITS, exponent, is_nan, leading_one, normalise, sign
from waterclock.rtl.fp32 import SIGNIFICAND_BITS, round_and_pack
from waterclock.rtl.pipeline import Step, Values, wire
from waterclock.rtl.streams import WORD_BITS

INTEGER_BITS = 31
"""Bits of the magnitude of every int32 but the lowest."""
TOP_EXPONENT = BIAS + INTEGER_BITS - 1
"""The exponent field of a number whose leading one is the top bit of such a magnitude."""
MAX_SHIFT = INTEGER_BITS + 1
"""A shift that leaves less than half of a unit."""
SHIFT_BITS = MAX_SHIFT.bit_length()
BYTE_BITS = 8
NEVER = ("nan", "infinite", "zero_sign")
"""Special cases of a sum that an integer does not have."""


def to_fixed_point(m: Module, values: Values) -> Values:
    """The magnitude of a as an integer with a guard and a sticky bit below; `huge` if an int32 cannot hold it."""
    a = values["a"]
    shift = Mux(exponent(a) < TOP_EXPONENT - MAX_SHIFT, MAX_SHIFT, TOP_EXPONENT - exponent(a))[:SHIFT_BITS]
    aligned = Cat(Const(0, INTEGER_BITS), leading_one(a))
    shifted = wire(m, "shifted", aligned >> shift)
    return {
        "magnitude": shifted[-INTEGER_BITS:],
        "guard": shifted[-INTEGER_BITS - 1],
        "sticky": shifted[: -INTEGER_BITS - 1].any(),
        "sign": sign(a),
        "huge": exponent(a) > TOP_EXPONENT,
        "nan": is_nan(a),
    }


def _round_and_saturate(lowest: np.float64, highest: np.float64) -> Step:
    """Round to nearest even and limit to [lowest, highest]; NaN gives 0."""
    low, high = (Const(int(limit), signed(WORD_BITS)) for limit in (lowest, highest))

    def step(m: Module, values: Values) -> Values:
        magnitude, negative = values["magnitude"], values["sign"]
        up = values["guard"] & (values["sticky"] | magnitude[0])
        ones = Cat(magnitude ^ negative.replicate(INTEGER_BITS), negative.replicate(2)).as_signed()
        number = wire(m, "number", (ones + (up ^ negative))[: WORD_BITS + 1].as_signed())
        is_low = Mux(values["huge"], negative, number < low)
        is_high = Mux(values["huge"], ~negative, number > high)
        limited = Mux(is_low, low, Mux(is_high, high, number))
        return {"result": Mux(values["nan"], 0, limited)[:WORD_BITS]}

    return step


def magnitude_and_normalise(m: Module, values: Values) -> Values:
    """The magnitude of an int32 with its leading one at the top, the exponent of that, and the sign."""
    a = values["a"]
    negative = a[-1]
    magnitude = wire(m, "magnitude", ((a ^ negative.replicate(WORD_BITS)) + negative)[:WORD_BITS])
    number, places = normalise(m, magnitude)
    return {"number": number, "places": places, "sign": negative, "is_zero": ~magnitude.any()}


def round_integer(m: Module, values: Values) -> Values:
    """Keep as many bits as a sum has, the last of them sticky, and round as a sum."""
    number, zero = values["number"], Const(0, 1)
    low = WORD_BITS - SIGNIFICAND_BITS
    total = Cat(number[:low].any(), number[low:])
    place = (TOP_EXPONENT + 1 - values["places"])[:WIDE_BITS].as_signed()
    kept = {key: values[key] for key in ("sign", "is_zero")}
    return round_and_pack(m, {"total": total, "exponent": place, **kept, **dict.fromkeys(NEVER, zero)})


def widen8(m: Module, values: Values) -> Values:
    """The low byte of a, sign extended."""
    byte = values["a"][:BYTE_BITS]
    return {"result": Cat(byte, byte[-1].replicate(WORD_BITS - BYTE_BITS))}


DATAPATHS: Final[Mapping[str, tuple[Step, ...]]] = MappingProxyType({
    "vxm.to_int8": (to_fixed_point, _round_and_saturate(convert.INT8_MIN, convert.INT8_MAX)),
    "vxm.to_uint8": (to_fixed_point, _round_and_saturate(convert.UINT8_MIN, convert.UINT8_MAX)),
    "vxm.to_int32": (to_fixed_point, _round_and_saturate(convert.INT32_MIN, convert.INT32_MAX)),
    "vxm.to_fp32": (magnitude_and_normalise, round_integer),
    "vxm.widen8": (widen8,),
})  # fmt: skip
