"""Energy of a token on a chip: what its program does, counted exactly, times what each of it takes.

Counted activities that have a constant in `energy.toml` take that; the others, and wires and clocks, what `power.toml`
assumes of them, so that watts are whole. The first part alone is what `waterclock energy` prints.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from waterclock.silicon.area import ChipArea
from waterclock.silicon.constants import Constants
from waterclock.silicon.energies import energy_figure
from waterclock.silicon.energy import Constant
from waterclock.silicon.fields import CYCLE, TOKEN
from waterclock.silicon.figure import Figure, leaf, total
from waterclock.silicon.power import ChipPower

HOPS = "stream.hop_bit"
ASSUMED: Mapping[str, str] = MappingProxyType({
    "mxm.reram_row_bit": "power.other_bit", "vxm.hold_bit": "power.other_bit", "sxm.moved_bit": "power.other_bit",
    "vxm.logic": "power.other_operation", "vxm.shift": "power.other_operation",
    "vxm.conversion": "power.other_operation", "vxm.special_integer": "power.other_operation",
    "icu.param_set": "power.other_operation",
})  # fmt: skip
"""What an activity without a sourced constant is taken for."""


@dataclass(frozen=True)
class Counted:
    """An activity, how often a launch has it, and its constant if it has one with a source."""

    activity: str
    count: int
    constant: Constant | None


@dataclass(frozen=True)
class Work:
    """What a launch of a program does; `about` names program, model and chip."""

    about: str
    length_cycles: int
    launch_gap_cycles: int
    num_tokens: int
    counted: tuple[Counted, ...]


@dataclass(frozen=True, eq=False)
class TokenEnergy:
    """Joules and time of a token as figures."""

    work: Work
    power: ChipPower

    @property
    def area(self) -> ChipArea:
        return self.power.area

    @property
    def constants(self) -> Constants:
        return self.area.constants

    @cached_property
    def tokens(self) -> Figure:
        """Tokens a second, launch after launch."""
        cycles = self._leaf(
            "program.cycles", self.work.length_cycles, "cycles of a launch, as the compiler states them"
        )
        gap = self._leaf("program.gap", self.work.launch_gap_cycles, "cycles between two launches")
        tokens = self._leaf("program.tokens", self.work.num_tokens, "tokens of a launch")
        rate = self.area.fields["clock_mhz"] * tokens * TOKEN / ((cycles + gap) * CYCLE)
        return rate.named("token.rate", "token/s", "tokens a second while the chip works")

    @cached_property
    def counted(self) -> Figure:
        """Of activities whose constants have a source."""
        return self._sum("energy.counted", "counted activities whose constants have a source", True)

    @cached_property
    def assumed(self) -> Figure:
        return self._sum("energy.assumed", "counted activities whose constants are assumed; wires of streams", False)

    @cached_property
    def clock(self) -> Figure:
        energy = self.power.clock / self.tokens
        return energy.named("energy.clock", "uJ/token", "clocks while the chip works")

    @cached_property
    def leakage(self) -> Figure:
        energy = self.power.leakage / self.tokens
        return energy.named("energy.leakage", "uJ/token", "leakage while the chip works")

    @cached_property
    def working(self) -> Figure:
        """All but leakage: what a chip that waits does not take."""
        found = self.counted + self.assumed + self.clock
        return found.named("energy.working", "uJ/token", "all but leakage")

    @cached_property
    def token(self) -> Figure:
        return (self.working + self.leakage).named("energy.token", "uJ/token", "a token, launch after launch")

    @cached_property
    def full_power(self) -> Figure:
        return (self.token * self.tokens).named("power.full", "W", "the chip, launch after launch")

    @cached_property
    def density(self) -> Figure:
        density = self.full_power / self.area.die
        return density.named("power.full_density", "W/mm^2", "the chip, launch after launch, over its die")

    @cached_property
    def _lines(self) -> Mapping[str, tuple[bool, Figure]]:
        """By activity: whether its constant has a source, and what all of it takes in a launch."""
        return MappingProxyType({
            one.activity: (one.constant is not None, self._line(one)) for one in self.work.counted if one.count
        })  # fmt: skip

    def _line(self, one: Counted) -> Figure:
        if one.constant is not None:
            each = energy_figure(one.constant)
            count = self._leaf(f"count.{one.activity}", one.count, one.constant.meaning)
        elif one.activity == HOPS:
            each = self._hop
            count = self._leaf(f"count.{one.activity}", one.count, "bits that a stream register takes over", "bit")
        else:
            each = self.constants[ASSUMED[one.activity]]
            is_bits = ASSUMED[one.activity] == "power.other_bit"
            count = self._leaf(f"count.{one.activity}", one.count, each.meaning, "bit" if is_bits else "")
        return (count * each).named(f"energy.{one.activity}", "uJ", f"{one.activity} of a launch")

    @cached_property
    def _hop(self) -> Figure:
        c = self.constants
        wire = self.area.pitch * c.at(self.area.chip.node_nm, "wire.energy") * c["power.toggle"]
        return wire.named("energy.hop", "pJ/bit", "a bit on its way from a slice to the next")

    def _sum(self, name: str, meaning: str, sourced: bool) -> Figure:
        tokens = self._leaf("program.tokens", self.work.num_tokens, "tokens of a launch") * TOKEN
        energy = total([figure for is_sourced, figure in self._lines.values() if is_sourced is sourced])
        return (energy / tokens).named(name, "uJ/token", meaning)

    @cached_property
    def _made(self) -> dict[str, Figure]:
        return {}

    def _leaf(self, name: str, value: int, meaning: str, unit_text: str = "") -> Figure:
        if name not in self._made:
            self._made[name] = leaf(name, meaning, unit_text, value, f"{self.work.about}: counted exactly")
        return self._made[name]
