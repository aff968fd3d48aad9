"""Datapaths of one step: comparisons of fp32 numbers, bit operations, and int32 addition.

By the contracts of `waterclock.numerics.fp32` and `waterclock.numerics.int32`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from amaranth.hdl import Cat, Module, Mux, Value

from waterclock.rtl.float_word import flush, is_nan, is_zero, magnitude, sign
from waterclock.rtl.fp32 import CANONICAL_NAN, MAGNITUDE_BITS
from waterclock.rtl.pipeline import Step, Values, wire
from waterclock.rtl.streams import WORD_BITS

SHIFT_BITS = 5


@dataclass(frozen=True)
class Order:
    """Two fp32 operands, subnormals flushed, and how they compare; -0 is less than +0 and yet equal to it."""

    a: Value
    b: Value
    less: Value
    equal: Value
    nan: Value


def _key(word: Value) -> Value:
    """An unsigned number that sorts as the fp32 numbers do."""
    return Cat(magnitude(word) ^ sign(word).replicate(MAGNITUDE_BITS), ~sign(word))


def _order(m: Module, values: Values) -> Order:
    a, b = wire(m, "flushed_a", flush(values["a"])), wire(m, "flushed_b", flush(values["b"]))
    less = wire(m, "less", _key(a) < _key(b))
    equal = wire(m, "equal", (a == b) | (is_zero(a) & is_zero(b)))
    return Order(a, b, less, equal, is_nan(a) | is_nan(b))


def _extreme(choose: Callable[[Order], Value]) -> tuple[Step, ...]:
    """One of the operands; the canonical NaN if either is NaN."""

    def step(m: Module, values: Values) -> Values:
        order = _order(m, values)
        return {"result": Mux(order.nan, CANONICAL_NAN, choose(order))[:WORD_BITS]}

    return (step,)


def _compare(holds: Callable[[Order], Value]) -> tuple[Step, ...]:
    """All bits set where the relation holds; it never does for NaN."""

    def step(m: Module, values: Values) -> Values:
        order = _order(m, values)
        return {"result": (holds(order) & ~order.nan).replicate(WORD_BITS)}

    return (step,)


def _unary(function: Callable[[Value], Value]) -> tuple[Step, ...]:
    def step(m: Module, values: Values) -> Values:
        return {"result": function(values["a"])[:WORD_BITS]}

    return (step,)


def _binary(function: Callable[[Value, Value], Value]) -> tuple[Step, ...]:
    def step(m: Module, values: Values) -> Values:
        return {"result": function(values["a"], values["b"])[:WORD_BITS]}

    return (step,)


def _select(m: Module, values: Values) -> Values:
    return {"result": Mux(values["a"].any(), values["b"], values["c"])}


def _lane_index(m: Module, values: Values) -> Values:
    return {"result": values["lane"]}


def _absolute(a: Value) -> Value:
    return Mux(is_nan(a), CANONICAL_NAN, magnitude(flush(a)))


MAX = _extreme(lambda order: Mux(order.less, order.b, order.a))
MIN = _extreme(lambda order: Mux(order.less, order.a, order.b))

DATAPATHS: Final[Mapping[str, tuple[Step, ...]]] = MappingProxyType({
    "vxm.max": MAX,
    "vxm.min": MIN,
    "vxm.abs": _unary(_absolute),
    "vxm.compare_lt": _compare(lambda order: order.less & ~order.equal),
    "vxm.compare_le": _compare(lambda order: order.less | order.equal),
    "vxm.compare_eq": _compare(lambda order: order.equal),
    "vxm.move": _unary(lambda a: a),
    "vxm.select": (_select,),
    "vxm.iadd": _binary(lambda a, b: a + b),
    "vxm.and": _binary(lambda a, b: a & b),
    "vxm.or": _binary(lambda a, b: a | b),
    "vxm.xor": _binary(lambda a, b: a ^ b),
    "vxm.shl": _binary(lambda a, b: a << b[:SHIFT_BITS]),
    "vxm.shr": _binary(lambda a, b: a >> b[:SHIFT_BITS]),
    "vxm.sar": _binary(lambda a, b: a.as_signed() >> b[:SHIFT_BITS]),
    "vxm.lane_index": (_lane_index,),
})  # fmt: skip
