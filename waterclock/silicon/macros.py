"""Published compute-in-memory macros: operations a joule and a square millimetre.

The collection normalises to products of one bit by one. The native figure of a macro is its column over (B_x B_w); what
it would do of 8 bits by 8, made of its native products, is its column over 64. An operation is a product or a sum.
"""

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import cache
from importlib import resources
from statistics import median
from types import MappingProxyType

from waterclock.errors import InputError

FILE = "imc-macros.csv"
SOURCE = "UIUC IMC benchmarking, Benchmarking_Data.csv"
FULL_BITS = 8


class Group(StrEnum):
    """Kinds of macros. What has no converter sums digitally."""

    DIGITAL = "digital SRAM"
    ANALOG_SRAM = "analog SRAM"
    RERAM = "ReRAM"


class Column(Enum):
    """An efficiency: how figures of it are called, its column in the collection, its unit."""

    PER_WATT = ("per_watt", "TOPS/W", "tops/W")
    PER_AREA = ("per_area", "TOPS/mm2", "tops/mm^2")

    def __init__(self, text: str, column: str, unit: str) -> None:
        self._value_ = text
        self.column, self.unit = column, unit


@dataclass(frozen=True)
class Macro:
    """A row: efficiencies of products of one bit by one; what is not published is not in `by_column`."""

    title: str
    venue: str
    node_nm: int
    group: Group | None
    operand_bits: float
    weight_bits: float
    converter_bits: float | None
    by_column: Mapping[Column, float]

    def native(self, column: Column) -> float | None:
        """Of the products that the macro makes at once."""
        return self._over(column, self.operand_bits * self.weight_bits)

    def full(self, column: Column) -> float | None:
        """Of products of 8 bits by 8."""
        return self._over(column, FULL_BITS * FULL_BITS)

    def _over(self, column: Column, num_bit_products: float) -> float | None:
        return self.by_column[column] / num_bit_products if column in self.by_column else None


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
    venue, converter_bits = f"{row['Journal/Conference']} {row['Year']}", number("B_ADC")
    published = {column: number(column.column) for column in Column}
    return Macro(
        row["Paper Title"], venue, int(node), _group(row, converter_bits), operand, weight, converter_bits,
        MappingProxyType({column: value for column, value in published.items() if value is not None}),
    )  # fmt: skip


def _group(row: Mapping[str, str], converter_bits: float | None) -> Group | None:
    """None for other memories."""
    if row["Architecture"] == "SRAM":
        return Group.ANALOG_SRAM if converter_bits else Group.DIGITAL
    return Group.RERAM if row["Cell Type"].lower().startswith(("reram", "rram", "1t1r")) else None


@dataclass(frozen=True)
class Spread:
    """What published macros of a group reach: how many say so, least, median, most."""

    number: int
    low: float
    median: float
    high: float


def spread(group: Group, value: Callable[[Macro], float | None]) -> Spread:
    """Of the macros of a group that publish it."""
    found = [one for macro in macros() if macro.group is group and (one := value(macro)) is not None]
    return Spread(len(found), min(found), median(found), max(found))
