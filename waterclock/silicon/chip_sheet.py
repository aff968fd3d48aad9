"""Everything about a chip that follows from its record: area, power, timing, cost, export control, on one sheet."""

import math
from dataclasses import dataclass
from functools import cached_property

from waterclock.chip import Chip
from waterclock.silicon.area import ChipArea
from waterclock.silicon.constants import Constants
from waterclock.silicon.cost import USUAL, ChipCost, Plan
from waterclock.silicon.export_subject import Exported, exported_chip
from waterclock.silicon.fields import Fields
from waterclock.silicon.figure import Figure, leaf
from waterclock.silicon.power import ChipPower
from waterclock.silicon.sheet import Sheet
from waterclock.silicon.timing import ChipTiming

FULL_LOAD = 100.0
TOLERANCE_MHZ = 1e-6
"""A clock is a whole number, the path that it is held against a quotient."""


@dataclass(frozen=True, eq=False)
class ChipSheet:
    """A chip, how it is made and at which load its power is stated."""

    chip: Chip
    constants: Constants
    plan: Plan = USUAL
    load_percent: float = FULL_LOAD

    @cached_property
    def area(self) -> ChipArea:
        return ChipArea(Fields(self.chip), self.constants)

    @cached_property
    def power(self) -> ChipPower:
        load = leaf("plan.load", "share of cycles in which units work", "percent", self.load_percent, "option --load")
        return ChipPower(self.area, load)

    @cached_property
    def timing(self) -> ChipTiming:
        return ChipTiming(self.area)

    @cached_property
    def cost(self) -> ChipCost:
        return ChipCost(self.area, self.plan)

    @cached_property
    def export(self) -> Exported:
        return exported_chip(self.area)

    @property
    def sections(self) -> dict[str, tuple[Figure, ...]]:
        """What is printed, by title."""
        area, power, timing = self.area, self.power, self.timing
        return {
            "Area": (*area.slices.values(), area.row, area.memory, area.placed_logic, area.die, area.width, area.height,
                     area.gates, area.flipflops, area.transistors),
            "Power at the load": (*power.slices.values(), *power.densities.values(), power.leakage, power.total,
                                  power.density, power.headroom),
            "Timing": (*timing.periods, timing.limit, timing.slack),
            "Yield, cost and time": tuple(self.cost.figures),
        }  # fmt: skip

    @cached_property
    def sheet(self) -> Sheet:
        """All figures, those of parts and of export control too."""
        parts = [area for parts in self.area.parts.values() for area in parts.values()]
        shown = [figure for figures in self.sections.values() for figure in figures]
        return Sheet([*shown, *parts, *self.export.figures])

    @property
    def warnings(self) -> tuple[str, ...]:
        """What can't be made, clocked or cooled as it stands, by typical figures."""
        hot = ", ".join(kind.value.upper() for kind, density in self.power.densities.items() if self._is_hot(density))
        holds_by_warning = {
            "at this load the die takes more power than can be cooled": self._is_hot(self.power.density),
            f"at this load {hot} slices are hotter for their area than a die may be on average": bool(hot),
        }
        return (*self.limits, *(warning for warning, holds in holds_by_warning.items() if holds))

    @property
    def limits(self) -> tuple[str, ...]:
        """Of the warnings those that no load changes."""
        holds_by_warning = {
            "the die is larger than a scanner exposes: it can't be made in one piece":
                self._typical(self.cost.reticle) > 100,
            "the die is larger than a wafer: it is priced as the one die of a wafer":
                self._typical(self.cost.die) > self._usable_mm2,
            f"the clock of {self.chip.clock_mhz:,} MHz is above what the slowest path allows":
                self._typical(self.timing.limit) < self.chip.clock_mhz - TOLERANCE_MHZ,
        }  # fmt: skip
        return tuple(warning for warning, holds in holds_by_warning.items() if holds)

    @property
    def _usable_mm2(self) -> float:
        """Of a wafer, without its edge."""
        diameter, edge = (self.constants[f"wafer.{name}"].typical for name in ("diameter", "edge"))
        return math.pi / 4 * max(0, diameter - 2 * edge) ** 2

    def _is_hot(self, density: Figure) -> bool:
        return self._typical(density) > self.constants["cooling.limit"].typical

    def _typical(self, figure: Figure) -> float:
        return self.sheet.interval(figure).typical
