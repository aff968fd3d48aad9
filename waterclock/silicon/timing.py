"""Timing: what bounds the clock of a chip on its node, an estimate before any layout.

Three paths: the slowest loop of the RTL in levels of logic, a stream's way from slice to slice, and the sensing of
ReRAM in its cycles. Nothing is placed or routed here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from waterclock.chip import SliceKind
from waterclock.silicon.area import ChipArea
from waterclock.silicon.fields import CYCLE
from waterclock.silicon.figure import Figure, maximum


@dataclass(frozen=True, eq=False)
class ChipTiming:
    """Periods that paths of a chip need, and the clock that the longest allows."""

    area: ChipArea

    @cached_property
    def logic(self) -> Figure:
        """The slowest loop: index of an entry, window, comparison of levels, next index, in the widest queue."""
        c = self.area.constants
        levels = c["timing.levels"] * c["timing.fo4_per_level"] + c["timing.fo4_register"]
        return (levels * self._fo4).named("timing.logic", "ps", "period that the slowest loop of logic needs")

    @cached_property
    def widths(self) -> Mapping[SliceKind, Figure]:
        """One slice of each kind, which is as high as the die."""
        area, share = self.area, 1 + self.area.constants["die.overhead"]
        return MappingProxyType({
            kind: (one * share / area.height).named(f"die.width.{kind}", "mm", f"width of one {kind.value.upper()}")
            for kind, one in area.slices.items()
        })  # fmt: skip

    @cached_property
    def stream(self) -> Figure:
        """From the register at one slice to the next, over the widest slice."""
        c = self.area.constants
        way = maximum(*self.widths.values()).named("die.widest_slice", "mm", "the longest hop of a stream")
        period = way * c["timing.wire"] + c["timing.fo4_register"] * self._fo4
        return period.named("timing.stream", "ps", "period that a hop over the widest slice needs")

    @cached_property
    def sense(self) -> Figure | None:
        """None where there is no ReRAM."""
        f = self.area.fields
        if not f.chip.mxm.num_reram_tiles:
            return None
        period = self.area.constants["reram.sense_time"] / f["mxm.sense_cycles"]
        return period.named("timing.sense", "ps", "period that sensing in its cycles needs")

    @property
    def periods(self) -> tuple[Figure, ...]:
        return (self.logic, self.stream, *([self.sense] if self.sense else []))

    @cached_property
    def limit(self) -> Figure:
        clock = CYCLE / maximum(*self.periods)
        return clock.named(
            "timing.clock",
            "MHz",
            "the clock that the slowest of these paths allows; the latencies of instructions are not checked",
        )

    @cached_property
    def slack(self) -> Figure:
        slack = self.limit / self.area.fields["clock_mhz"]
        return slack.named("timing.slack", "", "that clock over the chip's; below 1 the chip is too fast for it")

    @cached_property
    def _fo4(self) -> Figure:
        return self.area.constants.at(self.area.chip.node_nm, "fo4")
