"""The block formats of ggml, one value at a time: the obvious reading that the package's is compared with.

Layouts and the order of operations are those of the structs in ggml-common.h and of `dequantize_row_*` in ggml-quants.c
of the ggml project; every operation is one of float32. Bytes are little-endian.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from gguf.constants import GGMLQuantizationType
from numpy.typing import NDArray

F32 = np.float32
Values = list[np.float32]


def half(block: bytes, offset: int) -> np.float32:
    return F32(np.frombuffer(block, "<f2", 1, offset)[0])


def low_then_high(qs: bytes) -> list[int]:
    """Low nibbles of all bytes, then the high ones."""
    return [q & 15 for q in qs] + [q >> 4 for q in qs]


def f32(block: bytes) -> Values:
    return [np.frombuffer(block, "<f4")[0]]


def f16(block: bytes) -> Values:
    return [half(block, 0)]


def bf16(block: bytes) -> Values:
    return [np.frombuffer(bytes(2) + block, "<f4")[0]]


def q8_0(block: bytes) -> Values:
    d = half(block, 0)
    return [F32(q) * d for q in np.frombuffer(block, np.int8, 32, 2)]


def q4_0(block: bytes) -> Values:
    d = half(block, 0)
    return [F32(q - 8) * d for q in low_then_high(block[2:])]


def q4_1(block: bytes) -> Values:
    d, m = half(block, 0), half(block, 2)
    return [F32(q) * d + m for q in low_then_high(block[4:])]


def q5_0(block: bytes) -> Values:
    d, high = half(block, 0), int.from_bytes(block[2:6], "little")
    return [F32((q | (high >> i & 1) << 4) - 16) * d for i, q in enumerate(low_then_high(block[6:]))]


def q5_1(block: bytes) -> Values:
    d, m, high = half(block, 0), half(block, 2), int.from_bytes(block[4:8], "little")
    return [F32(q | (high >> i & 1) << 4) * d + m for i, q in enumerate(low_then_high(block[8:]))]


IQ4_NL_VALUES = (-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)


def iq4_nl(block: bytes) -> Values:
    d = half(block, 0)
    return [d * F32(IQ4_NL_VALUES[q]) for q in low_then_high(block[2:])]


def q2_k(block: bytes) -> Values:
    scales, qs, d, dmin = block[:16], block[16:80], half(block, 80), half(block, 82)
    values = []
    for i in range(256):
        quarter, byte = i % 128 // 32, i // 128 * 32 + i % 32
        scale, minimum = d * F32(scales[i // 16] & 15), dmin * F32(scales[i // 16] >> 4)
        values.append(scale * F32(qs[byte] >> 2 * quarter & 3) - minimum)
    return values


def q3_k(block: bytes) -> Values:
    hmask, qs, packed, d = block[:32], block[32:96], block[96:108], half(block, 108)
    low = low_then_high(packed[:8])
    scales = [low[j] | (packed[8 + j % 4] >> 2 * (j // 4) & 3) << 4 for j in range(16)]
    values = []
    for i in range(256):
        quarter, byte = i % 128 // 32, i // 128 * 32 + i % 32
        q = (qs[byte] >> 2 * quarter & 3) - (0 if hmask[i % 32] >> i // 32 & 1 else 4)
        values.append(d * F32(scales[i // 16] - 32) * F32(q))
    return values


def scale_and_minimum(packed: bytes, j: int) -> tuple[int, int]:
    """The 6-bit pair j of 8 in 12 bytes (`get_scale_min_k4`)."""
    if j < 4:
        return packed[j] & 63, packed[j + 4] & 63
    return packed[j + 4] & 15 | packed[j - 4] >> 6 << 4, packed[j + 4] >> 4 | packed[j] >> 6 << 4


def q4_k(block: bytes) -> Values:
    d, dmin, packed, qs = half(block, 0), half(block, 2), block[4:16], block[16:]
    values = []
    for i in range(256):
        scale, minimum = scale_and_minimum(packed, i // 32)
        q = qs[i // 64 * 32 + i % 32] >> 4 * (i // 32 % 2) & 15
        values.append(d * F32(scale) * F32(q) - dmin * F32(minimum))
    return values


def q5_k(block: bytes) -> Values:
    d, dmin, packed, high, qs = half(block, 0), half(block, 2), block[4:16], block[16:48], block[48:]
    values = []
    for i in range(256):
        scale, minimum = scale_and_minimum(packed, i // 32)
        q = qs[i // 64 * 32 + i % 32] >> 4 * (i // 32 % 2) & 15 | (high[i % 32] >> i // 32 & 1) << 4
        values.append(d * F32(scale) * F32(q) - dmin * F32(minimum))
    return values


def q6_k(block: bytes) -> Values:
    low, high, d = block[:128], block[128:192], half(block, 208)
    scales = np.frombuffer(block, np.int8, 16, 192)
    values = []
    for i in range(256):
        part, quarter, lane = i // 128, i % 128 // 32, i % 32
        q = low[part * 64 + quarter % 2 * 32 + lane] >> 4 * (quarter // 2) & 15
        q |= (high[part * 32 + lane] >> 2 * quarter & 3) << 4
        values.append(d * F32(scales[i // 16]) * F32(q - 32))
    return values


@dataclass(frozen=True)
class BlockFormat:
    """A type as ggml stores it: the sizes of a block, where its float16 numbers lie, and the values of one block."""

    num_values: int
    num_bytes: int
    half_offsets: tuple[int, ...]
    decode: Callable[[bytes], Values]


BLOCK_FORMATS: Mapping[GGMLQuantizationType, BlockFormat] = {
    GGMLQuantizationType.F32: BlockFormat(1, 4, (), f32),
    GGMLQuantizationType.F16: BlockFormat(1, 2, (0,), f16),
    GGMLQuantizationType.BF16: BlockFormat(1, 2, (), bf16),
    GGMLQuantizationType.Q8_0: BlockFormat(32, 34, (0,), q8_0),
    GGMLQuantizationType.Q4_0: BlockFormat(32, 18, (0,), q4_0),
    GGMLQuantizationType.Q4_1: BlockFormat(32, 20, (0, 2), q4_1),
    GGMLQuantizationType.Q5_0: BlockFormat(32, 22, (0,), q5_0),
    GGMLQuantizationType.Q5_1: BlockFormat(32, 24, (0, 2), q5_1),
    GGMLQuantizationType.Q2_K: BlockFormat(256, 84, (80, 82), q2_k),
    GGMLQuantizationType.Q3_K: BlockFormat(256, 110, (108,), q3_k),
    GGMLQuantizationType.Q4_K: BlockFormat(256, 144, (0, 2), q4_k),
    GGMLQuantizationType.Q5_K: BlockFormat(256, 176, (0, 2), q5_k),
    GGMLQuantizationType.Q6_K: BlockFormat(256, 210, (208,), q6_k),
    GGMLQuantizationType.IQ4_NL: BlockFormat(32, 18, (0,), iq4_nl),
}


def decoded(type_: GGMLQuantizationType, stored: bytes) -> NDArray[np.float32]:
    """The values of whole blocks, flat."""
    block = BLOCK_FORMATS[type_]
    starts = range(0, len(stored), block.num_bytes)
    return np.array([value for at in starts for value in block.decode(stored[at : at + block.num_bytes])], np.float32)


def random_blocks(
    type_: GGMLQuantizationType, num_blocks: int, random: np.random.Generator, largest: float = 2.0**-10
) -> NDArray[np.uint8]:
    """Blocks [n, bytes] of random codes; their float16 numbers are random up to `largest`, some of them subnormal."""
    block = BLOCK_FORMATS[type_]
    if type_ in (GGMLQuantizationType.F32, GGMLQuantizationType.BF16):
        return random.standard_normal((num_blocks, 1), np.float32).view(np.uint8)[:, 4 - block.num_bytes :].copy()
    blocks = random.integers(0, 256, (num_blocks, block.num_bytes), np.uint8)
    for offset in block.half_offsets:
        numbers = random.uniform(-largest, largest, (num_blocks, 1)) * 2.0 ** random.integers(-14, 1, (num_blocks, 1))
        blocks[:, offset : offset + 2] = numbers.astype("<f2").view(np.uint8)
    return blocks
