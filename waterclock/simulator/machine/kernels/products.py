"""Kernels of the matrix products: exact integers, so in whatever order is fast.

`m.at` is a tile of all MXM slices, `place` the ReRAM tile that is wanted next, `extra` flags and the accumulator.
"""

from typing import Any

import numpy as np

from waterclock.numerics.convert import widen8
from waterclock.simulator.machine.kernels.blocks import (
    COLUMNS,
    LINKS,
    ROWS,
    ROWS_OF_TOKENS,
    TOKENS,
    add_linked_products,
    add_linked_products_of_tokens,
    add_products,
    add_weighted_rows,
)
from waterclock.simulator.machine.kernels.memory import copy, fill, kernel, tokens

UNSIGNED, SRAM, EMIT, FIRST, ACC_SHIFT = 1, 2, 4, 8, 4
"""Bits of `extra` for MXM kernels; the accumulator's number stands above them."""


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
def linked_matvecs(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    """The ReRAM tiles `at` (times a), `place` (times b) and, where `extra` says SRAM, `m.shared[0]` (times c), added to
    one accumulator."""
    third, lanes = m.shared[0] if extra & SRAM else at, len(m.operand)
    _take_operands(m, 0, a, extra)
    _take_operands(m, 1, b, extra)
    _take_operands(m, 2, c if extra & SRAM else -1, extra)
    acc, size = m.acc_by_token[extra >> ACC_SHIFT], lanes * lanes
    if extra & FIRST:
        fill(m.acc[extra >> ACC_SHIFT], 0)
    if lanes % COLUMNS:
        for t in range(tokens(m)):
            for k in range(LINKS):
                _multiply(m.reram, third if k == 2 else place if k else at, 0, m.operands[k, t], acc[t])
    elif tokens(m) % TOKENS:
        for t in range(tokens(m)):
            for j in range(0, lanes, ROWS):
                for i in range(0, lanes, COLUMNS):
                    x, y, offset = m.operands[:, t:, i:], acc[t:, j:], j * lanes + i
                    tiles = at * size + offset, place * size + offset, third * size + offset
                    add_linked_products(m.reram, tiles[0], tiles[1], tiles[2], lanes, x, y)
    else:
        for j in range(0, lanes, ROWS_OF_TOKENS):
            for t in range(0, tokens(m), TOKENS):
                for i in range(0, lanes, COLUMNS):
                    x, y, offset = m.operands[:, t:, i:], acc[t:, j:], j * lanes + i
                    tiles = at * size + offset, place * size + offset, third * size + offset
                    add_linked_products_of_tokens(m.reram, tiles[0], tiles[1], tiles[2], lanes, x, y)
    _end(m, r, extra)


@kernel
def _take_operands(m: Any, k: int, a: int, extra: int) -> None:
    """The low bytes of a for every token as int16, signed or not; zeros if there is no a."""
    for t in range(tokens(m)):
        operand = m.operands[k, t]
        if a < 0:
            for i in range(len(operand)):
                operand[i] = 0
        elif extra & UNSIGNED:
            x = m.by_token[a, t]
            for i in range(len(operand)):
                operand[i] = x[i] & 255
        else:
            x = m.by_token[a, t]
            for i in range(len(operand)):
                operand[i] = widen8(x[i])


@kernel
def matvec(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    for t in range(tokens(m)):
        _begin(m, a, extra, t)
        acc = m.acc_by_token[extra >> ACC_SHIFT, t]
        _multiply(m.sram if extra & SRAM else m.reram, m.at[t], place, m.operand, acc)
        if m.shared[0]:
            _rows_before(m, acc, t)
    _end(m, r, extra)


@kernel
def _rows_before(m: Any, acc: Any, t: int) -> None:
    """The products of the rows that tokens beyond those that token t sees have written, as those rows were before."""
    slot, lanes = m.shared[0], len(m.operand)
    for later in range(max(0, t + m.shared[1] + 1), tokens(m)):
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
    for later in range(max(0, t + m.shared[1] + 1), tokens(m)):
        if m.written[slot, 0, later] == m.at[t]:
            row, before = m.written[slot, 1, later], m.rows_before[slot, later]
            first, weight = (m.at[t] * lanes + row) * lanes, np.int32(m.operand[row])
            if weight:
                for i in range(lanes):
                    acc[i] += (np.int32(before[i]) - np.int32(m.sram[first + i])) * weight
