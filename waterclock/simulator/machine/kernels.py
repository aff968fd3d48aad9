"""What the operations of the virtual machine do: one kernel for each mnemonic, and a few that prepare operands.

A value is a row of `values`, [lanes] int32, whatever it means; a byte vector is a row of which the low bytes count. The
elementwise kernels are the functions of `semantics.ELEMENTWISE` in a loop over lanes; the others move lanes and bytes
or multiply exact integers, and tests compare each with its function in `semantics`.

All kernels have one signature: the memory, the row of the result, the rows of operands a, b, c (absolute rows of
`values`), then the numbers `at`, `place` and `extra`. The order of `KERNELS` numbers them.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from waterclock.numerics.convert import widen8
from waterclock.numerics.reductions import butterfly_pair, reduce_lanes_add, reduce_lanes_max
from waterclock.simulator.machine.compiled import COLUMNS, ROWS, add_products, compiled
from waterclock.simulator.semantics import ELEMENTWISE, Type, ValueRow

Ints = npt.NDArray[np.int32]
Kernel = Callable[..., None]


class Memory(NamedTuple):
    """Everything a kernel can touch. `mem`, `reram`, `sram` and `params` are views of a State."""

    values: Ints
    """[num_rows, lanes]: the values in flight."""
    floats: npt.NDArray[np.float32]
    """[num_rows, lanes]: the same memory as fp32."""
    bytes: npt.NDArray[np.uint8]
    """[num_rows, 4 * lanes]: the same memory as bytes."""
    mem: Ints
    """[num_mem * num_words, lanes]."""
    reram: npt.NDArray[np.int8]
    """[all elements]: tiles one after another, MXM by MXM."""
    sram: npt.NDArray[np.int8]
    """[all elements]."""
    acc: Ints
    """[num_mxm * num_accumulators, lanes]."""
    params: Ints
    """[num_params]."""
    limits: Ints
    """[num_params, 2]: the lowest and highest value that `icu.set_param` may give."""
    operand: npt.NDArray[np.int16]
    """[lanes]: scratch for the operand of a product."""
    stopped: npt.NDArray[np.bool_]
    """[1]: a kernel sets it to stop the machine."""


UNSIGNED, SRAM, EMIT, FIRST, ACC_SHIFT = 1, 2, 4, 8, 4
"""Bits of `extra` for MXM kernels; the accumulator's number stands above them."""

_kernel = compiled(inline=True)


_VIEW_BY_TYPE: Mapping[Type, int] = MappingProxyType(
    {Type.RAW: Memory._fields.index("values"), Type.FP32: Memory._fields.index("floats")}
)


def _views(row: ValueRow) -> tuple[int, ...]:
    """Which fields of Memory show the operands and the result as the function sees them."""
    return tuple(_VIEW_BY_TYPE[type_] for type_ in (*row.operands, row.result))


