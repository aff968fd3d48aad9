"""Exact products of chains of tiles: one operand vector a tile, all added up, for one token or several.

Where the host can multiply unsigned by signed bytes and add up four products (AVX-512 VNNI), it is given each weight
plus 128, which is unsigned; the excess, 128 times the sum of the operands, is where the sum begins: `beginnings`.
Another host gets products of 16-bit numbers, and its sums begin at zero. Same result, slower.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import binding, ir  # pyright: ignore[reportMissingTypeStubs]
from numba.core import config, types

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
    times,
    transposed,
    variable,
    vector_of,
    widened,
)
from waterclock.simulator.machine.kernels.memory import kernel

COLUMNS = 64
"""Columns of a tile that are multiplied at once."""
PARTS = 16
"""A token's sum is kept in so many parts until its chain is through."""
ROWS, TOKENS = 16, 4
"""Rows of a tile, and tokens, that are multiplied at once."""

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


def chain_of_token(excess: int) -> Callable[..., Any]:
    """The function for compiled code that multiplies by the operands of one token."""

    @llvm
    def add(
        typing: Any, tiles: Any, at: Any, ahead: Any, count: Any, stride: Any, x: Any, beginnings: Any, y: Any
    ) -> Any:
        """y[r] += sum over k and c of tiles[at[k] + stride * r + c] * x[k, c], for `count` tiles k, ROWS rows r and
        COLUMNS columns c, modulo 2^32. What is at `ahead` instead of `at` is fetched into the cache meanwhile.

        `tiles` is int8 [n], `at` and `ahead` int64 [>= count], `x` int8 [>= count, >= COLUMNS], `beginnings` int32
        [PARTS], y int32 [>= ROWS].
        """

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            def of(argument: int, *indices: Any) -> Any:
                return places(context, builder, signature, values, argument)(*indices)

            base, begun = of(0), load(builder, of(6), INT32, PARTS)
            steps = [builder.mul(values[4], INT64(row)) for row in range(ROWS)]
            sums = [variable(builder, begun) for _ in range(ROWS)]
            with times(builder, values[3]) as link:
                here, there = (builder.gep(base, [_number(builder, of(each, link))]) for each in (1, 2))
                operand = load(builder, of(5, link), INT8, COLUMNS)
                for one, step in zip(sums, steps, strict=True):
                    prefetch(builder, builder.gep(there, [step]))
                    weights = _weights(builder, load(builder, builder.gep(here, [step]), INT8, COLUMNS), excess)
                    builder.store(_plus_products(builder, builder.load(one), weights, operand, excess), one)
            add_to(builder, of(7), add_up(builder, [builder.load(one) for one in sums]))
            return context.get_dummy_value()

        return types.void(tiles, at, ahead, count, stride, x, beginnings, y), generate

    return add


def chain_of_tokens(excess: int) -> Callable[..., Any]:
    """The same for several tokens."""

    @llvm
    def add(typing: Any, tiles: Any, at: Any, ahead: Any, count: Any, stride: Any, x: Any, tokens: Any, y: Any) -> Any:
        """y[t, r] += sum over k and c of (tiles[at[k] + stride * r + c] + excess) * x[k, t, c], for `count` tiles k,
        ROWS rows r, COLUMNS columns c and `tokens` tokens t, a multiple of TOKENS; otherwise as for one token.

        The weights of ROWS rows change places, so that the sums of a token's rows lie side by side in a vector.
        """

        def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            def of(argument: int, *indices: Any) -> Any:
                return places(context, builder, signature, values, argument)(*indices)

            base, steps = of(0), [builder.mul(values[4], INT64(row)) for row in range(ROWS)]
            with times(builder, values[3]) as link:
                here, there = (builder.gep(base, [_number(builder, of(each, link))]) for each in (1, 2))
                lines: list[Any] = []
                for step in steps:
                    prefetch(builder, builder.gep(there, [step]))
                    lines.append(load(builder, builder.gep(here, [step]), INT32, ROWS))
                flip = filled(INT32, -0x7F7F7F80, ROWS) if excess else filled(INT32, 0, ROWS)
                columns = [builder.xor(column, flip) for column in transposed(builder, lines)]
                blocks = builder.udiv(values[6], INT64(TOKENS))
                with times(builder, blocks) as block:
                    for token in range(TOKENS):
                        number = builder.add(builder.mul(block, INT64(TOKENS)), INT64(token))
                        place = builder.bitcast(of(7, number), vector_of(INT32, ROWS).as_pointer())
                        total = builder.load(place, align=4)
                        for group, weights in enumerate(columns):
                            four = builder.gep(of(5, link, number), [INT64(4 * group)])
                            operand = builder.load(builder.bitcast(four, INT32.as_pointer()), align=1)
                            total = _plus_fours(builder, total, weights, operand, excess)
                        builder.store(total, place, align=4)
            return context.get_dummy_value()

        return types.void(tiles, at, ahead, count, stride, x, tokens, y), generate

    return add


def _number(builder: Any, pointer: Any) -> Any:
    return builder.load(builder.bitcast(pointer, INT64.as_pointer()))


def _plus_fours(builder: Any, total: Any, weights: Any, operand: Any, excess: int) -> Any:
    """A sum for each row, with the products of four of its weights and the four operands added."""
    same = builder.insert_element(filled(INT32, 0, ROWS), operand, INT32(0))
    same = shuffle(builder, same, same, [0] * ROWS)
    if excess:
        function = builder.module.declare_intrinsic(_VNNI, (), ir.FunctionType(total.type, [total.type] * 3))
        return builder.call(function, [total, weights, same])
    wide = [widened(builder, builder.bitcast(each, vector_of(INT8, 4 * ROWS))) for each in (weights, same)]
    return builder.add(total, add_pairs(builder, add_pairs(builder, builder.mul(*wide))))


add_chain_of_token, add_chain_of_tokens = chain_of_token(EXCESS), chain_of_tokens(EXCESS)


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
