"""Cells of a liberty file: what is needed of them here, their names, areas and which are flip-flops."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from waterclock.errors import InputError

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
CELL = re.compile(r'\bcell\s*\(\s*"?(\w+)"?\s*\)')
AREA = re.compile(r"\barea\s*:\s*([0-9.eE+-]+)")
FLIP_FLOP = re.compile(r"\bff\s*\(")
AREA_UNIT = re.compile(r'\barea_unit\s*:\s*"?([^";]+)')
SQUARE_MICROMETRES = frozenset({"um2", "um^2", "1um2", "1um^2"})
"""How a library may state that its areas are in µm²; the format itself has no attribute for it."""


@dataclass(frozen=True)
class Library:
    """The cells of a file; areas are in the file's own unit: `area_unit` is "um2", or None where it does not say so."""

    path: Path
    sha256: str
    area_by_cell: Mapping[str, float]
    flip_flops: frozenset[str]
    area_unit: str | None

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def area_name(self) -> str:
        """What to call an area in a record."""
        return f"area_{self.area_unit}" if self.area_unit else "area"

    @staticmethod
    def read(path: Path) -> "Library":
        """InputError for a file that can't be read or has no cells."""
        try:
            contents = path.read_bytes()
        except OSError as error:
            raise InputError(f"{path}: cannot read: {error.strerror}") from None
        if re.search(r"\s", str(path.resolve())):
            raise InputError(f"{path}: Yosys takes no file whose path has a space in it")
        text = COMMENT.sub("", contents.decode(errors="replace"))
        head, *parts = CELL.split(text)
        text_by_cell = dict(zip(parts[::2], parts[1::2], strict=True))
        areas = {cell: AREA.search(text) for cell, text in text_by_cell.items()}
        area_by_cell = {cell: float(area[1]) for cell, area in areas.items() if area}
        flip_flops = frozenset(cell for cell, text in text_by_cell.items() if FLIP_FLOP.search(text))
        if not flip_flops & area_by_cell.keys():
            raise InputError(f"{path}: no liberty file with flip-flops that have an area")
        if num_open := text.count("{") - text.count("}"):
            raise InputError(f"{path}: is not whole: {abs(num_open)} braces have no partner")
        return Library(path.resolve(), sha256(contents).hexdigest(), area_by_cell, flip_flops, _area_unit(head))


def _area_unit(head: str) -> str | None:
    """What a library says of its areas before the first cell."""
    stated = AREA_UNIT.search(head)
    return "um2" if stated and stated[1].strip() in SQUARE_MICROMETRES else None
