"""A second reader of GGUF files, straight from the specification: what the loader accepts is held against it.

It shares nothing with the loader but the names of the format. A file that breaks a rule raises `BrokenRule`.
"""

import itertools
import math
import struct
from dataclasses import dataclass, field
from typing import Any

from gguf.constants import GGMLQuantizationType

from tests.ggml_blocks import BLOCK_FORMATS

NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "B", 10: "Q", 11: "q", 12: "d"}
BOOLEAN, STRING, ARRAY = 7, 8, 9


class BrokenRule(Exception):
    """The file is no GGUF file, or none of the types that are read."""


@dataclass(frozen=True)
class Span:
    """A tensor: its shape outermost first, its type, and its bytes."""

    shape: tuple[int, ...]
    type: GGMLQuantizationType
    stored: bytes


@dataclass
class TinyGguf:
    """A file, read; `places` are where numbers lie in its header, `texts` where texts do: offset and size in bytes."""

    data: bytes
    metadata: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, Span] = field(default_factory=dict)
    places: list[tuple[int, int]] = field(default_factory=list)
    texts: list[tuple[int, int]] = field(default_factory=list)
    at: int = 4

    def __post_init__(self) -> None:
        try:
            self._read()
        except (struct.error, UnicodeDecodeError, KeyError, ValueError, MemoryError, OverflowError) as error:
            raise BrokenRule(str(error)) from error

    def _read(self) -> None:
        self._rule(self.data[:4] == b"GGUF" and self._number("I") in (2, 3))
        num_tensors, num_entries = self._number("Q"), self._number("Q")
        for _ in range(num_entries):
            key = self._string()
            self._rule(key not in self.metadata)
            self.metadata[key] = self._value(self._number("I"))
        entries = [self._entry() for _ in range(num_tensors)]
        alignment = self.metadata.get("general.alignment", 32)
        self._rule(alignment in [1 << n for n in range(3, 21)])
        self.data_start = math.ceil(self.at / alignment) * alignment
        taken = []
        for name, sizes, type_, offset in entries:
            block = BLOCK_FORMATS[GGMLQuantizationType(type_)]
            start = self.data_start + offset
            end = start + math.prod(sizes) // block.num_values * block.num_bytes
            self._rule(name not in self.tensors and offset % alignment == 0 and sizes[0] % block.num_values == 0)
            self._rule(start < end <= len(self.data))
            taken.append((start, end))
            self.tensors[name] = Span(sizes[::-1], GGMLQuantizationType(type_), self.data[start:end])
        taken.sort()
        self.data_end = taken[-1][1] if taken else self.data_start
        self._rule(all(before[1] <= after[0] for before, after in itertools.pairwise(taken)))

    def _rule(self, holds: bool) -> None:
        if not holds:
            raise BrokenRule(f"at byte {self.at}")

    def _number(self, code: str) -> Any:
        (number,) = struct.unpack_from(f"<{code}", self.data, self.at)
        self.places.append((self.at, struct.calcsize(code)))
        self.at += struct.calcsize(code)
        return number

    def _string(self) -> str:
        length = self._number("Q")
        self._rule(self.at + length <= len(self.data))
        self.texts.append((self.at, length))
        self.at += length
        return self.data[self.at - length : self.at].decode()

    def _value(self, type_: int) -> Any:
        if type_ == STRING:
            return self._string()
        if type_ == ARRAY:
            item_type, length = self._number("I"), self._number("Q")
            self._rule(item_type != ARRAY and length <= len(self.data))
            return tuple(self._value(item_type) for _ in range(length))
        number = self._number(NUMBERS[type_])
        self._rule(type_ != BOOLEAN or number in (0, 1))
        return bool(number) if type_ == BOOLEAN else number

    def _entry(self) -> tuple[str, tuple[int, ...], int, int]:
        name, rank = self._string(), self._number("I")
        self._rule(1 <= rank <= 4)
        sizes = tuple(self._number("Q") for _ in range(rank))
        return name, sizes, self._number("I"), self._number("Q")
