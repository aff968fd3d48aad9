"""What a program out of a model file may use up: steps, characters, items, bits and time."""

import time
from collections.abc import Collection, Iterator, Mapping
from itertools import chain, islice
from typing import Any, cast

from jinja2.exceptions import SecurityError

MAX_STEPS = 100_000
MAX_CHARACTERS = 4_194_304
MAX_ITEMS = 10_000
MAX_INTEGER_BITS = 64
MAX_SECONDS = 0.5
"""Processor time, so that a busy machine refuses nothing."""


class Budget:
    """What is left; whatever a template makes is paid for with all that it holds. Raises SecurityError at the end."""

    def __init__(self) -> None:
        self._steps_left = MAX_STEPS
        self._characters_left = MAX_CHARACTERS
        self._deadline = time.thread_time() + MAX_SECONDS

    def spend(self, num_steps: int = 1, num_characters: int = 0) -> None:
        """Take from the budget."""
        self._steps_left -= num_steps
        self._characters_left -= num_characters
        if self._steps_left < 0:
            raise SecurityError(f"takes more than {MAX_STEPS} steps")
        if self._characters_left < 0:
            raise SecurityError(f"builds more than {MAX_CHARACTERS} characters")
        if time.thread_time() > self._deadline:
            raise SecurityError(f"takes more than {MAX_SECONDS} seconds")

    def charge(self, value: Any) -> Any:
        """Pay for a value that was made, and return it; one that makes its items as they are read becomes a list."""
        made: Any = list(islice(cast(Iterator[Any], value), MAX_ITEMS + 1)) if isinstance(value, Iterator) else value
        num_items = num_characters = 0
        for part in parts(made):
            check_integer(part)
            num_items += 1
            num_characters += len(part) if isinstance(part, str) else 0
        self.spend(num_items, num_characters)
        return made


def parts(value: object) -> Iterator[object]:
    """A value and all that it holds, each as often as it would be written; SecurityError for more than MAX_ITEMS."""
    pending, num_items = [value], 1
    while pending:
        part = pending.pop()
        yield part
        held = list(islice(_held(part), MAX_ITEMS + 1))
        num_items += len(held)
        if num_items > MAX_ITEMS:
            raise SecurityError(f"a value of more than {MAX_ITEMS} items")
        pending += held


def _held(part: object) -> Iterator[object]:
    if isinstance(part, Mapping):
        mapping = cast(Mapping[object, object], part)
        return chain(mapping.keys(), mapping.values())
    if isinstance(part, Collection) and not isinstance(part, str):
        return iter(cast(Collection[object], part))
    return iter(())


def check_integer(value: object) -> None:
    """Refuse a number so long that computing with it takes long."""
    if isinstance(value, int) and value.bit_length() > MAX_INTEGER_BITS:
        raise SecurityError(f"an integer of more than {MAX_INTEGER_BITS} bits")
