"""What an entry of the registry is."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class BadFile:
    """How a file is made, and what the one line that refuses it says: the field, the value, what would be accepted."""

    make: Callable[[], bytes]
    words: str
    sparse_bytes: int = 0
    """How long the file is, the rest of it zeros that take no room on the disk."""


BadFiles = dict[str, BadFile]
