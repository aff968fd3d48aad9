"""Kernels of the matrix products: exact integers, so in whatever order is fast.

`extra` holds flags and the accumulator.
"""

from typing import Any

import numpy as np

from waterclock.numerics.convert import widen8
from waterclock.simulator.machine.kernels import blocks
from waterclock.simulator.machine.kernels.chains import (
    COLUMNS,
    ROWS,
    TOKENS,
    add_chain_of_token,
    add_chain_of_tokens,
    begin,
)
from waterclock.simulator.machine.kernels.memory import copy, fill, kernel, later_tokens, tokens

UNSIGNED, SRAM, EMIT, FIRST, ACC_SHIFT = 1, 2, 4, 8, 4
"""Bits of `extra` for MXM kernels; the accumulator's number stands above them."""
LINK_COLUMNS = ("value", "tile", "tile_inner", "tile_outer")
"""A link of a chain: the row of the operand, the ReRAM tile of all MXM slices, and what each run of the loops adds."""


@kernel
def matvecs(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    """A chain: `place` links from number `at` on, added to one accumulator for all tokens. `m.shared[1]` says that the
    operands are those of the chain before. The tiles of as many links that follow are fetched meanwhile."""
    if extra & FIRST:
        fill(m.acc[extra >> ACC_SHIFT], 0)
    for k in range(place):
        m.places[0, k] = _link_place(m, at + k)
        m.places[1, k] = _link_place(m, (at + place + k) % len(m.links))
    if not m.shared[1]:
        for k in range(place):
            for t in range(tokens(m)):
                _take(m.by_token[m.links[at + k, 0], t], m.operands[k, t])
        begin(m.operands, place, m.beginnings)
    _add_chain(m, m.reram, np.int64(place), tokens(m), m.acc_by_token[extra >> ACC_SHIFT])
    _end(m, r, extra)


@kernel
def _link_place(m: Any, link: int) -> int:
    """Where a link's tile begins in this run of the loops."""
    row, size = m.links[link], m.operands.shape[2] ** 2
    return np.int64(row[1] + m.runs[0] * row[2] + m.runs[1] * row[3]) * size


@kernel
def _take(x: Any, y: Any) -> None:
    """The low bytes of a value, signed."""
    for i in range(len(y)):
        y[i] = np.int8(x[i])


@kernel
def _add_chain(m: Any, tiles: Any, count: Any, num_tokens: int, acc: Any) -> None:
    """acc[t, j] += sum over k and i of tile k [j, i] * operand k [t, i], in blocks where the lanes allow; sums begin in
    `m.beginnings`."""
    lanes, x = acc.shape[1], m.operands
    if lanes % COLUMNS:
        for k in range(count):
            for t in range(num_tokens):
                _multiply(tiles, m.places[0, k], x[k, t], acc[t])
        return
    at_once = num_tokens % TOKENS == 0
    for t in range(num_tokens if at_once else 0):
        total = m.beginnings[:, t].sum()
        for j in range(lanes):
            acc[t, j] += total
    for j in range(0, lanes, ROWS):
        for i in range(0, lanes, COLUMNS):
            block = tiles[j * lanes + i :]
            if at_once:
                add_chain_of_tokens(block, m.places[0], m.places[1], count, lanes, x[:, :, i:], num_tokens, acc[:, j:])
                continue
            for t in range(num_tokens):
                add_chain_of_token(block, m.places[0], m.places[1], count, lanes, x[:, t, i:],
                                   m.beginnings[i // COLUMNS, t], acc[t, j:])  # fmt: skip


@kernel
def _multiply(tiles: Any, first: int, x: Any, acc: Any) -> None:
    """acc[j] += sum over i of tile[j, i] x[i]."""
    lanes = len(acc)
    for j in range(lanes):
        total = np.int32(0)
        for i in range(lanes):
            total += np.int32(tiles[first + j * lanes + i]) * np.int32(x[i])
        acc[j] += total


@kernel
def _begin(m: Any, a: int, extra: int, t: int) -> None:
    """Clear token t's accumulator if this product is its first; take the low bytes of a as int16, signed or not."""
    acc, x, operand = m.acc_by_token[extra >> ACC_SHIFT, t], m.by_token[a, t], m.operand
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
    """Drive the accumulators if this product emits them."""
    if extra & EMIT:
        copy(m.acc[extra >> ACC_SHIFT], m.values[r])


@kernel
def _multiply_transposed(tiles: Any, at: int, x: Any, acc: Any) -> None:
    """acc[i] += sum over j of tile[j, i] x[j], in blocks where the lanes allow."""
    lanes = len(acc)
    first = at * lanes * lanes
    if lanes % blocks.COLUMNS:
        for j in range(lanes):
            for i in range(lanes):
                acc[i] += np.int32(tiles[first + j * lanes + i]) * np.int32(x[j])
        return
    for j in range(0, lanes, blocks.ROWS):
        for i in range(0, lanes, blocks.COLUMNS):
            blocks.add_weighted_rows(tiles, first + j * lanes + i, lanes, x[j:], acc[i:])


@kernel
def matvec(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    """A product by itself: a tile that differs from token to token, or unsigned operands."""
    tiles = m.sram if extra & SRAM else m.reram
    for t in range(tokens(m)):
        _begin(m, a, extra, t)
        acc = m.acc_by_token[extra >> ACC_SHIFT, t : t + 1]
        m.places[:, 0] = np.int64(m.at[t]) * len(m.operand) ** 2
        if extra & UNSIGNED:
            _multiply(tiles, m.places[0, 0], m.operand, acc[0])
        else:
            _take(m.by_token[a, t], m.operands[0, 0])
            begin(m.operands[:, :1], 1, m.beginnings[:, :1])
            _add_chain(m, tiles, np.int64(1), 1, acc)
        if m.shared[0]:
            _rows_before(m, acc[0], t)
    _end(m, r, extra)


@kernel
def _rows_before(m: Any, acc: Any, t: int) -> None:
    """The products of the rows that tokens beyond those that token t sees have written, as those rows were before."""
    slot, lanes = m.shared[0], len(m.operand)
    for later in range(*later_tokens(m, t)):
        if m.written[slot, 0, later] == m.at[t]:
            row, before = m.written[slot, 1, later], m.rows_before[slot, later]
            first = (m.at[t] * lanes + row) * lanes
            for i in range(lanes):
                acc[row] += (np.int32(before[i]) - np.int32(m.sram[first + i])) * np.int32(m.operand[i])


@kernel
def matvec_t(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    for t in range(tokens(m)):
        _begin(m, a, extra, t)
        acc = m.acc_by_token[extra >> ACC_SHIFT, t]
        _multiply_transposed(m.sram, m.at[t], m.operand, acc)
        if m.shared[0]:
            _weighted_rows_before(m, acc, t)
    _end(m, r, extra)


@kernel
def _weighted_rows_before(m: Any, acc: Any, t: int) -> None:
    """The same for sums of rows."""
    slot, lanes = m.shared[0], len(m.operand)
    for later in range(*later_tokens(m, t)):
        if m.written[slot, 0, later] == m.at[t]:
            row, before = m.written[slot, 1, later], m.rows_before[slot, later]
            first, weight = (m.at[t] * lanes + row) * lanes, np.int32(m.operand[row])
            if weight:
                for i in range(lanes):
                    acc[i] += (np.int32(before[i]) - np.int32(m.sram[first + i])) * weight
