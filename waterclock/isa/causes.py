"""Why an entry of an instruction queue is illegal: the causes that the tools name and that the RTL freezes with."""

from collections.abc import Iterable
from enum import IntEnum

from waterclock.errors import WaterclockError


class Cause(IntEnum):
    """The number that a frozen chip shows; 0 while it runs."""

    NONE = 0
    OPCODE = 1  # no such opcode, or not one that this kind of queue accepts
    RESERVED = 2  # a reserved bit is set
    FIELD = 3  # a field is out of range: of its encoding, or of this chip
    SEQUENCE = 4  # a control entry is out of place: start, repeat, loop
    ADDRESS = 5  # an address lies outside its memory (found at link or at issue)
    PARAM = 6  # `icu.set_param` with a value outside the declared range (found at issue)


class IllegalEntry(WaterclockError):
    """Entry `entry` of queue `queue` is refused for `cause`; the text says so in one line."""

    def __init__(self, queue: str, entry: int, cause: Cause, detail: str) -> None:
        super().__init__(f"{queue}, entry {entry}: {detail} (cause {cause.name.lower()})")
        self.queue = queue
        self.entry = entry
        self.cause = cause


def raise_first(problems: Iterable[IllegalEntry]) -> None:
    """Raise the problem of the lowest entry, if there is any; of several in one entry the one that came first."""
    first = min(problems, key=lambda problem: problem.entry, default=None)
    if first is not None:
        raise first
