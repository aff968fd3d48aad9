"""The floorplan of a chip to scale: where each slice and each of its parts is, in millimetres.

The row of slices fills the die from west to east; every slice has the die's height and its share of the width, and its
parts lie in it from top to bottom. Overhead (pads, grid, channels) is spread over all.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

from waterclock.chip import Chip
from waterclock.silicon.area import ChipArea
from waterclock.silicon.parts import Part
from waterclock.silicon.sheet import Sheet


@dataclass(frozen=True)
class Box:
    """A part of a slice, in millimetres from the die's lower left corner."""

    slice: str
    part: Part
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Run:
    """Neighbouring slices of one kind, in millimetres from the die's left edge."""

    label: str
    x: float
    width: float


@dataclass(frozen=True)
class Floorplan:
    """A die with its boxes and runs of slices, by typical figures."""

    name: str
    width: float
    height: float
    boxes: tuple[Box, ...]
    runs: tuple[Run, ...]

    def record(self) -> dict[str, Any]:
        """Plain values, in millimetres."""
        boxes = [{**asdict(box), "part": box.part.value} for box in self.boxes]
        return {"width_mm": self.width, "height_mm": self.height, "boxes_mm": boxes}


def floorplan(area: ChipArea) -> Floorplan:
    """The same chip and constants give the same boxes."""
    sheet = Sheet([area.width, area.height, area.row, *(a for parts in area.parts.values() for a in parts.values())])
    width, height = (sheet.interval(figure).typical for figure in (area.width, area.height))
    boxes = tuple(_boxes(area, sheet, width, height))
    return Floorplan(area.chip.name, width, height, boxes, tuple(_runs(area.chip, boxes)))


def _runs(chip: Chip, boxes: tuple[Box, ...]) -> Iterator[Run]:
    for kind, run in groupby(boxes, key=lambda box: chip.slice_by_name[box.slice].kind):
        columns = {box.slice: box for box in run}
        number = f" x {len(columns)}" if len(columns) > 1 else ""
        x, width = min(box.x for box in columns.values()), sum(box.width for box in columns.values())
        yield Run(f"{kind.value.upper()}{number}", x, width)


def _boxes(area: ChipArea, sheet: Sheet, width: float, height: float) -> Iterator[Box]:
    row = sheet.interval(area.row).typical
    x = 0.0
    for piece in area.chip.slices:
        shares = {part: sheet.interval(one).typical / row for part, one in area.parts[piece.kind].items()}
        own, y = width * sum(shares.values()), 0.0
        for part, share in shares.items():
            tall = height * width * share / own
            yield Box(piece.name, part, x, y, own, tall)
            y += tall
        x += own
