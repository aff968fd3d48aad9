"""What a field of a chip may be, checked and said in words."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Rule(Protocol):
    """What a field may be; `str(rule)` completes the sentence "must be ..."."""

    @property
    def meaning(self) -> str: ...

    def accepts(self, value: object) -> bool: ...

    def parse(self, text: str) -> int | str:
        """The value that `text` stands for, or `text` itself where it stands for none (`accepts` then refuses it)."""
        ...


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high`."""

    low: int
    high: int
    meaning: str
    multiple_of: int = 1

    def accepts(self, value: object) -> bool:
        return type(value) is int and self.low <= value <= self.high and value % self.multiple_of == 0

    def parse(self, text: str) -> int | str:
        try:
            return int(text)
        except ValueError:
            return text

    def __str__(self) -> str:
        kind = "an integer" if self.multiple_of == 1 else f"a multiple of {self.multiple_of}"
        return f"{kind} from {self.low} to {self.high}"


@dataclass(frozen=True)
class OneOf:
    """One member of an enumeration, written as its value."""

    members: type[StrEnum]
    meaning: str

    def accepts(self, value: object) -> bool:
        return isinstance(value, str) and value in set(self.members)

    def parse(self, text: str) -> int | str:
        return text

    def __str__(self) -> str:
        return " or ".join(f'"{member}"' for member in self.members)


@dataclass(frozen=True)
class Text:
    """Text that a pattern matches in full; `allowed` says in words what the pattern allows."""

    pattern: str
    allowed: str
    meaning: str

    def accepts(self, value: object) -> bool:
        return isinstance(value, str) and re.fullmatch(self.pattern, value) is not None

    def parse(self, text: str) -> int | str:
        return text

    def __str__(self) -> str:
        return self.allowed
