"""Kernels that move values to and from what outlives a launch: parameters, MEM words and rows of tiles."""

from typing import Any

import numpy as np

from waterclock.simulator.machine.kernels.memory import copy, fill, kernel
from waterclock.simulator.machine.kernels.products import SRAM

# Parameters.


@kernel
def broadcast_param(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    """Launch parameter `place` + at in every lane, modulo 2^32."""
    fill(m.values[r], np.int32(m.params[place] + at))


@kernel
def arrive_param(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    """What `icu.set_param` took into a becomes launch parameter `at`."""
    m.params[at] = m.values[a, 0]


@kernel
def set_param(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    value = m.values[a, 0]
    m.values[r, 0] = value
    m.stopped[0] = value < m.limits[at, 0] or value > m.limits[at, 1]


# MEM: `at` is a word or byte of all MEM slices.


@kernel
def read8(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    x, y = m.mem[at >> 2], m.values[r]
    for i in range(len(y)):
        y[i] = (x[i] >> (8 * (at & 3))) & 255


@kernel
def read32(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    copy(m.mem[at], m.values[r])


@kernel
def write8(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    x, y, shift = m.values[a], m.mem[at >> 2], 8 * (at & 3)
    for i in range(len(y)):
        y[i] = (y[i] & ~(255 << shift)) | ((x[i] & 255) << shift)


@kernel
def write32(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    copy(m.values[a], m.mem[at])


@kernel
def write_lane(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    m.mem[at, place] = m.values[a, place]


# Rows of tiles: `at` is a tile of all MXM slices, `place` a row.


@kernel
def read_row(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    y = m.values[r]
    first = (at * len(y) + place) * len(y)
    tiles = m.sram if extra & SRAM else m.reram
    for i in range(len(y)):
        y[i] = tiles[first + i]


@kernel
def write_row(m: Any, r: int, a: int, b: int, c: int, at: int, place: int, extra: int) -> None:
    x = m.values[a]
    first = (at * len(x) + place) * len(x)
    for i in range(len(x)):
        m.sram[first + i] = np.int8(x[i])
