"""Lanes that meet within a few, as LLVM vector instructions, which LLVM does not make of so short a loop."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # pyright: ignore[reportMissingTypeStubs]
from numba.core import types

from waterclock.numerics.fp32 import CANONICAL_NAN_BITS, EXPONENT_BITS, MAGNITUDE_BITS, SIGN_BIT
from waterclock.simulator.machine.kernels.compiled import llvm
from waterclock.simulator.machine.kernels.ir import INT32, filled, places, shuffle, vector_of

BLOCK = 16
"""Lanes that are worked on at once."""

_WORDS = vector_of(INT32, BLOCK)
_FLOATS = vector_of(ir.FloatType(), BLOCK)
_MASKS = tuple(1 << power for power in range(BLOCK.bit_length() - 1))

Combine = Callable[[Any, Any, Any], Any]
"""combine(builder, x, y): an operation on two vectors of BLOCK fp32 numbers."""


def _exchanged(builder: Any, x: Any, mask: int) -> Any:
    return shuffle(builder, x, x, (i ^ mask for i in range(BLOCK)))


@llvm
def exchange_few(typing: Any, x: Any, y: Any, first: Any, target: Any, mask: Any) -> Any:
    """y[target + i] = x[first + (i ^ mask)] for BLOCK lanes i and a mask that is 0 or a power of two below that."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        here, there = (
            builder.bitcast(places(context, builder, signature, values, argument)(start), _WORDS.as_pointer())
            for argument, start in enumerate(values[2:4])
        )
        vector = builder.load(here, align=4)
        result = vector
        for each in _MASKS:
            chosen = builder.icmp_signed("==", values[4], ir.Constant(values[4].type, each))
            result = builder.select(chosen, _exchanged(builder, vector, each), result)
        builder.store(result, there, align=4)
        return context.get_dummy_value()

    return types.void(x, y, first, target, mask), generate


def of_blocks(combine: Combine) -> tuple[Callable[..., None], Callable[..., None]]:
    """Two functions for compiled code: one combines a block with another into the first, one a block's own lanes, with
    strides BLOCK / 2 .. 1."""

    @llvm
    def combine_blocks(typing: Any, y: Any, first: Any, second: Any) -> Any:
        """y[first + i] = combine(y[first + i], y[second + i])."""

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            here, there = (_block(context, builder, signature, values, argument) for argument in (1, 2))
            result = combine(builder, builder.load(here, align=4), builder.load(there, align=4))
            builder.store(result, here, align=4)
            return context.get_dummy_value()

        return types.void(y, first, second), generate

    @llvm
    def reduce_block(typing: Any, y: Any, first: Any) -> Any:
        """Every y[first + i] becomes the block's result."""

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            here = _block(context, builder, signature, values, 1)
            result = builder.load(here, align=4)
            for mask in reversed(_MASKS):
                result = combine(builder, result, _exchanged(builder, result, mask))
            builder.store(result, here, align=4)
            return context.get_dummy_value()

        return types.void(y, first), generate

    return combine_blocks, reduce_block


def _block(context: Any, builder: Any, signature: Any, values: Any, argument: int) -> Any:
    """Where the block begins whose first lane is an argument; the array is the first."""
    place = places(context, builder, signature, values, 0)(values[argument])
    return builder.bitcast(place, _FLOATS.as_pointer())


def add(builder: Any, x: Any, y: Any) -> Any:
    """`fp32.add`."""
    return _canonical(builder, _flushed(builder, builder.fadd(_flushed(builder, x), _flushed(builder, y))))


def maximum(builder: Any, x: Any, y: Any) -> Any:
    """`fp32.maximum`."""
    keys = [_order_key(builder, builder.bitcast(_flushed(builder, each), _WORDS)) for each in (x, y)]
    larger = builder.select(builder.icmp_signed("<", *keys), keys[1], keys[0])
    number = builder.bitcast(_order_key(builder, larger), _FLOATS)
    return builder.select(builder.fcmp_unordered("uno", x, y), _nan(builder), number)


def _order_key(builder: Any, word: Any) -> Any:
    sign = builder.ashr(word, filled(INT32, 31, BLOCK))
    return builder.xor(word, builder.and_(sign, filled(INT32, int(MAGNITUDE_BITS), BLOCK)))


def _flushed(builder: Any, x: Any) -> Any:
    word = builder.bitcast(x, _WORDS)
    exponent = builder.and_(word, filled(INT32, int(EXPONENT_BITS), BLOCK))
    is_small = builder.icmp_signed("==", exponent, filled(INT32, 0, BLOCK))
    zero = builder.and_(word, filled(INT32, int(SIGN_BIT), BLOCK))
    return builder.bitcast(builder.select(is_small, zero, word), _FLOATS)


def _canonical(builder: Any, x: Any) -> Any:
    return builder.select(builder.fcmp_unordered("uno", x, x), _nan(builder), x)


def _nan(builder: Any) -> Any:
    return builder.bitcast(filled(INT32, int(CANONICAL_NAN_BITS), BLOCK), _FLOATS)
