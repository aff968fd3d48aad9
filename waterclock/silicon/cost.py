"""What a chip costs to make: wafers, yield, package and test, the spending that comes once, and how long it takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from waterclock.chip import SliceKind
from waterclock.errors import InputError
from waterclock.silicon.area import ChipArea
from waterclock.silicon.constants import Constants
from waterclock.silicon.fields import WAFER
from waterclock.silicon.figure import Figure, leaf, total
from waterclock.silicon.parts import Part
from waterclock.silicon.yields import Defects, DefectSet, Spared, YieldModel, defects, gross_dies, survival_with_spares

SUPERLANE_LANES = 16
"""What a spare is of: the lanes that stand together through the whole row (decision 0022)."""
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
    def die(self) -> Figure:
        """The die with its spares."""
        extra = [area for area in (self._mxm_spares, self._superlane_spares) if area]
        if not extra:
            return self.area.die
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
        spared = [one for one in (self._mxm, self._superlanes) if one and one.spares]
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

    @cached_property
    def _critical_mxm(self) -> Figure:
        """One MXM slice with its share of the overhead, less what its memories repair."""
        c = self.constants
        memories = [area for part, area in self.area.parts[SliceKind.MXM].items() if part.is_memory]
        whole = self.area.slices[SliceKind.MXM] * (1 + c["die.overhead"])
        for area in memories:
            whole = whole - area * c["yield.memory_repair"]
        return whole.named("yield.critical_mxm", "mm^2", "one MXM slice, less what its memories repair")

    @cached_property
    def _mxm(self) -> Spared | None:
        if not self.plan.spare_mxm:
            return None
        return Spared(self._critical_mxm, self.area.chip.num_mxm, self.plan.spare_mxm)

    @cached_property
    def _mxm_spares(self) -> Figure | None:
        if not self.plan.spare_mxm:
            return None
        area = self.plan.spare_mxm * self.area.slices[SliceKind.MXM] * (1 + self.constants["die.overhead"])
        return area.named("die.spare_mxm", "mm^2", "spare MXM slices")

    @property
    def _num_superlanes(self) -> int:
        """InputError where the lanes are none: there is nothing to spare."""
        lanes = self.area.chip.lanes
        if lanes % SUPERLANE_LANES:
            raise InputError(f"--spare-superlanes: lanes = {lanes}: must be a multiple of {SUPERLANE_LANES}")
        return lanes // SUPERLANE_LANES

    @cached_property
    def _laned(self) -> Figure:
        """What every superlane has its share of: stream registers and the logic of lanes outside MXM slices."""
        laned = {Part.LOGIC, Part.STREAMS}
        areas = [
            self.area.fields.count(kind) * area
            for kind, parts in self.area.parts.items()
            for part, area in parts.items()
            if part in laned and kind is not SliceKind.MXM
        ]
        return total(areas).named("area.laned", "mm^2", "logic and streams outside MXM slices, in all superlanes")

    @cached_property
    def _superlanes(self) -> Spared | None:
        if not self.plan.spare_superlanes:
            return None
        block = (self._laned / self._num_superlanes).named(
            "yield.superlane", "mm^2", "one superlane outside MXM slices"
        )
        return Spared(block, self._num_superlanes, self.plan.spare_superlanes)

    @cached_property
    def _superlane_spares(self) -> Figure | None:
        if not self._superlanes:
            return None
        area = self.plan.spare_superlanes * self._superlanes.block * (1 + self.constants["die.overhead"])
        return area.named("die.spare_superlanes", "mm^2", "spare superlanes outside MXM slices")
