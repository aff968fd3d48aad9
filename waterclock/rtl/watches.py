"""What lockstep watches: where each kind of change shows in the RTL, and how a difference is put into words."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import numpy as np
import numpy.typing as npt

from waterclock.chip import Chip
from waterclock.isa.record import Direction
from waterclock.rtl.streams import BYTES_PER_WORD
from waterclock.rtl.verilated import Words

NUM_WAYS = 4
"""A stream's place in C++ is (x * num_streams + stream) * NUM_WAYS + its directions."""
MAX_WORDS = 4096
"""Room for a value, as in `lockstep.cpp`: a vector of words, 1,024 lanes at most."""


class Kind(Protocol):
    """A member of an enumeration: stream, hold, param, mem or tile."""

    @property
    def value(self) -> str: ...


class Event(Protocol):
    """A change that is due, as a plain record; `waterclock.simulator.events` says what its fields mean."""

    @property
    def cycle(self) -> int: ...
    @property
    def queue(self) -> str: ...
    @property
    def entry(self) -> int: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def place(self) -> tuple[int, ...]: ...
    @property
    def value(self) -> bytes: ...


@dataclass(frozen=True)
class Due:
    """A change as the RTL shows it: in which cycle, at which watch and which address of it, with which value."""

    cycle: int
    watch: int
    address: int
    value: bytes
    event: Event

    @property
    def order(self) -> tuple[int, int, int]:
        """In which the comparison meets it."""
        return self.cycle, self.watch, self.address


EVENT = np.dtype([("cycle", "<u8"), ("watch", "<u4"), ("address", "<u4"), ("value", "<u4"), ("num_words", "<u4")])
"""A `Due` for C++; `value` is the first of its words in a pool."""


class Watches:
    """Everything that is watched, numbered through: MEM slices, MXM slices, holds, parameters, results on streams."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        nums = {"mem": chip.num_mem, "tile": chip.num_mxm, "hold": chip.vxm.num_holds, "param": chip.num_params}
        self.first_by_kind = dict(zip((*nums, "stream"), accumulate(nums.values(), initial=0), strict=True))
        self.lag_by_kind = {"tile": chip.mxm.sense_cycles - 2}
        """Cycles from the one in which a change is first seen to the one in which the RTL shows it, if not 0."""

    def due(self, event: Event) -> Due:
        """The change as the RTL shows it."""
        kind, (first, *rest) = event.kind.value, event.place
        cycle = event.cycle + self.lag_by_kind.get(kind, 0)
        if kind == "stream":
            direction, stream = rest
            planes = np.frombuffer(event.value, np.uint8).reshape(self.chip.lanes, -1).T
            address = (first * self.chip.num_streams + stream) * NUM_WAYS + direction
            return Due(cycle, self.first_by_kind[kind], address, planes.tobytes(), event)
        address = 0
        for number, size in zip(rest, (1, self.chip.lanes), strict=False):
            address = address * size + number
        return Due(cycle, self.first_by_kind[kind] + first, address, event.value, event)

    def place(self, watch: int, address: int) -> str:
        """A watch and an address of it in words."""
        kind = [kind for kind, first in self.first_by_kind.items() if first <= watch][-1]
        index = watch - self.first_by_kind[kind]
        if kind == "stream":
            place, direction = divmod(address, NUM_WAYS)
            x, stream = divmod(place, self.chip.num_streams)
            ways = " and ".join(str(way.name).lower() for way in Direction(direction))
            return f"{self.chip.slices[x].name}, stream {stream} flowing {ways}"
        if kind == "tile":
            tile, row = divmod(address, self.chip.lanes)
            return f"mxm{index}, SRAM tile {tile}, row {row}"
        return {"mem": f"mem{index}, word {address}", "hold": f"vxm, hold {index}", "param": f"parameter {index}"}[kind]

    def by_lane(self, due: Due, value: bytes) -> list[bytes]:
        """A value lane by lane, of a watch that shows this change."""
        if due.watch == self.first_by_kind["stream"]:
            value = np.frombuffer(value, np.uint8).reshape(-1, self.chip.lanes).T.tobytes()
        lanes = 1 if due.event.kind.value == "param" else self.chip.lanes
        size = len(due.value) // lanes
        return [value[start : start + size] for start in range(0, len(due.value), size)]


def packed(due: Sequence[Due]) -> tuple[npt.NDArray[np.void], Words]:
    """Changes for C++, and the pool of their values; never empty, so that there is an address."""
    rows = np.zeros(len(due), EVENT)
    values = [one.value + bytes(-len(one.value) % BYTES_PER_WORD) for one in due]
    sizes = np.array([len(value) // BYTES_PER_WORD for value in values], np.int64)
    for name in ("cycle", "watch", "address"):
        rows[name] = [getattr(one, name) for one in due]
    rows["num_words"], rows["value"] = sizes, np.cumsum(sizes) - sizes
    return rows, np.frombuffer(b"".join(values) or bytes(BYTES_PER_WORD), np.uint32)


def in_hexadecimal(values: Iterable[bytes]) -> str:
    """Little-endian numbers, as one reads them."""
    return " ".join(f"0x{value[::-1].hex()}" for value in values)
