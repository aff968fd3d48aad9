"""The values of a tensor as GGUF stores them: blocks of numbers with scales of their own -> float32."""

from collections.abc import Iterator

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize
from numpy.typing import NDArray

SUPPORTED_TYPES = (
    GGMLQuantizationType.F32,
    GGMLQuantizationType.F16,
    GGMLQuantizationType.BF16,
    GGMLQuantizationType.Q8_0,
    GGMLQuantizationType.Q4_0,
    GGMLQuantizationType.Q4_1,
    GGMLQuantizationType.Q5_0,
    GGMLQuantizationType.Q5_1,
    GGMLQuantizationType.Q2_K,
    GGMLQuantizationType.Q3_K,
    GGMLQuantizationType.Q4_K,
    GGMLQuantizationType.Q5_K,
    GGMLQuantizationType.Q6_K,
    GGMLQuantizationType.IQ4_NL,
)
CHUNK_VALUES = 1 << 18
"""So many values are dequantized at a time: what that takes stays in a processor's cache and next to nothing beside
the result. A multiple of every block.
"""


def float_values(stored: NDArray[np.uint8], type_: GGMLQuantizationType) -> NDArray[np.float32]:
    """The values of whole blocks as float32, flat; F32 is a view of what is stored.

    Raises ValueError if a value is not finite: a NaN or infinity in F32, F16, BF16, or in a block's scale.
    """
    values = stored.view("<f4") if type_ is GGMLQuantizationType.F32 else _dequantized(stored, type_)
    for chunk in _chunks(values, CHUNK_VALUES):
        if not np.isfinite(chunk).all():
            raise ValueError("holds a value that is not finite (NaN or infinity)")
    return values


def _dequantized(stored: NDArray[np.uint8], type_: GGMLQuantizationType) -> NDArray[np.float32]:
    block_values, block_bytes = GGML_QUANT_SIZES[type_]
    values = np.empty(stored.size // block_bytes * block_values, np.float32)
    chunk_bytes = CHUNK_VALUES // block_values * block_bytes
    with np.errstate(all="ignore"):  # what is not finite is refused, not warned of
        for chunk, blocks in zip(_chunks(values, CHUNK_VALUES), _chunks(stored, chunk_bytes), strict=True):
            chunk[:] = dequantize(blocks, type_)
    return values


def _chunks(array: NDArray[np.generic], size: int) -> Iterator[NDArray[np.generic]]:
    return (array[first : first + size] for first in range(0, len(array), size))
