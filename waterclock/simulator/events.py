"""What a launch changes, told as it happens: plain records that another execution's can be compared with."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What an event changes, with what its place is made of."""

    STREAM = "stream"  # x, direction(s), stream: a result on its stream at its own slice
    HOLD = "hold"  # hold register
    PARAM = "param"  # parameter
    MEM = "mem"  # MEM slice, word
    TILE = "tile"  # MXM slice, SRAM tile, row


@dataclass(frozen=True)
class Event:
    """A change that is seen from `cycle` on (MEM: from the next cycle on), and the entry that made it.

    `value` is the little-endian bytes of what is there now: of a MEM word all bytes and lanes, whatever was written.
    """

    cycle: int
    queue: str
    entry: int
    kind: Kind
    place: tuple[int, ...]
    value: bytes
