"""Kernels of values alone: VXM and SXM instructions, and preparations of operands.

The elementwise ones are the functions of `semantics.ELEMENTWISE` in a loop over lanes; the others move lanes and bytes.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from waterclock.numerics.jit import choose
from waterclock.numerics.reductions import butterfly_pair, reduce_lanes_add, reduce_lanes_max
from waterclock.simulator.machine.kernels.exchanges import EXCHANGED, exchange_few
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

ELEMENTWISE_KERNELS: Mapping[str, Kernel] = MappingProxyType(
    {mnemonic: _LOOP_BY_ARITY[len(row.operands)](row) for mnemonic, row in ELEMENTWISE.items()}
)


# Preparations of operands.


@kernel
def lane_xor(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    """The lanes i ^ at of a."""
    _exchange(m.values[a], m.values[r], at)


@kernel
def _exchange(x: Any, y: Any, at: int) -> None:
    """y[i] = x[i ^ at]."""
    if at < EXCHANGED and len(y) % EXCHANGED == 0:
        for start in range(0, len(y), EXCHANGED):
            exchange_few(x, y, start, at)
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
    if at < EXCHANGED and len(y) % EXCHANGED == 0:
        _exchange(m.values[a], m.values[r], at)
        for i in range(len(y)):
            low, high = butterfly_pair(y[i], x[i])
            y[i] = choose((i & at) != 0, high, low)
        return
    for start in range(0, len(y), 2 * at):
        for i in range(start, start + at):
            y[i], y[i + at] = butterfly_pair(x[i], x[i + at])


@kernel
def reduce_add(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    copy(m.floats[a], m.floats[r])
    reduce_lanes_add(m.floats[r], at)


@kernel
def reduce_max(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    copy(m.floats[a], m.floats[r])
    reduce_lanes_max(m.floats[r], at)


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
