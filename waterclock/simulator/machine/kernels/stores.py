"""Kernels that move values to and from what outlives a launch: parameters, MEM words and rows of tiles."""

from typing import Any

import numpy as np

from waterclock.simulator.machine.kernels.memory import copy, fill, kernel, later_tokens, tokens
from waterclock.simulator.machine.kernels.products import SRAM

# Parameters.


@kernel
def broadcast_param(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    """Launch parameter `place` + the token's `at` in every lane, modulo 2^32."""
    for t in range(tokens(m)):
        fill(m.by_token[r, t], np.int32(m.params[place] + m.at[t]))


@kernel
def arrive_param(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    """What `icu.set_param` took into a becomes launch parameter `at`."""
    m.params[at] = m.values[a, 0]


@kernel
def set_param(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    value = m.values[a, 0]
    m.values[r, 0] = value
    m.stopped[0] = value < m.limits[at, 0] or value > m.limits[at, 1]


# MEM: `m.at` is a word or byte of all MEM slices.


@kernel
def read8(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    for t in range(tokens(m)):
        x, y, shift = m.mem[m.at[t] >> 2], m.by_token[r, t], 8 * (m.at[t] & 3)
        for i in range(len(y)):
            y[i] = (x[i] >> shift) & 255


@kernel
def read32(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    for t in range(tokens(m)):
        copy(m.mem[m.at[t]], m.by_token[r, t])
    if m.shared[0]:
        _lanes_before(m, r)


@kernel
def _lanes_before(m: Any, r: int) -> None:
    """In what each token has read, put back the lanes that tokens beyond those that it sees have written."""
    slot = m.shared[0]
    for t in range(tokens(m)):
        y = m.by_token[r, t]
        for later in range(*later_tokens(m, t)):
            if m.written[slot, 0, later] == m.at[t]:
                y[m.written[slot, 1, later]] = m.lanes_before[slot, later]


@kernel
def write8(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    for t in range(tokens(m)):
        x, y, shift = m.by_token[a, t], m.mem[m.at[t] >> 2], 8 * (m.at[t] & 3)
        for i in range(len(y)):
            y[i] = (y[i] & ~(255 << shift)) | ((x[i] & 255) << shift)


@kernel
def write32(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    for t in range(tokens(m)):
        copy(m.by_token[a, t], m.mem[m.at[t]])


@kernel
def write_lane(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    slot = m.shared[0]
    for t in range(tokens(m)):
        word, lane = m.at[t], m.place[t]
        if slot:
            token = m.runs[0] + t
            m.written[slot, 0, token], m.written[slot, 1, token] = word, lane
            m.lanes_before[slot, token] = m.mem[word, lane]
        m.mem[word, lane] = m.by_token[a, t][lane]


# Rows of tiles: `m.at` is a tile of all MXM slices, `m.place` a row.


@kernel
def read_row(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    tiles = m.sram if extra & SRAM else m.reram
    for t in range(tokens(m)):
        y = m.by_token[r, t]
        first = (m.at[t] * len(y) + m.place[t]) * len(y)
        for i in range(len(y)):
            y[i] = tiles[first + i]


@kernel
def write_row(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    slot = m.shared[0]
    for t in range(tokens(m)):
        x = m.by_token[a, t]
        first = (m.at[t] * len(x) + m.place[t]) * len(x)
        token = m.runs[0] + t if slot else 0
        if slot:
            m.written[slot, 0, token], m.written[slot, 1, token] = m.at[t], m.place[t]
        for i in range(len(x)):
            if slot:
                m.rows_before[slot, token, i] = m.sram[first + i]
            m.sram[first + i] = np.int8(x[i])