def _unary(row: ValueRow) -> Kernel:
    function, (a_view, view) = row.function, _views(row)

    @_kernel
    def kernel(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
        x, y = m[a_view][a], m[view][r]
        for i in range(len(y)):
            y[i] = function(x[i])

    return kernel


def _binary(row: ValueRow) -> Kernel:
    function, (a_view, b_view, view) = row.function, _views(row)

    @_kernel
    def kernel(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
        x, y, z = m[a_view][a], m[b_view][b], m[view][r]
        for i in range(len(z)):
            z[i] = function(x[i], y[i])

    return kernel


def _ternary(row: ValueRow) -> Kernel:
    function, (a_view, b_view, c_view, view) = row.function, _views(row)

    @_kernel
    def kernel(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
        x, y, z, result = m[a_view][a], m[b_view][b], m[c_view][c], m[view][r]
        for i in range(len(result)):
            result[i] = function(x[i], y[i], z[i])

    return kernel


_LOOP_BY_ARITY: Mapping[int, Callable[[ValueRow], Kernel]] = MappingProxyType({1: _unary, 2: _binary, 3: _ternary})


@_kernel
def _copy(x: Any, y: Any) -> None:
    for i in range(len(y)):
        y[i] = x[i]


@_kernel
def _fill(y: Any, value: Any) -> None:
    for i in range(len(y)):
        y[i] = value


# Preparation of operands.


@_kernel
def lane_xor(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    """The lanes i ^ at of a."""
    x, y = m.values[a], m.values[r]
    for start in range(0, len(y), 2 * at):
        for i in range(start, start + at):
            y[i] = x[i + at]
            y[i + at] = x[i]


@_kernel
def byte_plane(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    """Byte `at` of the words of a."""
    x, y = m.values[a], m.values[r]
    for i in range(len(y)):
        y[i] = (x[i] >> (8 * at)) & 255


@_kernel
def broadcast_param(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    """Launch parameter `place` + at in every lane, modulo 2^32."""
    _fill(m.values[r], np.int32(m.params[place] + at))


@_kernel
def arrive_param(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    """What `icu.set_param` took into a becomes launch parameter `at`."""
    m.params[at] = m.values[a, 0]


@_kernel
def set_param(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    value = m.values[a, 0]
    m.values[r, 0] = value
    m.stopped[0] = value < m.limits[at, 0] or value > m.limits[at, 1]


# MEM: `at` is a word or byte of all MEM slices.


@_kernel
def read8(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    x, y = m.mem[at >> 2], m.values[r]
    for i in range(len(y)):
        y[i] = (x[i] >> (8 * (at & 3))) & 255


@_kernel
def read32(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    _copy(m.mem[at], m.values[r])


@_kernel
def write8(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    x, y, shift = m.values[a], m.mem[at >> 2], 8 * (at & 3)
    for i in range(len(y)):
        y[i] = (y[i] & ~(255 << shift)) | ((x[i] & 255) << shift)


@_kernel
def write32(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    _copy(m.values[a], m.mem[at])


@_kernel
def write_lane(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    m.mem[at, place] = m.values[a, place]


# VXM across lanes: `at` is the mask or the segment.


@_kernel
def butterfly(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    x, y = m.floats[a], m.floats[r]
    for start in range(0, len(y), 2 * at):
        for i in range(start, start + at):
            y[i], y[i + at] = butterfly_pair(x[i], x[i + at])


@_kernel
def reduce_add(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    _copy(m.floats[a], m.floats[r])
    reduce_lanes_add(m.floats[r], at)


@_kernel
def reduce_max(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    _copy(m.floats[a], m.floats[r])
    reduce_lanes_max(m.floats[r], at)


@_kernel
def lane_index(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    y = m.values[r]
    for i in range(len(y)):
        y[i] = i


# SXM: `at` is the lane or amount.


@_kernel
def rotate(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    x, y = m.values[a], m.values[r]
    shift = at % len(y)
    for i in range(len(y) - shift):
        y[i] = x[i + shift]
    for i in range(shift):
        y[len(y) - shift + i] = x[i]


@_kernel
def permute(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    x, lane, y = m.values[a], m.values[b], m.values[r]
    for i in range(len(y)):
        y[i] = x[lane[i]] if 0 <= lane[i] < len(y) else 0


@_kernel
def broadcast(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    y = m.values[r]
    _fill(y, m.values[a, at % len(y)])


@_kernel
def mask(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    x, y = m.values[a], m.values[r]
    for i in range(len(y)):
        y[i] = x[i] if i < at else 0


@_kernel
def transpose(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    x, y = m.bytes[a], m.bytes[r]
    for start in range(0, len(y), 16):
        for i in range(4):
            for j in range(4):
                y[start + 4 * i + j] = x[start + 4 * j + i]


# MXM: `at` is a tile of all MXM slices, `place` a row or, for products, the next ReRAM tile wanted.


@_kernel
def _begin(m: Any, a: int, extra: int) -> None:
    """Clear the accumulator if this product is its first, and take the low bytes of a as int16, signed or not."""
    acc, x, operand = m.acc[extra >> ACC_SHIFT], m.values[a], m.operand
    if extra & FIRST:
        _fill(acc, 0)
    if extra & UNSIGNED:
        for i in range(len(operand)):
            operand[i] = x[i] & 255
    else:
        for i in range(len(operand)):
            operand[i] = widen8(x[i])


@_kernel
def _end(m: Any, r: int, extra: int) -> None:
    """Drive the accumulator if this product emits it."""
    if extra & EMIT:
        _copy(m.acc[extra >> ACC_SHIFT], m.values[r])


@_kernel
def _multiply(tiles: Any, at: int, ahead: int, x: Any, acc: Any) -> None:
    """acc[j] += sum over i of tile[j, i] x[i], in blocks where the lanes allow."""
    lanes = len(acc)
    first, first_ahead = at * lanes * lanes, ahead * lanes * lanes
    if lanes % COLUMNS:
        for j in range(lanes):
            total = np.int32(0)
            for i in range(lanes):
                total += np.int32(tiles[first + j * lanes + i]) * np.int32(x[i])
            acc[j] += total
        return
    for j in range(0, lanes, ROWS):
        for i in range(0, lanes, COLUMNS):
            offset = j * lanes + i
            add_products(tiles, first + offset, lanes, x[i:], acc[j:], first_ahead + offset)


@_kernel
def matvec(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    _begin(m, a, extra)
    _multiply(m.sram if extra & SRAM else m.reram, at, place, m.operand, m.acc[extra >> ACC_SHIFT])
    _end(m, r, extra)


@_kernel
def matvec_t(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    _begin(m, a, extra)
    acc = m.acc[extra >> ACC_SHIFT]
    lanes = len(acc)
    for j in range(lanes):
        weight, row = np.int32(m.operand[j]), m.sram[(at * lanes + j) * lanes : (at * lanes + j + 1) * lanes]
        for i in range(lanes):
            acc[i] += weight * np.int32(row[i])
    _end(m, r, extra)


@_kernel
def read_row(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    y = m.values[r]
    first = (at * len(y) + place) * len(y)
    tiles = m.sram if extra & SRAM else m.reram
    for i in range(len(y)):
        y[i] = tiles[first + i]


@_kernel
def write_row(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    x = m.values[a]
    first = (at * len(x) + place) * len(x)
    for i in range(len(x)):
        m.sram[first + i] = np.int8(x[i])


KERNELS: Mapping[str, Kernel] = MappingProxyType({
    **{mnemonic: _LOOP_BY_ARITY[len(row.operands)](row) for mnemonic, row in ELEMENTWISE.items()},
    "icu.set_param": set_param,
    "mem.read8": read8,
    "mem.read32": read32,
    "mem.write8": write8,
    "mem.write32": write32,
    "mem.write_lane": write_lane,
    "vxm.butterfly": butterfly,
    "vxm.reduce_add": reduce_add,
    "vxm.reduce_max": reduce_max,
    "vxm.lane_index": lane_index,
    "sxm.rotate": rotate,
    "sxm.permute": permute,
    "sxm.broadcast": broadcast,
    "sxm.mask": mask,
    "sxm.transpose": transpose,
    "mxm.matvec": matvec,
    "mxm.matvec_t": matvec_t,
    "mxm.read_row": read_row,
    "mxm.write_row": write_row,
})  # fmt: skip
"""The kernel of every mnemonic that issues."""

PREPARATIONS: Mapping[str, Kernel] = MappingProxyType({
    kernel.__name__: kernel for kernel in (lane_xor, byte_plane, broadcast_param, arrive_param)
})  # fmt: skip
"""Kernels that no instruction names."""

NUMBER_BY_KERNEL: Mapping[str, int] = MappingProxyType(
    {name: number for number, name in enumerate([*KERNELS, *PREPARATIONS])}
)
FUNCTIONS: tuple[Kernel, ...] = (*KERNELS.values(), *PREPARATIONS.values())
"""All kernels, by number."""
