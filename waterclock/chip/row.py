"""The row of slices along the x axis, and their instruction queues."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class SliceKind(StrEnum):
    """The kinds of slice; the value is also the first half of every mnemonic."""

    C2C = "c2c"
    MXM = "mxm"
    SXM = "sxm"
    MEM = "mem"
    VXM = "vxm"


@dataclass(frozen=True)
class Slice:
    """One functional slice; `index` counts west to east within its kind, `x` over all slices."""

    name: str
    kind: SliceKind
    index: int
    x: int
    num_queues: int


@dataclass(frozen=True)
class Queue:
    """One instruction queue; `index` counts within its slice, `number` over the chip."""

    name: str
    slice: Slice
    index: int
    number: int


def row_of(kinds: Iterable[SliceKind], num_alus: int) -> tuple[Slice, ...]:
    """The slices of these kinds, west to east."""
    num_queues_by_kind = dict.fromkeys(SliceKind, 1) | {SliceKind.VXM: num_alus, SliceKind.C2C: 0}
    seen: Counter[SliceKind] = Counter()
    row: list[Slice] = []
    for x, kind in enumerate(kinds):
        index = seen[kind]
        seen[kind] += 1
        name = kind.value if kind is SliceKind.VXM else f"{kind}{index}"
        row.append(Slice(name, kind, index, x, num_queues_by_kind[kind]))
    return tuple(row)


def queues_of(row: Iterable[Slice]) -> tuple[Queue, ...]:
    """The instruction queues of the slices, in their order; a queue's place here is its number."""
    places = [(piece, index) for piece in row for index in range(piece.num_queues)]
    return tuple(Queue(_queue_name(*place), *place, number) for number, place in enumerate(places))


def _queue_name(piece: Slice, index: int) -> str:
    return f"{piece.name}.alu{index}" if piece.kind is SliceKind.VXM else piece.name
