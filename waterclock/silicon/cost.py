"""What a chip costs to make: wafers, yield, package and test, the spending that comes once, and how long it takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from waterclock.errors import InputError
from waterclock.silicon.area import ChipArea
from waterclock.silicon.constants import Constants
from waterclock.silicon.fields import WAFER
from waterclock.silicon.figure import Figure, leaf, total
from waterclock.silicon.spares import Spares
from waterclock.silicon.yields import Defects, DefectSet, YieldModel, defects, gross_dies, survival_with_spares

MAX_SPARES = 3
"""More would make the alternating sum of their yield inexact on chips of many slices."""


@dataclass(frozen=True)
class Plan:
    """How a chip is made: which published defects, how many chips, which spares. InputError where that can't be."""

    defect_set: DefectSet = DefectSet.ACTUARY
    yield_model: YieldModel = YieldModel.NEGATIVE_BINOMIAL
    num_chips: int = 100_000
    spare_superlanes: int = 0
    spare_mxm: int = 0

    def __post_init__(self) -> None:
        for option, spares in (("--spare-superlanes", self.spare_superlanes), ("--spare-mxm", self.spare_mxm)):
            if not 0 <= spares <= MAX_SPARES:
                raise InputError(f"{option} {spares}: must be 0 to {MAX_SPARES}")
        if self.num_chips < 1:
            raise InputError(f"--volume {self.num_chips}: must be at least 1")


USUAL = Plan()


@dataclass(frozen=True, eq=False)
class ChipCost:
    """Dollars and weeks of a chip as figures. Spares make the die larger and forgive the defects in their kind."""

    area: ChipArea
    plan: Plan = USUAL

    @property
    def constants(self) -> Constants:
        return self.area.constants

    @cached_property
    def defects(self) -> Defects:
        return defects(self.constants, self.area.chip.node_nm, self.plan.defect_set, self.plan.yield_model)

    @cached_property
    def spares(self) -> Spares:
        return Spares(self.area, self.plan.spare_mxm, self.plan.spare_superlanes)

    @cached_property
    def die(self) -> Figure:
        """The die with its spares."""
        if not self.spares.kinds:
            return self.area.die
        extra = [kind.area for kind in self.spares.kinds]
        return total([self.area.die, *extra]).named("die.area_with_spares", "mm^2", "the die with its spares")

    @cached_property
    def gross(self) -> Figure:
        """Dies on a wafer."""
        stretch = self.die / self.area.height
        return gross_dies(self.constants, stretch, self.area.height)

    @cached_property
    def critical(self) -> Figure:
        """The area that a defect kills: repaired memories count less."""
        repaired = self.area.memory * self.constants["yield.memory_repair"]
        return (self.area.die - repaired).named("yield.critical", "mm^2", "the die less what its memories repair")

    @cached_property
    def die_yield(self) -> Figure:
        spared = [kind.spared for kind in self.spares.kinds]
        rest = self.critical
        for one in spared:
            rest = rest - one.needed * one.block
        found = survival_with_spares(self.defects, rest, spared)
        return found.named("yield.die", "percent", "dies that work")

    @cached_property
    def wafer(self) -> Figure:
        price = self._at_node("wafer.price") * WAFER
        if not self.area.chip.mxm.num_reram_tiles:
            return price.named("cost.wafer", "usd", "a processed wafer")
        return (price * (1 + self.constants["wafer.reram_adder"])).named(
            "cost.wafer", "usd", "a processed wafer with ReRAM"
        )

    @cached_property
    def good_die(self) -> Figure:
        return (self.wafer / self.gross / self.die_yield).named("cost.good_die", "usd", "a die that works")

    @cached_property
    def test(self) -> Figure:
        tested = self.constants["test.rate"] * self.constants["test.time"] / self.die_yield
        return tested.named("cost.test", "usd", "testers, for each die that works")

    @cached_property
    def packaged(self) -> Figure:
        c = self.constants
        cost = (self.good_die + self.test + c["package.price"]) / c["package.yield"]
        return cost.named("cost.packaged", "usd", "a chip that works, in its package")

    @cached_property
    def once(self) -> Figure:
        spent = self._at_node("mask_set") + self._at_node("design")
        return spent.named("cost.once", "usd", "spent once: masks, design and its software")

    @cached_property
    def num_chips(self) -> Figure:
        return leaf("plan.chips", "chips that are made", "", self.plan.num_chips, "option --volume")

    @cached_property
    def masks(self) -> Figure:
        return (self._at_node("mask_set") / self.num_chips).named("cost.masks", "usd", "a chip's share of the masks")

    @cached_property
    def design(self) -> Figure:
        share = self._at_node("design") / self.num_chips
        return share.named("cost.design", "usd", "a chip's share of design and software")

    @cached_property
    def chip(self) -> Figure:
        cost = self.packaged + self.masks + self.design
        return cost.named("cost.chip", "usd", "a chip with its share of what is spent once")

    @cached_property
    def samples(self) -> Figure:
        weeks = self._at_node("fab_time") + self.constants["package.time"]
        return weeks.named("time.samples", "week", "from tape-out to the first samples")

    @cached_property
    def volume(self) -> Figure:
        weeks = 2 * self.samples + self.constants["ramp.qualification"]
        return weeks.named(
            "time.volume", "week", "from tape-out to the first lot of released chips, without a second tape-out"
        )

    @cached_property
    def reticle(self) -> Figure:
        share = self.die / self.constants["die.reticle"]
        return share.named("die.of_reticle", "percent", "the die over the largest that a scanner exposes")

    @property
    def figures(self) -> Sequence[Figure]:
        """What is printed, in its order."""
        return (
            self.die, self.reticle, self.gross, self.die_yield, self.wafer, self.good_die, self.test,
            self.constants["package.price"], self.packaged, self.once, self.masks, self.design, self.chip,
            self.samples, self.volume,
        )  # fmt: skip

    def _at_node(self, name: str) -> Figure:
        return self.constants.at(self.area.chip.node_nm, name)
