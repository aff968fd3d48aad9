"""fp32 datapaths of one lane, in steps of about one cycle each, by the contract of `waterclock.numerics.fp32`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from amaranth.hdl import Cat, Const, Module, Mux, Value

from waterclock.rtl.pipeline import Prepared, Step, Values, wire

FRACTION_BITS, EXPONENT_BITS = 23, 8
MAGNITUDE_BITS = FRACTION_BITS + EXPONENT_BITS
EXTRA_BITS = 3
"""Guard, round and sticky bit below a significand."""
SIGNIFICAND_BITS = 1 + FRACTION_BITS + EXTRA_BITS
INFINITE_EXPONENT = (1 << EXPONENT_BITS) - 1
CANONICAL_NAN = 0x7FC00000
HALVINGS = (16, 8, 4, 2, 1)
"""Shifts that together move a leading one up from any place of a sum."""


def _exponent(word: Value) -> Value:
    return word[FRACTION_BITS:MAGNITUDE_BITS]


def _significand(word: Value) -> Value:
    """1.fraction with the extra bits below; 0 for zeros and subnormals."""
    full = Cat(Const(0, EXTRA_BITS), word[:FRACTION_BITS], Const(1, 1))
    return Mux(_exponent(word) == 0, 0, full)


def _is_nan(word: Value) -> Value:
    return (_exponent(word) == INFINITE_EXPONENT) & word[:FRACTION_BITS].any()


def _is_infinite(word: Value) -> Value:
    return (_exponent(word) == INFINITE_EXPONENT) & ~word[:FRACTION_BITS].any()


def align(m: Module, values: Values) -> Values:
    """Order a and b by magnitude and shift the smaller significand to the larger exponent, keeping a sticky bit.

    A subnormal has the significand 0, so it counts as a zero and its magnitude need not be cleared to compare.
    """
    a, b = values["a"], values["b"]
    swap = wire(m, "swap", a[:MAGNITUDE_BITS] < b[:MAGNITUDE_BITS])
    large, small = wire(m, "large", Mux(swap, b, a)), wire(m, "small", Mux(swap, a, b))
    distance = _exponent(large) - _exponent(small)
    capped = Mux(distance > SIGNIFICAND_BITS, SIGNIFICAND_BITS, distance)[:5]
    shifted = wire(m, "shifted", Cat(Const(0, SIGNIFICAND_BITS), _significand(small)) >> capped)
    sticky = shifted[:SIGNIFICAND_BITS].any()
    kept = shifted[SIGNIFICAND_BITS : 2 * SIGNIFICAND_BITS]
    differ = a[-1] ^ b[-1]
    return {
        "exponent": _exponent(large),
        "large": _significand(large),
        "small": Cat(kept[0] | sticky, kept[1:]),
        "subtract": differ,
        "sign": large[-1],
        "zero_sign": a[-1] & b[-1],
        "nan": _is_nan(a) | _is_nan(b) | (_is_infinite(a) & _is_infinite(b) & differ),
        "infinite": _is_infinite(large),
    }


def add_and_normalise(m: Module, values: Values) -> Values:
    """Add or subtract the significands and bring the leading one of the sum to the top."""
    large, small = values["large"], values["small"]
    total = Mux(values["subtract"], large - small, large + small)[: SIGNIFICAND_BITS + 1]
    total = wire(m, "total", total)
    is_zero = total == 0
    exponent: Value = values["exponent"] + 1
    for shift in HALVINGS:
        low = wire(m, f"low_{shift}", total[-shift:] == 0)
        total = wire(m, f"total_{shift}", Mux(low, Cat(Const(0, shift), total[:-shift]), total))
        exponent = wire(m, f"exponent_{shift}", Mux(low, exponent - shift, exponent)[:10].as_signed())
    kept = ("sign", "zero_sign", "nan", "infinite")
    return {"total": total, "exponent": exponent, "is_zero": is_zero} | {key: values[key] for key in kept}


def round_and_pack(m: Module, values: Values) -> Values:
    """Round to nearest even, flush what is below the normal numbers, and put special results in place."""
    total, exponent = values["total"], values["exponent"]
    low = SIGNIFICAND_BITS - FRACTION_BITS
    guard, sticky = total[low - 1], total[: low - 1].any()
    up = guard & (sticky | total[low])
    packed = wire(m, "packed", (Cat(total[low : low + FRACTION_BITS], exponent) + up)[: MAGNITUDE_BITS + 2])
    overflow = ~exponent[-1] & (packed[FRACTION_BITS:] >= INFINITE_EXPONENT)
    infinity = Const(INFINITE_EXPONENT << FRACTION_BITS, MAGNITUDE_BITS)
    magnitude = Mux(overflow | values["infinite"], infinity, packed[:MAGNITUDE_BITS])
    tiny = ~values["infinite"] & ((exponent <= 0) | values["is_zero"])
    finite = Cat(Mux(tiny, 0, magnitude)[:MAGNITUDE_BITS], Mux(values["is_zero"], values["zero_sign"], values["sign"]))
    return {"result": Mux(values["nan"], CANONICAL_NAN, finite)[:32]}


def negate_b(values: Values) -> Values:
    """a - b is a + (-b); a NaN stays one."""
    b = values["b"]
    return {"a": values["a"], "b": Cat(b[:MAGNITUDE_BITS], ~b[MAGNITUDE_BITS])}


ADD = (align, add_and_normalise, round_and_pack)
SUBTRACT = (Prepared(negate_b, align), *ADD[1:])

DATAPATHS: Final[Mapping[str, tuple[Step, ...]]] = MappingProxyType({"vxm.add": ADD, "vxm.sub": SUBTRACT})
