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
from waterclock.silicon.figure import total
from waterclock.silicon.gates import logic_by_unit
from waterclock.silicon.parts import Memories
from waterclock.silicon.sheet import Interval, Sheet

FILE = "synthesised.toml"
MAX_FACTOR = 2
"""Between the areas of a unit by synthesis and by the model."""


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
    """A unit, by synthesis and by the model in gates, and what both take at the density of the chip's node."""

    unit: str
    synthesised: float
    model: Interval
    synthesised_mm2: float
    model_mm2: float

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
    fields = Fields(report.chip)
    logic = logic_by_unit(fields, constants)
    every = total([one.gates for one in logic.values()]).named("logic.gates", "kgate", "all units")
    density = Memories(fields, constants).gate_density
    sheet = Sheet([*(one.gates for one in logic.values()), every, density])
    gates_per_mm2 = 1e6 * sheet.interval(density).typical
    counted = {**report.gates_by_unit, "all": sum(report.gates_by_unit[unit] for unit in logic)}
    for unit, figure in {**{unit: one.gates for unit, one in logic.items()}, "all": every}.items():
        found = sheet.interval(figure)
        model = Interval(*(1000 * bound for bound in (found.low, found.typical, found.high)))
        yield Line(unit, counted[unit], model, counted[unit] / gates_per_mm2, model.typical / gates_per_mm2)
