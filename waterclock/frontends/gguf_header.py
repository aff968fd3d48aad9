"""The header of a GGUF file (versions 2 and 3), checked in full before anything of its size is allocated.

Layout, all little-endian: magic, u32 version, u64 tensor count, u64 metadata count; metadata as (string key, u32 type,
value); tensors as (string name, u32 rank, u64 sizes innermost first, u32 type, u64 offset); padding to the alignment;
tensor data. Source: the GGUF specification of the ggml project. Arithmetic is on Python integers, so nothing overflows.
"""

import itertools
import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from waterclock.errors import InputError
from waterclock.frontends.printable import MAX_SHOWN, shown

_Entry = TypeVar("_Entry")
MetadataValue = int | float | bool | str | tuple["MetadataValue", ...]

MAGIC = b"GGUF"
SUPPORTED_VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32
MAX_RANK = 4
MAX_HEADER_BYTES = 1 << 26
MAX_TENSORS = MAX_ENTRIES = 65_536
"""Limits of this reader, far above those of known models: a header takes little memory and time, whatever it claims."""
MAX_KEY_BYTES, MAX_TENSOR_NAME_BYTES = 65_535, 64
_STRING, _ARRAY = 8, 9
_SCALAR_FORMATS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_MIN_STRING_BYTES = 8
_MIN_ENTRY_BYTES = 13
_MIN_TENSOR_BYTES = 32


class GgufError(InputError):
    """A GGUF file that cannot be used; the message names file, field and value."""


@dataclass(frozen=True)
class TensorInfo:
    """Where one tensor lies: `shape` outermost first, `offset_bytes` from the start of the file."""

    name: str
    shape: tuple[int, ...]
    type: GGMLQuantizationType
    offset_bytes: int
    num_bytes: int


@dataclass(frozen=True)
class Header:
    """A checked header: every tensor lies inside the file and none overlaps another."""

    path: Path
    version: int
    metadata: Mapping[str, MetadataValue]
    tensors: Mapping[str, TensorInfo]


