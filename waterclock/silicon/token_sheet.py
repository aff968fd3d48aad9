"""Tokens of a model on a chip, beside accelerators of the catalog: time, joules, dollars, on one sheet."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from waterclock.silicon.chip_sheet import ChipSheet
from waterclock.silicon.figure import Figure, leaf
from waterclock.silicon.roofline import Roofline
from waterclock.silicon.sheet import Sheet
from waterclock.silicon.token_cost import Server, TokenCost
from waterclock.silicon.token_energy import TokenEnergy, Work


@dataclass(frozen=True, eq=False)
class TokenSheet:
    """A chip at work for a share of the time, and what stands beside it."""

    chip: ChipSheet
    work: Work
    utilisation_percent: float
    beside: Sequence[Roofline] = ()

    @cached_property
    def utilisation(self) -> Figure:
        meaning = "share of time in which tokens are made"
        return leaf("plan.utilisation", meaning, "percent", self.utilisation_percent, "option --utilisation")

    @cached_property
    def energy(self) -> TokenEnergy:
        return TokenEnergy(self.work, self.chip.power)

    @cached_property
    def cost(self) -> TokenCost:
        energy, chip = self.energy, self.chip
        price = chip.cost.chip
        name = f"{chip.chip.name}, 1 sequence"
        server = Server("token", name, energy.tokens, energy.full_power, chip.power.leakage, price)
        return TokenCost(server, self.utilisation, chip.constants)

    @cached_property
    def costs(self) -> tuple[TokenCost, ...]:
        """The chip's, then those beside it."""
        others = (TokenCost(one.server, self.utilisation, self.chip.constants) for one in self.beside)
        return (self.cost, *others)

    @cached_property
    def rented(self) -> dict[str, Figure]:
        """Dollars for tokens of what can be rented, by the name of its server."""
        pairs = ((one.server.name, one.rented(self.utilisation)) for one in self.beside)
        return {name: figure for name, figure in pairs if figure is not None}

    @cached_property
    def export(self) -> Sheet:
        return Sheet(self.chip.export.figures)

    @property
    def sections(self) -> dict[str, tuple[Figure, ...]]:
        """What is printed of the chip, by title."""
        energy, cost, chip = self.energy, self.cost, self.chip
        return {
            "Chip": (chip.cost.die, chip.cost.die_yield, chip.cost.good_die, chip.cost.packaged, chip.cost.chip),
            "Energy of a token": (energy.counted, energy.assumed, energy.clock, energy.leakage, energy.token,
                                  energy.full_power, energy.density, cost.mean_power, cost.energy),
            "Cost of a token": (energy.tokens, cost.rate, *cost.parts.values(), cost.total),
        }  # fmt: skip

    @property
    def warnings(self) -> tuple[str, ...]:
        """What can't be made, clocked or cooled, by typical figures."""
        limit = self.chip.constants["cooling.limit"].typical
        is_hot = self.sheet.interval(self.energy.density).typical > limit
        return (*self.chip.limits, *(["launch after launch the die takes more power than can be cooled"] * is_hot))

    @cached_property
    def sheet(self) -> Sheet:
        shown = [figure for figures in self.sections.values() for figure in figures]
        others = [figure for cost in self.costs for figure in (*cost.parts.values(), cost.total, cost.energy)]
        return Sheet([*shown, *others, *self.rented.values(), *self.chip.export.figures])
