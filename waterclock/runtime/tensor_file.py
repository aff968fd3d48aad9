"""Safetensors, read once, to where they are to lie: of what is large there is no second copy."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt

from waterclock.errors import InputError

Array = npt.NDArray[Any]
Place = Callable[[str, np.dtype[Any], tuple[int, ...]], Array]
"""Where a tensor of this name, type and shape is to lie: an array of that type and shape."""

DTYPES: Mapping[str, np.dtype[Any]] = {"I8": np.dtype("i1"), "U8": np.dtype("u1"), "I32": np.dtype("<i4"),
                                       "U32": np.dtype("<u4"), "I64": np.dtype("<i8")}  # fmt: skip
"""The types that Waterclock writes, by their names in safetensors."""
LENGTH_BYTES = 8


@dataclass(frozen=True)
class _Spec:
    name: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int
    end: int


def anywhere(name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    """An array of its own."""
    return np.empty(shape, dtype)


def read_tensors(path: Path, place: Place = anywhere) -> tuple[dict[str, Array], str]:
    """The tensors of a file by name, and the hexadecimal SHA-256 of the bytes that were read.

    InputError for what is no such file, and whatever `place` refuses; OSError where it can't be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        tensors: dict[str, Array] = {}
        for spec in _specs(file, path, digest.update):
            tensors[spec.name] = place(spec.name, spec.dtype, spec.shape)
            for piece in _pieces(tensors[spec.name]):
                if file.readinto(piece.data) != piece.nbytes:
                    raise InputError(f"{path}: not safetensors: it is shorter than it says")
                digest.update(piece.data)
    return tensors, digest.hexdigest()


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file; OSError where it can't be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _specs(file: BinaryIO, path: Path, seen: Callable[[bytes], object]) -> list[_Spec]:
    """What the header says, in the order of the data, which fill the rest of the file."""
    size = path.stat().st_size
    head = file.read(LENGTH_BYTES)
    length = int.from_bytes(head, "little")
    if len(head) < LENGTH_BYTES or length > size - LENGTH_BYTES:
        raise InputError(f"{path}: not safetensors: it is shorter than its header")
    header = file.read(length)
    seen(head + header)
    try:
        plain = cast(dict[str, Any], json.loads(header))
        specs = sorted((_spec(name, value) for name, value in plain.items() if name != "__metadata__"), key=_begin)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: not safetensors: {error!r}") from None
    ends = [0, *(spec.end for spec in specs)]
    if [spec.begin for spec in specs] != ends[:-1] or LENGTH_BYTES + length + ends[-1] != size:
        raise InputError(f"{path}: not safetensors: its tensors do not fill it")
    return specs


def _spec(name: str, plain: Mapping[str, Any]) -> _Spec:
    """ValueError, KeyError or TypeError for what is no tensor."""
    dtype, (begin, end) = DTYPES[plain["dtype"]], plain["data_offsets"]
    shape = tuple(plain["shape"])
    if any(type(number) is not int or number < 0 for number in (*shape, begin, end)):
        raise ValueError(f"tensor {name}: {plain}")
    if end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"tensor {name}: {end - begin} bytes for {dtype}{shape}")
    return _Spec(name, dtype, shape, begin, end)


def _begin(spec: _Spec) -> tuple[int, int]:
    return spec.begin, spec.end


def _pieces(array: Array) -> Iterator[npt.NDArray[np.uint8]]:
    """The bytes of an array, in order, as few contiguous views."""
    if array.flags.c_contiguous:
        if array.size:
            yield array.reshape(-1).view(np.uint8)
        return
    for part in array:
        yield from _pieces(part)
