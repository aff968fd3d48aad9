"""The energy of a program: what it does, times what that takes, by unit and by model operation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from waterclock.chip import Chip
from waterclock.silicon import Constant, Energy, EnergyConstants
from waterclock.silicon.fields import queue_bytes
from waterclock.simulator.energy import ACTIVITIES, Activity, Counts

_Choice = Callable[[Chip, EnergyConstants], Constant]


def _named(name: str) -> _Choice:
    return lambda chip, constants: constants.by_name[name]


def _mem_bit(chip: Chip, constants: EnergyConstants) -> Constant:
    return constants.sram_bit(chip.mem_bytes // chip.num_mem)


def _tile_bank_bit(chip: Chip, constants: EnergyConstants) -> Constant:
    return constants.sram_bit(chip.mxm.num_sram_tiles * chip.tile_bytes // chip.mxm.num_sram_banks)


def _queue_bit(chip: Chip, constants: EnergyConstants) -> Constant:
    return constants.sram_bit(queue_bytes(chip))


CONSTANT_BY_ACTIVITY: Mapping[Activity, _Choice] = MappingProxyType({
    Activity.RERAM_PRODUCT: _named("reram_product"),
    Activity.SRAM_PRODUCT: _named("sram_product"),
    Activity.ACCUMULATOR_ADD: _named("int32_add"),
    Activity.SRAM_ROW_BIT: _tile_bank_bit,
    Activity.MEM_READ_BIT: _mem_bit,
    Activity.MEM_WRITTEN_BIT: _mem_bit,
    Activity.FP32_ADD: _named("fp32_add"),
    Activity.FP32_MUL: _named("fp32_mul"),
    Activity.INT32_ADD: _named("int32_add"),
    Activity.COMPARISON: _named("int32_add"),
    Activity.FETCHED_BIT: _queue_bit,
})  # fmt: skip
"""Which constant an activity takes on a chip; activities that are not here are left out, for want of a source."""


@dataclass(frozen=True)
class Line:
    """An activity that a launch has: how often, what it takes each time, and all together (None: no constant)."""

    activity: Activity
    count: int
    constant: Constant | None
    energy: Energy | None


@dataclass(frozen=True, eq=False)
class Bill:
    """The dynamic energy of one launch, as far as constants have sources."""

    chip: Chip
    counts: Counts
    constants: EnergyConstants

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """One for each activity that there is, in the order of `Activity`."""
        counted = ((activity, self.counts.of(activity)) for activity in ACTIVITIES)
        return tuple(self._line(activity, count) for activity, count in counted if count)

    def _line(self, activity: Activity, count: int) -> Line:
        choose = CONSTANT_BY_ACTIVITY.get(activity)
        constant = choose(self.chip, self.constants) if choose else None
        return Line(activity, count, constant, constant.energy * count if constant else None)

    @cached_property
    def by_unit(self) -> Mapping[str, Energy]:
        """Of every unit that does anything with a constant."""
        sums: dict[str, Energy] = {}
        for line in self.lines:
            if line.energy:
                sums[line.activity.unit] = sums.get(line.activity.unit, Energy()) + line.energy
        return MappingProxyType(sums)

    @cached_property
    def by_operation(self) -> Mapping[str, Energy]:
        """Of every model operation, the largest first; "" is what serves none."""
        sums: dict[str, Energy] = {}
        for line in self.lines:
            if line.constant:
                for operation, count in self.counts.by_operation(line.activity).items():
                    sums[operation] = sums.get(operation, Energy()) + line.constant.energy * count
        return MappingProxyType(dict(sorted(sums.items(), key=lambda item: (-item[1].typical_aj, item[0]))))

    @cached_property
    def total(self) -> Energy:
        return sum(self.by_unit.values(), Energy())
