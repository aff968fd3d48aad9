"""Synthesis beside the model: gates of units that Yosys counted, and what the model says of the same configuration."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any

from waterclock.chip import Chip, load
from waterclock.silicon.constants import Constants
from waterclock.silicon.fields import Fields
from waterclock.silicon.figure import Figure, leaf, total
from waterclock.silicon.gates import logic_by_unit
from waterclock.silicon.parts import Memories
from waterclock.silicon.units import PLAIN

FILE = "synthesised.toml"
MAX_FACTOR = 2
"""Between the areas of a unit by synthesis and by the model."""
ALL = "all"


@dataclass(frozen=True, eq=False)
class Report:
    """A synthesis: the chip, and gates and flip-flops of all units of each kind. `is_used` says whether constants of
    the model come from it."""

    name: str
    chip: Chip
    is_used: bool
    gates_by_unit: Mapping[str, float]
    flipflops_by_unit: Mapping[str, float]


@dataclass(frozen=True, eq=False)
class Line:
    """A unit, by synthesis and by the model: gates, what both take at the density of the chip's node, and model over
    synthesis."""

    unit: str
    synthesised: Figure
    model: Figure
    synthesised_area: Figure
    model_area: Figure
    factor: Figure

    @property
    def figures(self) -> tuple[Figure, ...]:
        return (self.synthesised, self.model, self.synthesised_area, self.model_area, self.factor)


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


def compared(report: Report, constants: Constants) -> tuple[Line, ...]:
    """All units, then all together."""
    fields = Fields(report.chip)
    logic = logic_by_unit(fields, constants)
    density = Memories(fields, constants).gate_density
    synthesised = {unit: _synthesised(report, unit) for unit in logic}
    lines = [_line(unit, synthesised[unit], one.gates, density) for unit, one in logic.items()]
    every = total(list(synthesised.values())).named(f"synthesis.{ALL}", "gate", "all units, synthesised")
    return (*lines, _line(ALL, every, total([one.gates for one in logic.values()]), density))


def _synthesised(report: Report, unit: str) -> Figure:
    source = f"Yosys on {report.name}, in OSU's 180 nm cells, area over that of a NAND2X1 (docs/synthesis.md)"
    return leaf(f"synthesis.{unit}", f"{unit}, synthesised", "gate", report.gates_by_unit[unit], source)


def _line(unit: str, synthesised: Figure, model: Figure, density: Figure) -> Line:
    return Line(
        unit,
        synthesised,
        model.named(f"model.{unit}", "gate", f"{unit}, by the model"),
        (synthesised / density).named(f"synthesis.{unit}.area", "mm^2", f"{unit}, synthesised, at the chip's node"),
        (model / density).named(f"model.{unit}.area", "mm^2", f"{unit}, by the model, at the chip's node"),
        (model / synthesised).named(f"factor.{unit}", PLAIN, "model over synthesis"),
    )
