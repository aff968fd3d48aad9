"""Exact products of chains of tiles: one operand vector a tile, all added up, for one token or several.

Where the host can multiply unsigned by signed bytes and add up four products (AVX-512 VNNI), it is given each weight
plus 128, which is unsigned; the excess, 128 times the sum of the operands, is where the sum begins: `beginnings`.
Another host gets products of 16-bit numbers, and its sums begin at zero. Same result, slower.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import binding, ir  # pyright: ignore[reportMissingTypeStubs]
from numba.core import cgutils, config, types

from waterclock.simulator.machine.kernels.compiled import llvm
from waterclock.simulator.machine.kernels.ir import (
    INT8,
    INT16,
    INT32,
    INT64,
    add_pairs,
    add_to,
    add_up,
    filled,
    load,
    places,
    prefetch,
    shuffle,
    vector_of,
    widened,
)
from waterclock.simulator.machine.kernels.memory import kernel

COLUMNS = 64
"""Columns of a tile that are multiplied at once."""
PARTS = 16
"""A sum is kept in so many parts until its chain is through."""
ROWS_OF_TOKEN, ROWS_OF_TOKENS, TOKENS = 16, 4, 4
"""Rows of a tile that are multiplied at once, for one token and for several."""

_VNNI = "llvm.x86.avx512.vpdpbusd.512"


def host_has_vnni() -> bool:
    """Whether code is compiled for a processor that adds up products of bytes; not if numba was told of another one."""
    named: Any = config
    told = getattr(named, "CPU_NAME", None) or getattr(named, "CPU_FEATURES", None)
    return not told and bool(binding.get_host_cpu_features().get("avx512vnni"))  # pyright: ignore


EXCESS = 128 if host_has_vnni() else 0
"""What is added to every weight to make it unsigned."""


def _weights(builder: Any, row: Any, excess: int) -> Any:
    """A row of weights as it is multiplied."""
    return builder.xor(row, filled(INT8, -128, COLUMNS)) if excess else widened(builder, row)


def _plus_products(builder: Any, total: Any, weights: Any, x: Any, excess: int) -> Any:
    """The parts of a sum, with the products of weights and operands added."""
    if excess:
        parts = vector_of(INT32, PARTS)
        function = builder.module.declare_intrinsic(_VNNI, (), ir.FunctionType(parts, [parts] * 3))
        return builder.call(function, [total, *(builder.bitcast(each, parts) for each in (weights, x))])
    wide = builder.sext(builder.sext(x, vector_of(INT16, COLUMNS)), vector_of(INT32, COLUMNS))
    pairs = add_pairs(builder, builder.mul(weights, wide))
    low, high = (shuffle(builder, pairs, pairs, range(first, first + PARTS)) for first in (0, PARTS))
    return builder.add(total, builder.add(low, high))


def chain(rows: int, tokens: int, *, fetches: bool, excess: int = EXCESS) -> Callable[..., Any]:
    """A function for compiled code that multiplies a chain's tiles by the operands of `tokens` tokens, in `rows` rows
    and COLUMNS columns; there are PARTS sums in all. It may fetch the tiles of another chain meanwhile."""
    assert rows * tokens == PARTS

    @llvm
    def add(
        typing: Any, tiles: Any, at: Any, ahead: Any, count: Any, stride: Any, x: Any, beginnings: Any, y: Any
    ) -> Any:
        """y[t, r] += sum over k and c of tiles[at[k] + stride * r + c] * x[k, t, c] for `count` tiles k, modulo 2^32.

        `tiles` is int8 [n], `at` and `ahead` int64 [>= count], `x` int8 [>= count, >= tokens, >= COLUMNS],
        `beginnings` int32 [>= tokens, PARTS], y int32 [>= tokens, >= rows].
        """

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            def of(argument: int) -> Callable[..., Any]:
                return places(context, builder, signature, values, argument)

            base, x_at, y_at = of(0)(), of(5), of(7)
            steps = [builder.mul(values[4], INT64(row)) for row in range(rows)]
            sums = [[cgutils.alloca_once(builder, vector_of(INT32, PARTS)) for _ in range(rows)] for _ in range(tokens)]
            for token in range(tokens):
                begun = load(builder, of(6)(token), INT32, PARTS)
                for one in sums[token]:
                    builder.store(begun, one)
            with cgutils.for_range(builder, values[3]) as link:  # pyright: ignore
                number = link.index
                here, there = (
                    builder.gep(base, [builder.load(builder.bitcast(of(argument)(number), INT64.as_pointer()))])
                    for argument in (1, 2)
                )
                if fetches:
                    for step in steps:
                        prefetch(builder, builder.gep(there, [step]))
                lines = [load(builder, builder.gep(here, [step]), INT8, COLUMNS) for step in steps]
                weights = [_weights(builder, line, excess) for line in lines]
                for token in range(tokens):
                    operand = load(builder, x_at(number, token), INT8, COLUMNS)
                    for one, line in zip(sums[token], weights, strict=True):
                        builder.store(_plus_products(builder, builder.load(one), line, operand, excess), one)
            whole = add_up(builder, [builder.load(one) for token in sums for one in token])
            for token in range(tokens):
                mine = range(token * rows, (token + 1) * rows)
                add_to(builder, y_at(token), shuffle(builder, whole, whole, mine))
            return context.get_dummy_value()

        return types.void(tiles, at, ahead, count, stride, x, beginnings, y), generate

    return add


add_chain = chain(ROWS_OF_TOKEN, 1, fetches=True)
add_chain_of_tokens = chain(ROWS_OF_TOKENS, TOKENS, fetches=False)
add_chain_of_tokens_fetching = chain(ROWS_OF_TOKENS, TOKENS, fetches=True)


@llvm
def add_excess(typing: Any, x: Any, y: Any) -> Any:
    """y[p] -= 128 * (sum of a PARTS-th of x), for COLUMNS operands int8 and parts p int32."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        operand = load(builder, places(context, builder, signature, values, 0)(), INT8, COLUMNS)
        place = places(context, builder, signature, values, 1)()
        parts = vector_of(INT32, PARTS)
        excess = _plus_products(builder, ir.Constant(parts, None), filled(INT8, -128, COLUMNS), operand, EXCESS)
        add_to(builder, place, builder.sub(ir.Constant(parts, None), excess))
        return context.get_dummy_value()

    return types.void(x, y), generate


@kernel
def begin(x: Any, count: int, beginnings: Any) -> None:
    """beginnings[b, t]: where the sums of a chain of `count` tiles begin in columns COLUMNS * b and on, for operands x
    int8 [>= count, tokens, lanes]; nothing where lanes are no blocks of COLUMNS."""
    if x.shape[2] % COLUMNS:
        return
    for block in range(len(beginnings)):
        for t in range(beginnings.shape[1]):
            for part in range(PARTS):
                beginnings[block, t, part] = 0
            for k in range(count if EXCESS else 0):
                add_excess(x[k, t, block * COLUMNS :], beginnings[block, t])
