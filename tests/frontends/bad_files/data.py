"""Files whose header is right and whose tensors hold NaN or infinity: in every type, in every scale."""

import math
from dataclasses import replace
from functools import partial

import numpy as np
from gguf.constants import GGMLQuantizationType

from tests.frontends.bad_files.bad_file import BadFile, BadFiles
from tests.frontends.gguf_bytes import DOWN, llama_bytes, llama_tensors
from tests.ggml_blocks import BLOCK_FORMATS

BF16 = GGMLQuantizationType.BF16
NUMBERS = {"NaN": math.nan, "infinity": math.inf, "minus infinity": -math.inf}
SIGNALLING = {"signalling NaN": b"\x01\x7c"}
"""A float16 that numpy warns of while it converts it."""


def _places() -> dict[str, tuple[GGMLQuantizationType, int, dict[str, bytes]]]:
    """Where each type holds a floating-point number in a block, and what it can wrongly be."""
    halves = {name: np.float16(number).tobytes() for name, number in NUMBERS.items()} | SIGNALLING
    floats = {name: np.float32(number).tobytes() for name, number in NUMBERS.items()}
    return {
        "F32": (GGMLQuantizationType.F32, 0, floats),
        "BF16": (BF16, 0, {name: raw[2:] for name, raw in floats.items()}),
        **{
            f"{type_.name} at {offset}": (type_, offset, halves)
            for type_, block in BLOCK_FORMATS.items()
            for offset in block.half_offsets
        },
    }


def _with_number(type_: GGMLQuantizationType, offset: int, raw: bytes) -> bytes:
    """In the last block, whose codes are all zero: zero times infinity is no number either."""
    down, block = llama_tensors(type_)[DOWN], BLOCK_FORMATS[type_]
    last = bytearray(block.num_bytes)
    last[offset : offset + len(raw)] = raw
    changed = replace(down, data=down.data[: -block.num_bytes] + last)
    return llama_bytes(tensors={DOWN: changed})


DATA: BadFiles = {
    f"{name} in {place}": BadFile(partial(_with_number, type_, offset, raw), f"{DOWN} holds a value that is not finite")
    for place, (type_, offset, raw_by_name) in _places().items()
    for name, raw in raw_by_name.items()
}
