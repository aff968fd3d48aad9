"""Reading a GGUF file: metadata by explicit type, tensors dequantized to float32."""

import math
import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from waterclock.frontends.gguf_header import GgufError, MetadataValue, TensorInfo, read_header
from waterclock.frontends.gguf_tensor import SUPPORTED_TYPES, float_values
from waterclock.frontends.printable import shown

__all__ = ["SUPPORTED_TYPES", "GgufError", "GgufFile", "open_gguf"]

_Scalar = TypeVar("_Scalar", int, float, str, bool)


class GgufFile:
    """An open GGUF file. The header is checked; tensor data stays in the file until it is asked for."""

    def __init__(self, path: Path, data: memoryview) -> None:
        self._header = read_header(path, data)
        self._data = data

    @property
    def path(self) -> Path:
        return self._header.path

    @property
    def version(self) -> int:
        return self._header.version

    @property
    def metadata(self) -> Mapping[str, MetadataValue]:
        return self._header.metadata

    @property
    def tensors(self) -> Mapping[str, TensorInfo]:
        return self._header.tensors

    def require(self, key: str, kind: type[_Scalar]) -> _Scalar:
        """The metadata value under `key`; raises GgufError if it is missing or of another type."""
        if key not in self.metadata:
            raise GgufError(f"{self.path}: metadata {key} is missing")
        value = self.metadata[key]
        if type(value) is not kind:
            raise GgufError(f"{self.path}: {key} is {shown(value)}, expected {kind.__name__}")
        return cast(_Scalar, value)

    def optional(self, key: str, kind: type[_Scalar], default: _Scalar) -> _Scalar:
        """As `require`, with a default for a missing key."""
        return self.require(key, kind) if key in self.metadata else default

    def require_array(self, key: str, kind: type[_Scalar]) -> tuple[_Scalar, ...]:
        """The metadata array under `key`; raises GgufError if it is missing or holds anything but `kind`."""
        values = self.metadata.get(key)
        if not isinstance(values, tuple) or any(type(value) is not kind for value in values):
            raise GgufError(f"{self.path}: metadata {key} is missing or no array of {kind.__name__}")
        return cast(tuple[_Scalar, ...], values)

    def raw(self, name: str) -> NDArray[np.uint8]:
        """The bytes of a tensor as stored, [..., row bytes], read-only; raises GgufError if it is missing."""
        tensor = self._tensor(name)
        stored = np.frombuffer(self._data, dtype=np.uint8, count=tensor.num_bytes, offset=tensor.offset_bytes)
        return stored.reshape(*tensor.shape[:-1], -1)

    def tensor(self, name: str) -> NDArray[np.float32]:
        """A tensor dequantized to float32, read-only; raises GgufError if it is missing, unsupported or not finite."""
        info = self._tensor(name)
        if info.type not in SUPPORTED_TYPES:
            raise GgufError(
                f"{self.path}: {name} is stored as {info.type.name}, supported are "
                f"{', '.join(type_.name for type_ in SUPPORTED_TYPES)}: convert the model to one of these"
            )
        try:
            values = float_values(self.raw(name).reshape(-1), info.type).reshape(info.shape)
        except ValueError as error:
            raise GgufError(f"{self.path}: {name} {error}") from error
        except MemoryError as error:
            raise GgufError(f"{self.path}: {name} has {math.prod(info.shape)} values: not enough memory") from error
        values.flags.writeable = False
        return values

    def _tensor(self, name: str) -> TensorInfo:
        if name not in self.tensors:
            raise GgufError(f"{self.path}: tensor {name} is missing")
        return self.tensors[name]


def open_gguf(path: Path) -> GgufFile:
    """Open and check a GGUF file; raises GgufError naming the file, the field and its value."""
    try:
        with path.open("rb") as file:
            data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        raise GgufError(f"{path}: cannot be read: {error}") from error
    return GgufFile(path, data)
