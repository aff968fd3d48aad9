"""Memories of a running chip, cell by cell: filled and read at once, where the load bus takes a cycle a word.

A bank of an MXM holds every tile whose number leaves the bank's own as remainder; its rows are those tiles in order.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from waterclock.chip import Chip, SliceKind
from waterclock.rtl.clock import DATAPATH
from waterclock.rtl.images import Memories
from waterclock.rtl.streams import BYTES_PER_WORD
from waterclock.rtl.verilated import Simulation

KINDS = ("mem", "reram", "sram")


def _banks(chip: Chip, kind: str) -> Iterator[tuple[str, int, slice]]:
    """Where each bank of a kind of memory is in the row, of which slice it is, and which of its rows the bank has."""
    if kind == "mem":
        yield from ((f"{one.name}.{DATAPATH}.sram", one.index, slice(None)) for one in chip.slices_of(SliceKind.MEM))
        return
    mxm = chip.mxm
    num_tiles, num_banks = {
        "reram": (mxm.num_reram_tiles, mxm.num_reram_banks), "sram": (mxm.num_sram_tiles, mxm.num_sram_banks),
    }[kind]  # fmt: skip
    for one in chip.slices_of(SliceKind.MXM) if num_tiles else ():
        for bank in range(num_banks):
            yield f"{one.name}.{DATAPATH}.{kind}.bank_{bank}", one.index, slice(bank, None, num_banks)


def fill(simulation: Simulation, chip: Chip, memories: Memories) -> None:
    """Put memories, but not parameters, into the cells of a chip that does nothing."""
    images: dict[str, npt.NDArray[Any] | None] = {kind: getattr(memories, kind) for kind in KINDS}
    for kind, image in images.items():
        if image is None:
            continue
        for path, index, rows in _banks(chip, kind):
            words = np.ascontiguousarray(image[index, rows]).view(np.uint32).ravel()
            simulation.cells(f"row.{path}.cells", len(words))[:] = words


def read(simulation: Simulation, chip: Chip, kind: str, like: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """What the cells of one of `KINDS` hold, of the shape and type of `like`, the whole chip's memory."""
    image = np.empty_like(like)
    for path, index, rows in _banks(chip, kind):
        words = simulation.cells(f"row.{path}.cells", image[index, rows].nbytes // BYTES_PER_WORD)
        image[index, rows] = words.view(image.dtype).reshape(image[index, rows].shape)
    return image
