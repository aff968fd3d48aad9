"""Kernels of the matrix products: exact integers, so in whatever order is fast.

`at` is a tile of all MXM slices, `place` the ReRAM tile that is wanted next, `extra` flags and the accumulator.
"""

from typing import Any

import numpy as np

from waterclock.numerics.convert import widen8
from waterclock.simulator.machine.kernels.blocks import COLUMNS, ROWS, add_products, add_weighted_rows
from waterclock.simulator.machine.kernels.memory import copy, fill, kernel

UNSIGNED, SRAM, EMIT, FIRST, ACC_SHIFT = 1, 2, 4, 8, 4
"""Bits of `extra` for MXM kernels; the accumulator's number stands above them."""


@kernel
def _begin(m: Any, a: int, extra: int) -> None:
    """Clear the accumulator if this product is its first, and take the low bytes of a as int16, signed or not."""
    acc, x, operand = m.acc[extra >> ACC_SHIFT], m.values[a], m.operand
    if extra & FIRST:
        fill(acc, 0)
    if extra & UNSIGNED:
        for i in range(len(operand)):
            operand[i] = x[i] & 255
    else:
        for i in range(len(operand)):
            operand[i] = widen8(x[i])


@kernel
def _end(m: Any, r: int, extra: int) -> None:
    """Drive the accumulator if this product emits it."""
    if extra & EMIT:
        copy(m.acc[extra >> ACC_SHIFT], m.values[r])


@kernel
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


@kernel
def _multiply_transposed(tiles: Any, at: int, x: Any, acc: Any) -> None:
    """acc[i] += sum over j of tile[j, i] x[j], in blocks where the lanes allow."""
    lanes = len(acc)
    first = at * lanes * lanes
    if lanes % COLUMNS:
        for j in range(lanes):
            for i in range(lanes):
                acc[i] += np.int32(tiles[first + j * lanes + i]) * np.int32(x[j])
        return
    for j in range(0, lanes, ROWS):
        for i in range(0, lanes, COLUMNS):
            add_weighted_rows(tiles, first + j * lanes + i, lanes, x[j:], acc[i:])


@kernel
def matvec(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    _begin(m, a, extra)
    _multiply(m.sram if extra & SRAM else m.reram, at, place, m.operand, m.acc[extra >> ACC_SHIFT])
    _end(m, r, extra)


@kernel
def matvec_t(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    _begin(m, a, extra)
    _multiply_transposed(m.sram, at, m.operand, m.acc[extra >> ACC_SHIFT])
    _end(m, r, extra)
