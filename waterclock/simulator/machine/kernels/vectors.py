"""Kernels of values alone: VXM and SXM instructions, and preparations of operands.

The elementwise ones are the functions of `semantics.ELEMENTWISE` in a loop over lanes; the others move lanes and bytes.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from waterclock.numerics import fp32
from waterclock.numerics.jit import bits_of, choose
from waterclock.numerics.reductions import reduce_lanes_add, reduce_lanes_max
from waterclock.simulator.machine.kernels.exchanges import BLOCK, add, exchange_few, maximum, of_blocks
from waterclock.simulator.machine.kernels.memory import Kernel, Memory, copy, fill, kernel, tokens
from waterclock.simulator.semantics import ELEMENTWISE, Type, ValueRow

_VIEW_BY_TYPE: Mapping[Type, int] = MappingProxyType(
    {Type.RAW: Memory._fields.index("values"), Type.FP32: Memory._fields.index("floats")}
)


def _views(row: ValueRow) -> tuple[int, ...]:
    """Which fields of Memory show the operands and the result as the function sees them."""
    return tuple(_VIEW_BY_TYPE[type_] for type_ in (*row.operands, row.result))


def _unary(row: ValueRow) -> Kernel:
    function, (a_view, view) = row.function, _views(row)

    @kernel
    def loop(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
        x, y = m[a_view][a], m[view][r]
        for i in range(len(y)):
            y[i] = function(x[i])

    return loop


def _binary(row: ValueRow) -> Kernel:
    function, (a_view, b_view, view) = row.function, _views(row)

    @kernel
    def loop(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
        x, y, z = m[a_view][a], m[b_view][b], m[view][r]
        for i in range(len(z)):
            z[i] = function(x[i], y[i])

    return loop


def _ternary(row: ValueRow) -> Kernel:
    function, (a_view, b_view, c_view, view) = row.function, _views(row)

    @kernel
    def loop(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
        x, y, z, result = m[a_view][a], m[b_view][b], m[c_view][c], m[view][r]
        for i in range(len(result)):
            result[i] = function(x[i], y[i], z[i])

    return loop


_LOOP_BY_ARITY: Mapping[int, Callable[[ValueRow], Kernel]] = MappingProxyType({1: _unary, 2: _binary, 3: _ternary})


@kernel
def mul(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    """`fp32.mul`, rounded by the host. Only the smallest normal number may have been rounded to from below, where the
    definition has zero: it decides where there is one."""
    x, y, z = m.floats[a], m.floats[b], m.floats[r]
    doubtful = 0
    for i in range(len(z)):
        product = fp32.flush(x[i]) * fp32.flush(y[i])
        doubtful |= (bits_of(product) & fp32.MAGNITUDE_BITS) == SMALLEST_NORMAL_BITS
        z[i] = fp32.canonical(fp32.flush(product))
    if doubtful:
        for i in range(len(z)):
            z[i] = fp32.mul(x[i], y[i])


SMALLEST_NORMAL_BITS = bits_of(np.float32(fp32.SMALLEST_NORMAL))

ELEMENTWISE_KERNELS: Mapping[str, Kernel] = MappingProxyType({
    **{mnemonic: _LOOP_BY_ARITY[len(row.operands)](row) for mnemonic, row in ELEMENTWISE.items()},
    "vxm.mul": mul,
})  # fmt: skip


# Preparations of operands.


@kernel
def lane_xor(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    """The lanes i ^ at of a."""
    _exchange(m.values[a], m.values[r], at)


@kernel
def _exchange(x: Any, y: Any, at: int) -> None:
    """y[i] = x[i ^ at]."""
    if len(y) % BLOCK == 0:
        for start in range(0, len(y), BLOCK):
            exchange_few(x, y, start ^ (at & -BLOCK), start, at & (BLOCK - 1))
        return
    for start in range(0, len(y), 2 * at):
        for i in range(start, start + at):
            y[i] = x[i + at]
            y[i + at] = x[i]


@kernel
def byte_plane(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    """Byte `at` of the words of a."""
    x, y = m.values[a], m.values[r]
    for i in range(len(y)):
        y[i] = (x[i] >> (8 * at)) & 255


# VXM across lanes: `at` is the mask or the segment.


@kernel
def butterfly(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    x, y = m.floats[a], m.floats[r]
    _exchange(m.values[a], m.values[r], at)
    for i in range(len(y)):  # partner + own or partner - own
        y[i] = fp32.add(y[i], choose((i & at) != 0, -x[i], x[i]))


def _reduction(combine: Callable[..., Any], reduce_lanes: Callable[..., None]) -> Kernel:
    """Segments of `at` lanes; `reduce_lanes` does those that are shorter than a block."""
    combine_blocks, reduce_block = of_blocks(combine)

    @kernel
    def reduce(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
        y = m.floats[r]
        copy(m.floats[a], y)
        if at < BLOCK:
            reduce_lanes(y, at)
            return
        for start in range(0, len(y), at):
            stride = at // 2
            while stride >= BLOCK:
                for block in range(start, start + stride, BLOCK):
                    combine_blocks(y, block, block + stride)
                stride //= 2
            reduce_block(y, start)
            fill(y[start : start + at], y[start])

    return reduce


reduce_add = _reduction(add, reduce_lanes_add)
reduce_max = _reduction(maximum, reduce_lanes_max)


@kernel
def lane_index(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    for t in range(tokens(m)):
        y = m.by_token[r, t]
        for i in range(len(y)):
            y[i] = i


# SXM: `m.at` is the lane or amount.


@kernel
def rotate(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    for t in range(tokens(m)):
        x, y = m.by_token[a, t], m.by_token[r, t]
        shift = m.at[t] % len(y)
        for i in range(len(y) - shift):
            y[i] = x[i + shift]
        for i in range(shift):
            y[len(y) - shift + i] = x[i]


@kernel
def permute(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    for t in range(tokens(m)):
        x, lane, y = m.by_token[a, t], m.by_token[b, t], m.by_token[r, t]
        for i in range(len(y)):
            y[i] = x[lane[i]] if 0 <= lane[i] < len(y) else 0


@kernel
def broadcast(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    for t in range(tokens(m)):
        y = m.by_token[r, t]
        fill(y, m.by_token[a, t][m.at[t] % len(y)])


@kernel
def mask(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    for t in range(tokens(m)):
        x, y = m.by_token[a, t], m.by_token[r, t]
        for i in range(len(y)):
            y[i] = x[i] if i < m.at[t] else 0


@kernel
def transpose(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    if len(m.operand) < 4:  # a chip of 2 lanes has no block of 4 x 4 bytes
        return
    x, y = m.bytes[a], m.bytes[r]
    for start in range(0, len(y), 16):
        for i in range(4):
            for j in range(4):
                y[start + 4 * i + j] = x[start + 4 * j + i]
