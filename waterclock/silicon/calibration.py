"""Synthesis beside the model: gates of units that Yosys counted, and what the model says of the same configuration."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from waterclock.chip import Chip, load
from waterclock.silicon.constants import Constants
from waterclock.silicon.fields import Fields
from waterclock.silicon.gates import logic_by_unit
from waterclock.silicon.sheet import Interval, Sheet

FILE = "synthesised.toml"
MAX_FACTOR = 2
"""Between the areas of all units of a configuration; the same for each unit is printed, not promised."""


@dataclass(frozen=True)
class Report:
    """A synthesis: the chip, and gates and flip-flops of all units of each kind. `is_used` says whether constants of
    the model come from it."""

    name: str
    chip: Chip
    is_used: bool
    gates_by_unit: Mapping[str, float]
    flipflops_by_unit: Mapping[str, float]


@dataclass(frozen=True)
class Line:
    """A unit, by synthesis and by the model, in gates or in square millimetres of one node."""

    unit: str
    synthesised: float
    model: Interval

    @property
    def factor(self) -> float:
        return self.model.typical / self.synthesised


@cache
def reports() -> tuple[Report, ...]:
    """The syntheses that ship, each with the chip that it was of."""
    text = (resources.files("waterclock") / "data" / "silicon" / FILE).read_text(encoding="utf-8")
    return tuple(_report(row) for row in tomllib.loads(text)["report"])


def _report(row: Mapping[str, Any]) -> Report:
    chip = load(row["chip"])
    return Report(
        row["name"],
        chip.with_fields(row["changed"]) if row["changed"] else chip,
        row["is_used"],
        MappingProxyType({unit: float(gates) for unit, (gates, _) in row["units"].items()}),
        MappingProxyType({unit: float(flipflops) for unit, (_, flipflops) in row["units"].items()}),
    )


def compared(report: Report, constants: Constants) -> Iterator[Line]:
    """All units in gates, then all together."""
    logic = logic_by_unit(Fields(report.chip), constants)
    sheet = Sheet([one.gates for one in logic.values()])
    sums = [0.0, 0.0, 0.0]
    for unit, one in logic.items():
        found = sheet.interval(one.gates)
        thousands = [1000 * bound for bound in (found.low, found.typical, found.high)]
        sums = [a + b for a, b in zip(sums, thousands, strict=True)]
        yield Line(unit, report.gates_by_unit[unit], Interval(*thousands))
    yield Line("all", sum(report.gates_by_unit[unit] for unit in logic), Interval(*sums))
