"""Spare blocks of a die: what they take, and which defects they forgive."""

from dataclasses import dataclass
from functools import cached_property

from waterclock.chip import SliceKind
from waterclock.errors import InputError
from waterclock.silicon.area import ChipArea
from waterclock.silicon.figure import Figure, total
from waterclock.silicon.parts import Part
from waterclock.silicon.yields import Spared

SUPERLANE_LANES = 16
"""What a spare is of: the lanes that stand together through the whole row (decision 0022)."""


@dataclass(frozen=True, eq=False)
class SpareKind:
    """Blocks of one kind: the area of the spare ones, and how they count for yield."""

    area: Figure
    spared: Spared


@dataclass(frozen=True, eq=False)
class Spares:
    """Spare MXM slices and spare superlanes of a chip."""

    chip_area: ChipArea
    num_mxm: int
    num_superlanes: int

    @cached_property
    def kinds(self) -> tuple[SpareKind, ...]:
        """Those of which there are any. InputError for superlanes of a chip that has none."""
        return (*([self._mxm] if self.num_mxm else ()), *([self._superlanes] if self.num_superlanes else ()))

    @cached_property
    def _mxm(self) -> SpareKind:
        """A slice with its share of the overhead; what its memories repair does not count as a defect."""
        area, constants = self.chip_area, self.chip_area.constants
        one = area.slices[SliceKind.MXM] * (1 + constants["die.overhead"])
        memories = [area for part, area in area.parts[SliceKind.MXM].items() if part.is_memory]
        critical = one - total(memories) * constants["yield.memory_repair"] if memories else one
        critical = critical.named("yield.critical_mxm", "mm^2", "one MXM slice, less what its memories repair")
        spare = (self.num_mxm * one).named("die.spare_mxm", "mm^2", "spare MXM slices")
        return SpareKind(spare, Spared(critical, area.chip.num_mxm, self.num_mxm))

    @cached_property
    def _superlanes(self) -> SpareKind:
        """Stream registers and the logic of lanes outside MXM slices; no spare forgives their overhead."""
        lanes = self.chip_area.chip.lanes
        if lanes % SUPERLANE_LANES:
            raise InputError(f"--spare-superlanes: lanes = {lanes}: must be a multiple of {SUPERLANE_LANES}")
        needed = lanes // SUPERLANE_LANES
        block = (self._laned / needed).named("yield.superlane", "mm^2", "one superlane outside MXM slices")
        spare = self.num_superlanes * block * (1 + self.chip_area.constants["die.overhead"])
        spare = spare.named("die.spare_superlanes", "mm^2", "spare superlanes outside MXM slices")
        return SpareKind(spare, Spared(block, needed, self.num_superlanes))

    @cached_property
    def _laned(self) -> Figure:
        """What every superlane has its share of."""
        laned = {Part.LOGIC, Part.STREAMS}
        areas = [
            self.chip_area.fields.count(kind) * area
            for kind, parts in self.chip_area.parts.items()
            for part, area in parts.items()
            if part in laned and kind is not SliceKind.MXM
        ]
        return total(areas).named("area.laned", "mm^2", "logic and streams outside MXM slices, in all superlanes")
