"""Energy: exact intervals, and the constants of `data/silicon/energy.toml` with node and source."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from itertools import pairwise
from types import MappingProxyType
from typing import Any

AJ_PER_PJ = 1_000_000
FILE = "energy.toml"


@dataclass(frozen=True)
class Energy:
    """An energy as low, typical and high whole numbers of attojoules; sums and multiples are exact."""

    low_aj: int = 0
    typical_aj: int = 0
    high_aj: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.low_aj <= self.typical_aj <= self.high_aj:
            raise ValueError(f"{self}: must not be negative, and in order")

    def __add__(self, other: "Energy") -> "Energy":
        return Energy(
            self.low_aj + other.low_aj, self.typical_aj + other.typical_aj, self.high_aj + other.high_aj
        )  # fmt: skip

    def __mul__(self, count: int) -> "Energy":
        return Energy(self.low_aj * count, self.typical_aj * count, self.high_aj * count)


@dataclass(frozen=True)
class Bound:
    """One figure of a constant: attojoules, the process node that they hold at, and where they are from."""

    aj: int
    node_nm: int
    source: str


@dataclass(frozen=True)
class Constant:
    """What one activity takes, from the lowest to the highest figure that has a source."""

    name: str
    meaning: str
    low: Bound
    typical: Bound
    high: Bound

    @property
    def energy(self) -> Energy:
        return Energy(self.low.aj, self.typical.aj, self.high.aj)


@dataclass(frozen=True)
class EnergyConstants:
    """All constants.

    `sram_by_capacity` has one for a bit of a memory, by its bytes. `left_out` says of activities that are counted why
    they have none, `not_contained` what else no figure contains.
    """

    by_name: Mapping[str, Constant]
    sram_by_capacity: Mapping[int, Constant]
    left_out: Mapping[str, str]
    not_contained: Mapping[str, str]

    def sram_bit(self, capacity_bytes: int) -> Constant:
        """A bit read from or written to an SRAM of this capacity.

        Between two capacities that were modelled it is at least the smaller's and at most the larger's, and typically
        halfway. Below the smallest and above the largest theirs holds: a larger memory is made of several.
        """
        capacities = sorted(self.sram_by_capacity)
        nearest = min(max(capacity_bytes, capacities[0]), capacities[-1])
        if nearest in self.sram_by_capacity:
            return self.sram_by_capacity[nearest]
        small, large = next(
            (self.sram_by_capacity[a], self.sram_by_capacity[b]) for a, b in pairwise(capacities) if a < nearest < b
        )
        middle = Bound(
            (small.typical.aj + large.typical.aj) // 2,
            small.typical.node_nm,
            f"halfway: {small.meaning}, {small.typical.source}; {large.meaning}, {large.typical.source}",
        )
        meaning = f"a bit of an SRAM of {capacity_bytes:,} bytes"
        return Constant(f"sram_{capacity_bytes}_bit", meaning, small.low, middle, large.high)


@cache
def load_energy_constants() -> EnergyConstants:
    """The constants that ship."""
    text = (resources.files("waterclock") / "data" / "silicon" / FILE).read_text(encoding="utf-8")
    table = tomllib.loads(text, parse_float=Decimal)
    named = [_constant(row, row["name"], row["meaning"]) for row in table["constant"]]
    sram = {row["capacity_bytes"]: _sram(row) for row in table["sram"]}
    return EnergyConstants(
        by_name=MappingProxyType({constant.name: constant for constant in named}),
        sram_by_capacity=MappingProxyType(sram),
        left_out=MappingProxyType(table["left_out"]),
        not_contained=MappingProxyType(table["not_contained"]),
    )


def _sram(row: Mapping[str, Any]) -> Constant:
    capacity = row["capacity_bytes"]
    return _constant(row, f"sram_{capacity}_bit", f"a bit of an SRAM of {capacity:,} bytes")


def _constant(row: Mapping[str, Any], name: str, meaning: str) -> Constant:
    """A constant; where the sources give only one figure it is the lowest and the highest too."""
    low, typical, high = (_bound(row.get(which, row["typical"])) for which in ("low", "typical", "high"))
    return Constant(name, meaning, low, typical, high)


def _bound(row: Mapping[str, Any]) -> Bound:
    aj = Decimal(row["pj"]) * AJ_PER_PJ
    if aj != int(aj):
        raise ValueError(f"{row['pj']} pJ: must be a whole number of attojoules")
    return Bound(int(aj), row["node_nm"], row["source"])
