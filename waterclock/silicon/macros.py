"""Published compute-in-memory macros: operations a joule and a square millimetre.

The collection normalises to products of one bit by one. The native figure of a macro is its column over (B_x B_w); what
it would do of 8 bits by 8, made of its native products, is its column over 64. An operation is a product or a sum.
"""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from statistics import median

from waterclock.errors import InputError

FILE = "imc-macros.csv"
SOURCE = "UIUC IMC benchmarking, Benchmarking_Data.csv"
FULL_BITS = 8


class Group(StrEnum):
    """Kinds of macros."""

    DIGITAL = "digital SRAM"
    ANALOG_SRAM = "analog SRAM"
    RERAM = "ReRAM"


@dataclass(frozen=True)
class Macro:
    """A row: efficiencies of products of one bit by one, or None where they are not published."""

    title: str
    venue: str
    node_nm: int
    group: Group | None
    operand_bits: float
    weight_bits: float
    converter_bits: float | None
    tops_per_w: float | None
    tops_per_mm2: float | None

    def native(self, column: float | None) -> float | None:
        """Of the products that the macro makes at once."""
        return None if column is None else column / (self.operand_bits * self.weight_bits)

    def full(self, column: float | None) -> float | None:
        """Of products of 8 bits by 8."""
        return None if column is None else column / (FULL_BITS * FULL_BITS)


@cache
def macros() -> tuple[Macro, ...]:
    """All that ship."""
    text = (resources.files("waterclock") / "data" / "market" / FILE).read_text(encoding="utf-8")
    rows = enumerate(csv.DictReader(text.splitlines()), 2)
    return tuple(macro_of(row, f"{FILE}: row {number}") for number, row in rows)


def macro_of(row: Mapping[str, str], place: str) -> Macro:
    """A row, checked. InputError names the column."""

    def number(column: str) -> float | None:
        text = row.get(column, "")
        try:
            return float(text) if text else None
        except ValueError:
            raise InputError(f"{place}: {column} = {text!r}: must be a number") from None

    node, operand, weight = (number(column) for column in ("Tech (nm)", "B_x", "B_w"))
    if node is None or not operand or not weight:
        raise InputError(f"{place}: Tech (nm), B_x and B_w must be there, and above 0")
    venue = f"{row['Journal/Conference']} {row['Year']}"
    return Macro(
        row["Paper Title"], venue, int(node), _group(row), operand, weight, number("B_ADC"), number("TOPS/W"),
        number("TOPS/mm2"),
    )  # fmt: skip


def _group(row: Mapping[str, str]) -> Group | None:
    """None for other memories."""
    cell = row["Cell Type"].lower()
    if row["Architecture"] == "SRAM":
        return Group.DIGITAL if cell.endswith("+d") else Group.ANALOG_SRAM
    return Group.RERAM if cell.startswith(("reram", "rram", "1t1r")) else None


@dataclass(frozen=True)
class Spread:
    """What published macros of a group reach: how many say so, least, median, most."""

    number: int
    low: float
    median: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.3g} ({self.low:.3g} to {self.high:.3g})"


def spread(group: Group, value: Callable[[Macro], float | None]) -> Spread:
    """Of the macros of a group that publish it."""
    found = [one for macro in macros() if macro.group is group and (one := value(macro)) is not None]
    return Spread(len(found), min(found), median(found), max(found))
