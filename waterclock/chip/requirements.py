"""What the fields of a chip must be to one another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from waterclock.chip.sections import WeightCell

if TYPE_CHECKING:
    from waterclock.chip.record import Chip


@dataclass(frozen=True)
class Requirement:
    """A rule between fields: `text` completes "field = value: must be" and may name fields of the chip in braces."""

    field: str
    holds: Callable[[Chip], bool]
    text: str

    def must_be(self, chip: Chip) -> str:
        return self.text.format(chip=chip)


REQUIREMENTS = (
    Requirement(
        "lanes",
        lambda chip: not chip.is_pim or chip.lanes.bit_count() == 1,
        "a power of two where an MXM keeps more than one tile",
    ),
    Requirement(
        "layout.num_mxm_east",
        lambda chip: chip.num_mxm >= 1,
        "at least 1 where layout.num_mxm_west = {chip.layout.num_mxm_west}",
    ),
    Requirement(
        "layout.num_mem_east",
        lambda chip: chip.num_mem >= 1,
        "at least 1 where layout.num_mem_west = {chip.layout.num_mem_west}",
    ),
    Requirement(
        "vxm.num_special",
        lambda chip: chip.vxm.num_special <= chip.vxm.num_alus,
        "at most vxm.num_alus = {chip.vxm.num_alus}",
    ),
    Requirement(
        "vxm.num_reduce",
        lambda chip: chip.vxm.num_reduce <= chip.vxm.num_alus,
        "at most vxm.num_alus = {chip.vxm.num_alus}",
    ),
    Requirement(
        "cell",
        lambda chip: (chip.cell is WeightCell.RERAM) == (chip.mxm.num_reram_tiles > 0),
        '"reram" where there are ReRAM tiles, else "sram" (mxm.num_reram_tiles = {chip.mxm.num_reram_tiles})',
    ),
    Requirement(
        "mxm.num_sram_tiles",
        lambda chip: chip.mxm.num_reram_tiles + chip.mxm.num_sram_tiles >= 1,
        "at least 1 where mxm.num_reram_tiles = 0",
    ),
    Requirement(
        "mxm.num_reram_banks",
        lambda chip: chip.mxm.num_reram_banks <= max(1, chip.mxm.num_reram_tiles),
        "at most mxm.num_reram_tiles = {chip.mxm.num_reram_tiles}, and 1 where there are none",
    ),
    Requirement(
        "mxm.num_sram_banks",
        lambda chip: chip.mxm.num_sram_banks <= max(1, chip.mxm.num_sram_tiles),
        "at most mxm.num_sram_tiles = {chip.mxm.num_sram_tiles}, and 1 where there are none",
    ),
)
