"""Deployment: a model placed on a chip, and the programs compiled against that placement."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from waterclock.chip import Chip, SliceKind
from waterclock.compiler.explain import Explanation
from waterclock.compiler.place import Placement
from waterclock.frontends.graph import ModelConfig
from waterclock.isa.program import Object, Program, Space

DEFAULT_CONTEXT = 256
"""Positions of the KV cache, where nobody says otherwise."""
TOKENS = "tokens"
"""The MEM object where the host leaves the tokens of a launch that takes several, one in every lane of a word."""


@dataclass(frozen=True, eq=False)
class Deployment:
    """Everything the chip needs to run a model. SRAM tiles and all memory that no image names are zero at load.

    `mem` is int32 [MEM slice, word, lane], `reram` int8 [MXM, tile, row, column]: the chip's whole memories, so that a
    device can take the weights as they lie here. `programs` and their `explanations` are keyed by name, `max_context`
    counts positions of the KV cache.
    """

    chip: Chip
    config: ModelConfig
    max_context: int
    objects: tuple[Object, ...]
    mem: npt.NDArray[np.int32]
    reram: npt.NDArray[np.int8]
    programs: Mapping[str, Program]
    explanations: Mapping[str, Explanation]


def images(placement: Placement) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int8]]:
    """What the loader writes into MEM and into ReRAM tiles."""
    chip = placement.chip
    mem, reram = blank_images(chip)
    index = {s.name: s.index for kind in (SliceKind.MEM, SliceKind.MXM) for s in chip.slices_of(kind)}
    for image in placement.images:
        memory = mem if image.object.space is Space.MEM else reram
        obj = image.object
        for copy, data in enumerate(image.data):
            start = obj.base + copy * obj.stride
            memory[index[obj.slice], start : start + obj.size] = data
    return mem, reram


def blank_images(chip: Chip) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int8]]:
    """MEM and ReRAM, all zero. What nobody writes takes no memory of the host's."""
    mem = np.zeros((chip.num_mem, chip.mem.num_words, chip.lanes), np.int32)
    return mem, np.zeros((chip.num_mxm, chip.mxm.num_reram_tiles, chip.lanes, chip.lanes), np.int8)


def end_of(objects: Iterable[Object], space: Space) -> int:
    """The first word or tile of a memory that is beyond all objects, in any slice."""
    return max((o.base + (o.num_layers - 1) * o.stride + o.size for o in objects if o.space is space), default=0)
