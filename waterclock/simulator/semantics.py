"""What every instruction computes: values only, never time or where a value came from.

`SEMANTICS` has one function for each mnemonic that issues; what it computes is the `meaning` in the instruction table.
A vector is a numpy array of `lanes` elements: a word vector int32 (raw bits; fp32 is a view), a byte vector uint8.
Arguments come in one order: the resident array that the instruction touches, the operands a, b, c, then the addresses
and numbers of its record in the order of the table. Whoever calls has checked that they are in range.

A VXM operand or result is always a word vector: where the table says byte, the low byte of an operand counts, and a
byte stream takes the low byte of a result. `vxm.lane_index`, which has no operand, is given the number of lanes.

`ELEMENTWISE` holds the VXM rows whose lane i depends on lane i of the operands alone, for callers that compile them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from waterclock.numerics import convert, fp32, functions, int32, products, reductions
from waterclock.numerics.jit import jitable
from waterclock.simulator.state import Tiles, Words

Bytes = npt.NDArray[np.uint8]

BYTES_PER_WORD = 4


def byte_planes(words: Words) -> Bytes:
    """The bytes of 32-bit words along a new last axis, lowest first; a view, so that it can be written through."""
    return words.view(np.uint8).reshape(*words.shape, BYTES_PER_WORD)


# MEM: `words` is [num_words, lanes].


def read8(words: Words, address: int) -> Bytes:
    word, plane = divmod(address, BYTES_PER_WORD)
    return byte_planes(words[word])[:, plane].copy()


def read32(words: Words, address: int) -> Words:
    return words[address].copy()


def write8(words: Words, a: Bytes, address: int) -> None:
    word, plane = divmod(address, BYTES_PER_WORD)
    byte_planes(words[word])[:, plane] = a


def write32(words: Words, a: Words, address: int) -> None:
    words[address] = a


def write_lane(words: Words, a: Words, address: int, place: int) -> None:
    words[address, place] = a[place]


# VXM, element by element.


class Type(Enum):
    """How an elementwise function sees the 32 bits of a lane."""

    FP32 = np.float32
    RAW = np.int32


@dataclass(frozen=True)
class ValueRow:
    """An elementwise VXM instruction: `function` maps one value of each operand type to one of the result type.

    It runs on arrays and on the scalars of a compiled loop alike. Calling the row applies it to word vectors.
    """

    function: Callable[..., Any]
    operands: tuple[Type, ...]
    result: Type

    def __call__(self, *words: Words) -> Words:
        operands = (word.view(type_.value) for word, type_ in zip(words, self.operands, strict=True))
        return self.function(*operands).view(np.int32)


@jitable
def move(a: Words) -> Words:
    """The same bits."""
    return a


_FP32, _RAW = Type.FP32, Type.RAW

ELEMENTWISE: Mapping[str, ValueRow] = MappingProxyType({
    "vxm.add": ValueRow(fp32.add, (_FP32, _FP32), _FP32),
    "vxm.sub": ValueRow(fp32.sub, (_FP32, _FP32), _FP32),
    "vxm.mul": ValueRow(fp32.mul, (_FP32, _FP32), _FP32),
    "vxm.max": ValueRow(fp32.maximum, (_FP32, _FP32), _FP32),
    "vxm.min": ValueRow(fp32.minimum, (_FP32, _FP32), _FP32),
    "vxm.abs": ValueRow(fp32.absolute, (_FP32,), _FP32),
    "vxm.compare_lt": ValueRow(fp32.compare_lt, (_FP32, _FP32), _RAW),
    "vxm.compare_le": ValueRow(fp32.compare_le, (_FP32, _FP32), _RAW),
    "vxm.compare_eq": ValueRow(fp32.compare_eq, (_FP32, _FP32), _RAW),
    "vxm.exp2": ValueRow(functions.exp2, (_FP32,), _FP32),
    "vxm.reciprocal": ValueRow(functions.reciprocal, (_FP32,), _FP32),
    "vxm.rsqrt": ValueRow(functions.rsqrt, (_FP32,), _FP32),
    "vxm.move": ValueRow(move, (_RAW,), _RAW),
    "vxm.select": ValueRow(fp32.select, (_RAW, _RAW, _RAW), _RAW),
    "vxm.iadd": ValueRow(int32.add, (_RAW, _RAW), _RAW),
    "vxm.and": ValueRow(int32.bit_and, (_RAW, _RAW), _RAW),
    "vxm.or": ValueRow(int32.bit_or, (_RAW, _RAW), _RAW),
    "vxm.xor": ValueRow(int32.bit_xor, (_RAW, _RAW), _RAW),
    "vxm.shl": ValueRow(int32.shl, (_RAW, _RAW), _RAW),
    "vxm.shr": ValueRow(int32.shr, (_RAW, _RAW), _RAW),
    "vxm.sar": ValueRow(int32.sar, (_RAW, _RAW), _RAW),
    "vxm.to_int8": ValueRow(convert.to_int8, (_FP32,), _RAW),
    "vxm.to_uint8": ValueRow(convert.to_uint8, (_FP32,), _RAW),
    "vxm.to_int32": ValueRow(convert.to_int32, (_FP32,), _RAW),
    "vxm.to_fp32": ValueRow(convert.to_fp32, (_RAW,), _FP32),
    "vxm.widen8": ValueRow(convert.widen8, (_RAW,), _RAW),
})  # fmt: skip


# VXM, across lanes.


def lane_xor(a: Words, k: int) -> Words:
    """a[i ^ k] in lane i."""
    return a[np.arange(len(a)) ^ k]


def butterfly(a: Words, mask: int) -> Words:
    return reductions.butterfly(a.view(np.float32), mask).view(np.int32)


def reduce_add(a: Words, segment: int) -> Words:
    return reductions.reduce_lanes(fp32.add, a.view(np.float32), segment).view(np.int32)


def reduce_max(a: Words, segment: int) -> Words:
    return reductions.reduce_lanes(fp32.maximum, a.view(np.float32), segment).view(np.int32)


def lane_index(lanes: int) -> Words:
    return np.arange(lanes, dtype=np.int32)


# SXM: lane and amount are taken modulo the lanes, except for `mask`.


def rotate(a: Words, amount: int) -> Words:
    return np.roll(a, -amount)


def permute(a: Words, b: Words) -> Words:
    valid = (b >= 0) & (b < len(a))
    return np.where(valid, a[np.where(valid, b, 0)], np.int32(0))


def broadcast(a: Words, lane: int) -> Words:
    return np.full_like(a, a[lane % len(a)])


def mask(a: Words, amount: int) -> Words:
    return np.where(np.arange(len(a)) < amount, a, np.int32(0))


def transpose(a: Words) -> Words:
    blocks = byte_planes(a).reshape(-1, BYTES_PER_WORD, BYTES_PER_WORD)
    return np.ascontiguousarray(blocks.swapaxes(1, 2)).view(np.int32).reshape(-1)


# MXM: `tile` is int8 [lanes, lanes], `acc` the accumulator, zeros where the record says `first`.


def matvec(tile: Tiles, a: Bytes, acc: Words, unsigned: bool) -> Words:
    return acc + products.matmul(tile, a if unsigned else a.view(np.int8))


def matvec_t(tile: Tiles, a: Bytes, acc: Words, unsigned: bool) -> Words:
    return matvec(tile.T, a, acc, unsigned)


def read_row(tile: Tiles, place: int) -> Bytes:
    return tile[place].view(np.uint8).copy()


def write_row(tile: Tiles, a: Bytes, place: int) -> None:
    tile[place] = a.view(np.int8)


# Every queue.


def set_param(a: Words) -> int:
    return int(a[0])


SEMANTICS: Mapping[str, Callable[..., Any]] = MappingProxyType({
    **ELEMENTWISE,
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