def read_header(path: Path, data: memoryview) -> Header:
    """Parse and check the header at the start of `data`, the whole file; raises GgufError."""
    cursor = _Cursor(path, data)
    if (magic := bytes(cursor.take(len(MAGIC), "magic"))) != MAGIC:
        raise GgufError(f"{path}: magic is {magic!r}, expected {MAGIC!r}: not a GGUF file")
    version = cursor.scalar("I", "version")
    if version not in SUPPORTED_VERSIONS:
        order = " (a big-endian file?)" if version >= 1 << 16 else ""
        raise GgufError(f"{path}: version is {version}{order}, supported are {_listing(SUPPORTED_VERSIONS)}")
    num_tensors = cursor.count("tensor count", _MIN_TENSOR_BYTES, MAX_TENSORS)
    num_entries = cursor.count("metadata count", _MIN_ENTRY_BYTES, MAX_ENTRIES)
    metadata = _unique(path, "metadata", num_entries, lambda: _metadata_entry(cursor))
    alignment = _alignment(path, metadata)
    raw = _unique(path, "tensor", num_tensors, lambda: _tensor_entry(cursor))
    start = -(-cursor.position // alignment) * alignment
    tensors = {name: _place(path, entry, start, alignment, len(data)) for name, entry in raw.items()}
    _check_overlap(path, tensors)
    return Header(path, version, metadata, tensors)


class _Cursor:
    """Reads the file front to back and never beyond its end, nor beyond the largest header."""

    def __init__(self, path: Path, data: memoryview) -> None:
        self.path = path
        self.position = 0
        self._data = data[:MAX_HEADER_BYTES]
        is_whole = len(data) <= MAX_HEADER_BYTES
        self._reason = "the file is truncated" if is_whole else f"a header has at most {MAX_HEADER_BYTES} bytes"

    def take(self, num_bytes: int, field: str) -> memoryview:
        remaining = len(self._data) - self.position
        if num_bytes > remaining:
            raise GgufError(f"{self.path}: {field} needs {num_bytes} bytes, {remaining} are left: {self._reason}")
        self.position += num_bytes
        return self._data[self.position - num_bytes : self.position]

    def scalar(self, code: str, field: str) -> int:
        return cast(int, self.scalars(code, 1, field)[0])

    def scalars(self, code: str, count: int, field: str) -> tuple[MetadataValue, ...]:
        if code == "?":
            return tuple(_boolean(self.path, field, byte) for byte in self.take(count, field))
        layout = f"<{count}{code}"
        return struct.unpack(layout, self.take(struct.calcsize(layout), field))

    def count(self, field: str, min_item_bytes: int, max_count: int = MAX_HEADER_BYTES) -> int:
        """A number of items that is accepted and that the rest of the header could hold."""
        count = self.scalar("Q", field)
        remaining = len(self._data) - self.position
        if count * min_item_bytes > remaining:
            raise GgufError(f"{self.path}: {field} is {count}, more than the {remaining} bytes left could hold")
        if count > max_count:
            raise GgufError(f"{self.path}: {field} is {count}, at most {max_count} are accepted")
        return count

    def string(self, field: str) -> str:
        raw = self.take(int.from_bytes(self.take(8, field), "little"), field)
        try:
            return str(raw, "utf-8")
        except UnicodeDecodeError as error:
            raise GgufError(f"{self.path}: {field} is not UTF-8: {error.reason} at byte {error.start}") from error

    def name(self, field: str, max_bytes: int) -> str:
        name = self.string(field)
        if not 1 <= len(name.encode()) <= max_bytes or not name.isprintable():
            raise GgufError(f"{self.path}: {field} is {shown(name)}, expected 1 to {max_bytes} bytes of printable text")
        return name


def _boolean(path: Path, field: str, byte: int) -> bool:
    if byte > 1:
        raise GgufError(f"{path}: {field} is {byte}, expected a boolean 0 or 1")
    return bool(byte)


def _unique(path: Path, kind: str, count: int, read: Callable[[], tuple[str, _Entry]]) -> dict[str, _Entry]:
    entries: dict[str, _Entry] = {}
    for _ in range(count):
        name, entry = read()
        if name in entries:
            raise GgufError(f"{path}: {kind} {name[:MAX_SHOWN]} appears twice")
        entries[name] = entry
    return entries


def _metadata_entry(cursor: _Cursor) -> tuple[str, MetadataValue]:
    key = cursor.name("metadata key", MAX_KEY_BYTES)
    field = key[:MAX_SHOWN]
    return key, _metadata_value(cursor, cursor.scalar("I", f"type of {field}"), field)


def _metadata_value(cursor: _Cursor, type_: int, key: str) -> MetadataValue:
    if type_ == _STRING:
        return cursor.string(key)
    if type_ == _ARRAY:
        return _metadata_array(cursor, key)
    return cursor.scalars(_scalar_format(cursor.path, type_, key), 1, key)[0]


def _metadata_array(cursor: _Cursor, key: str) -> MetadataValue:
    item_type = cursor.scalar("I", f"item type of {key}")
    if item_type == _STRING:
        return tuple(cursor.string(key) for _ in range(cursor.count(f"length of {key}", _MIN_STRING_BYTES)))
    code = _scalar_format(cursor.path, item_type, key)
    return cursor.scalars(code, cursor.count(f"length of {key}", struct.calcsize(f"<{code}")), key)


def _scalar_format(path: Path, type_: int, key: str) -> str:
    if type_ == _ARRAY:
        raise GgufError(f"{path}: {key} is an array of arrays, which no supported model uses")
    if type_ not in _SCALAR_FORMATS:
        raise GgufError(f"{path}: type of {key} is {type_}, which GGUF does not define")
    return _SCALAR_FORMATS[type_]


def _alignment(path: Path, metadata: Mapping[str, MetadataValue]) -> int:
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if type(alignment) is not int or alignment < 8 or alignment & (alignment - 1) or alignment > 1 << 20:
        raise GgufError(f"{path}: general.alignment is {shown(alignment)}, expected a power of two from 8 to {1 << 20}")
    return alignment


@dataclass(frozen=True)
class _TensorEntry:
    """A tensor as the file states it: its offset is from the start of the tensor data."""

    name: str
    shape: tuple[int, ...]
    type: GGMLQuantizationType
    offset_bytes: int


def _tensor_entry(cursor: _Cursor) -> tuple[str, _TensorEntry]:
    name = cursor.name("tensor name", MAX_TENSOR_NAME_BYTES)
    rank = cursor.scalar("I", f"rank of {name}")
    if not 1 <= rank <= MAX_RANK:
        raise GgufError(f"{cursor.path}: rank of {name} is {rank}, expected 1 to {MAX_RANK}")
    sizes = tuple(cursor.scalar("Q", f"shape of {name}") for _ in range(rank))
    if 0 in sizes:
        raise GgufError(f"{cursor.path}: shape of {name} is {_listing(sizes)}, expected no zero")
    type_ = cursor.scalar("I", f"type of {name}")
    try:
        known = GGMLQuantizationType(type_)
    except ValueError as error:
        raise GgufError(f"{cursor.path}: type of {name} is {type_}, which GGUF does not define") from error
    return name, _TensorEntry(name, sizes[::-1], known, cursor.scalar("Q", f"offset of {name}"))


def _place(path: Path, entry: _TensorEntry, start: int, alignment: int, file_bytes: int) -> TensorInfo:
    block_size, block_bytes = GGML_QUANT_SIZES[entry.type]
    if entry.shape[-1] % block_size:
        raise GgufError(
            f"{path}: row length of {entry.name} is {entry.shape[-1]}, "
            f"expected a multiple of {block_size} for {entry.type.name}"
        )
    if entry.offset_bytes % alignment:
        raise GgufError(f"{path}: offset of {entry.name} is {entry.offset_bytes}, expected a multiple of {alignment}")
    num_bytes = math.prod(entry.shape) // block_size * block_bytes
    offset = start + entry.offset_bytes
    if offset + num_bytes > file_bytes:
        raise GgufError(f"{path}: {entry.name} ends at byte {offset + num_bytes}, the file at {file_bytes}: truncated")
    return TensorInfo(entry.name, entry.shape, entry.type, offset, num_bytes)


def _check_overlap(path: Path, tensors: Mapping[str, TensorInfo]) -> None:
    ordered = sorted(tensors.values(), key=lambda tensor: tensor.offset_bytes)
    for before, after in itertools.pairwise(ordered):
        if before.offset_bytes + before.num_bytes > after.offset_bytes:
            raise GgufError(f"{path}: tensors {before.name} and {after.name} overlap at byte {after.offset_bytes}")


def _listing(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values))
