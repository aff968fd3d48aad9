"""Accelerators that are sold or rented, from the catalog that ships: what is published of them, dated and sourced."""

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from types import MappingProxyType

from waterclock.errors import InputError
from waterclock.silicon.figure import Confidence, Figure, leaf
from waterclock.silicon.sheet import closest

FILE = "accelerators.csv"
UNIT_BY_COLUMN: Mapping[str, str] = MappingProxyType({
    "mem_GB": "GB", "mem_bw_GBps": "GB/s", "bf16_TFLOPS": "tops", "int8_or_fp8_TOPS": "tops", "tdp_W": "W",
    "price_usd": "usd", "price_usd_low": "usd", "price_usd_high": "usd", "all_in_kW_per_chip": "kW",
    "tco_usd_per_hr_hyperscaler": "usd/hour", "rent_usd_per_hr_3yr": "usd/hour", "process_nm": "nm",
    "die_mm2": "mm^2", "dies": "", "io_GBps_bidir": "GB/s",
})  # fmt: skip
"""Columns that are numbers."""
_OF_ITS_OWN: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "die_source": ("die_mm2", "dies", "io_GBps_bidir"), "tops_source": ("int8_or_fp8_TOPS", "bf16_TFLOPS"),
})  # fmt: skip
"""What has a source of its own, if the row says one."""
_FOUNDED = {"high": Confidence.SOURCED, "medium": Confidence.SOURCED, "low": Confidence.REMEMBERED}
_SAID = (Confidence.REMEMBERED, Confidence.DERIVED)
"""What a source may say of itself."""
_PLANAR: Mapping[str, bool | None] = {"yes": True, "no": False, "": None}
_BESIDE = {"dram": True, "sram": False}


@dataclass(frozen=True, eq=False)
class Accelerator:
    """A row of the catalog; numbers that are not published are not in `value_by_column`. `planar` is of its dies,
    `has_dram` says whether the memory of its bandwidth is beside them. `source` is of all columns that are not in
    `source_by_column`."""

    name: str
    slug: str
    value_by_column: Mapping[str, float]
    planar: bool | None
    has_dram: bool
    source: str
    source_by_column: Mapping[str, str]
    note: str
    date: str
    confidence: Confidence
    _made: dict[str, Figure] = field(default_factory=dict[str, Figure])

    def known(self, column: str) -> bool:
        return column in self.value_by_column

    def __getitem__(self, column: str) -> Figure:
        """A number as a figure; the same one each time. InputError where it is not published."""
        if not self.known(column):
            raise InputError(f"{self.name}: {column} is not in the catalog")
        if column not in self._made:
            self._made[column] = self._figure(column)
        return self._made[column]

    def _figure(self, column: str) -> Figure:
        source = self.source_by_column.get(column, self.source)
        founded = next((one for one in _SAID if one.value in source), self.confidence)
        low, value, high = (self.value_by_column.get(f"{column}{end}") for end in ("_low", "", "_high"))
        assert value is not None
        return leaf(
            f"{self.slug}.{column}", f"{column} of {self.name}", UNIT_BY_COLUMN[column], value,
            "; ".join(text for text in (source, self.note, self.date) if text), founded, low, high,
        )  # fmt: skip


@cache
def accelerators() -> Mapping[str, Accelerator]:
    """All of the catalog, by slug: the name in small letters with hyphens."""
    text = (resources.files("waterclock") / "data" / "market" / FILE).read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines())
    found = [accelerator_of(row, f"{FILE}: row {number}") for number, row in enumerate(rows, 2)]
    return MappingProxyType({one.slug: one for one in found})


def accelerator(name: str) -> Accelerator:
    """The accelerator of this name or slug, or the only one whose slug begins with it. InputError if there is none, and
    where several do."""
    slug, catalog = slug_of(name), accelerators()
    found = [slug] if slug in catalog else [one for one in catalog if slug and one.startswith(slug)]
    if len(found) > 1:
        raise InputError(f"accelerator {name!r}: is it {' or '.join(found)}?")
    if not found:
        raise InputError(f"no accelerator {name!r}{closest(slug, catalog)}")
    return catalog[found[0]]


def slug_of(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def accelerator_of(row: Mapping[str, str | None], place: str) -> Accelerator:
    """A row of the catalog, checked. InputError names the column and its value."""
    cells = {column: value or "" for column, value in row.items()}
    values = {column: _number(cells[column], column, place) for column in UNIT_BY_COLUMN if cells.get(column)}
    for column, allowed in (("confidence", _FOUNDED), ("planar", _PLANAR), ("memory", _BESIDE)):
        if cells.get(column) not in allowed:
            raise InputError(f"{place}: {column} = {cells.get(column)!r}: must be {' or '.join(map(repr, allowed))}")
    for column in ("chip", "source", "date"):
        if not cells.get(column):
            raise InputError(f"{place}: {column} is missing")
    return Accelerator(
        cells["chip"], slug_of(cells["chip"]), MappingProxyType(values), _PLANAR[cells["planar"]],
        _BESIDE[cells["memory"]], cells["source"], MappingProxyType(_own_sources(cells)), cells.get("note", ""),
        cells["date"], _FOUNDED[cells["confidence"]],
    )  # fmt: skip


def _own_sources(cells: Mapping[str, str]) -> dict[str, str]:
    """By column, where they differ from that of the row."""
    given = ((cells.get(field, ""), columns) for field, columns in _OF_ITS_OWN.items())
    return {column: source for source, columns in given if source for column in columns}


def _number(text: str, column: str, place: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise InputError(f"{place}: {column} = {text!r}: must be a number above 0")
    return value


def first_known(one: Accelerator, columns: Sequence[str]) -> Figure | None:
    """The first of some columns that is published."""
    return next((one[column] for column in columns if one.known(column)), None)
