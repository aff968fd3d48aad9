"""What the host loads: every store of a chip on the load bus, and the writes that fill them with a program."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from waterclock.chip import Chip, SliceKind
from waterclock.errors import InputError
from waterclock.isa.encoding import encode_queue
from waterclock.isa.layout import word_bits
from waterclock.isa.program import Program
from waterclock.isa.record import Records
from waterclock.rtl.core import built_queues, params_target, store_target
from waterclock.rtl.load import WORD_BITS
from waterclock.rtl.mxm import RERAM, SRAM
from waterclock.rtl.params import LOW, VALUE
from waterclock.rtl.streams import BYTE_BITS

Words = npt.NDArray[np.uint32]
WRITE = np.dtype([("target", "u4"), ("row", "u4"), ("column", "u4"), ("data", "u4")])
"""One cycle of the load bus."""


@dataclass(frozen=True)
class Memories:
    """What the host writes before a launch, shaped as on the whole chip; None leaves a memory at 0."""

    mem: npt.NDArray[np.int32] | None = None
    """[num_mem, num_words, lanes]"""
    reram: npt.NDArray[np.int8] | None = None
    """[num_mxm, num_reram_tiles, lanes, lanes]"""
    sram: npt.NDArray[np.int8] | None = None
    """[num_mxm, num_sram_tiles, lanes, lanes]"""
    params: npt.NDArray[np.int32] | None = None
    """[num_params]"""
    ranges: npt.NDArray[np.int32] | None = None
    """[num_params, 2]: the lowest and highest value that a launch may set; None allows none."""


@dataclass(frozen=True)
class Store:
    """A store on the load bus: rows of 32-bit columns."""

    target: int
    name: str
    num_rows: int
    num_columns: int
    meaning: str


def stores(chip: Chip) -> tuple[Store, ...]:
    """Every store, by target."""
    return tuple(sorted(_stores(chip), key=lambda store: store.target))


def _stores(chip: Chip) -> Iterator[Store]:
    for queue in built_queues(chip):
        columns = word_bits(queue.slice.kind) // WORD_BITS
        meaning = "a row is an entry, to be written whole, from column 0 and row 0 on"
        yield Store(queue.number, f"queue.{queue.name}", chip.max_queue_entries, columns, meaning)
    for one in chip.slices_of(SliceKind.MEM):
        yield Store(
            store_target(chip, one), one.name, chip.mem.num_words, chip.lanes, "a row is a word, a column a lane"
        )
    columns = chip.tile_bytes * BYTE_BITS // WORD_BITS
    tiles = ((RERAM, "reram", chip.mxm.num_reram_tiles), (SRAM, "sram", chip.mxm.num_sram_tiles))
    for one in chip.slices_of(SliceKind.MXM):
        for number, kind, num_tiles in tiles:
            meaning = "a row is a tile, a column 4 weights, output lane by output lane"
            yield Store(store_target(chip, one) + number, f"{one.name}.{kind}", num_tiles, columns, meaning)
    meaning = "a row is a parameter; columns: lowest and highest value that may be set, and the value"
    yield Store(params_target(chip), "params", chip.num_params, VALUE + 1, meaning)


def writes(chip: Chip, queues: Mapping[str, Words], memories: Memories) -> npt.NDArray[np.void]:
    """The writes that fill queues, given as encoded words, and memories that hold 0; one a cycle.

    InputError for a queue that the RTL does not have or that is too long.
    """
    parts = [*_queue_writes(chip, queues), *_memory_writes(chip, memories)]
    return np.concatenate([np.zeros(0, WRITE), *parts])


def param_writes(chip: Chip, params: Mapping[int, int]) -> npt.NDArray[np.void]:
    """The writes that give these parameters their values."""
    rows = np.zeros(len(params), WRITE)
    rows["target"], rows["column"], rows["row"] = params_target(chip), VALUE, list(params)
    rows["data"] = np.array(list(params.values()), np.int32).view(np.uint32)
    return rows


def encoded(chip: Chip, queues: Mapping[str, Records]) -> dict[str, Words]:
    """The words of every queue."""
    return {name: encode_queue(records, chip.queue_by_name[name].slice.kind, name) for name, records in queues.items()}


def declared_ranges(chip: Chip, program: Program) -> npt.NDArray[np.int32]:
    """The declared range of each parameter, [num_params, 2]; an empty one where the program declares none."""
    ranges = np.tile(np.array([1, 0], np.int32), (chip.num_params, 1))
    for param in program.params:
        ranges[param.index] = param.low, param.high
    return ranges


def _writes(target: int, rows: npt.NDArray[Any], first_column: int = 0) -> npt.NDArray[np.void]:
    """The writes that fill a store with rows of 32-bit words."""
    words = np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint32)
    filled = np.zeros(words.shape, WRITE)
    filled["target"], filled["data"] = target, words
    filled["row"], filled["column"] = np.indices(words.shape)
    filled["column"] += first_column
    return filled.ravel()


def _queue_writes(chip: Chip, queues: Mapping[str, Words]) -> Iterator[npt.NDArray[np.void]]:
    built = {queue.name: queue for queue in built_queues(chip)}
    for name, words in queues.items():
        if name not in built:
            raise InputError(f"{name}: the RTL has no such queue")
        if len(words) > chip.max_queue_entries:
            raise InputError(f"{name}: {len(words)} entries, the queue holds {chip.max_queue_entries}")
        yield _writes(built[name].number, words)


def _memory_writes(chip: Chip, memories: Memories) -> Iterator[npt.NDArray[np.void]]:
    images = (
        (SliceKind.MEM, 0, memories.mem), (SliceKind.MXM, RERAM, memories.reram), (SliceKind.MXM, SRAM, memories.sram),
    )  # fmt: skip
    for kind, number, image in images:
        if image is not None:
            filled = [_writes(store_target(chip, one) + number, image[one.index]) for one in chip.slices_of(kind)]
            yield from (each[each["data"] != 0] for each in filled)  # they hold 0 at first
    if memories.params is not None:
        yield _writes(params_target(chip), memories.params[:, None], VALUE)
    if memories.ranges is not None:
        yield _writes(params_target(chip), memories.ranges, LOW)
