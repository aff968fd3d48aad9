"""Power of a chip at a load, and whether it can be cooled.

At a load of 100 % every unit issues in every cycle: each MXM multiplies a tile, each MEM reads a word, every ALU adds
or multiplies, each queue fetches, all streams move, all links are full. No program does that; what a program takes is
counted (`waterclock cost`). Energies hold at the node of their source and are not scaled (decision 0031).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from waterclock.chip import SliceKind
from waterclock.silicon.area import ChipArea
from waterclock.silicon.constants import Constants
from waterclock.silicon.energies import named_energy, sram_bit
from waterclock.silicon.fields import BIT, CYCLE, WORD, Fields, queue_bytes
from waterclock.silicon.figure import Figure, total
from waterclock.silicon.gates import stream_bits
from waterclock.silicon.parts import UNITS_BY_KIND, Part


@dataclass(frozen=True, eq=False)
class ChipPower:
    """Power figures of a chip; `load` is the share of cycles in which its units work."""

    area: ChipArea
    load: Figure

    @property
    def fields(self) -> Fields:
        return self.area.fields

    @property
    def constants(self) -> Constants:
        return self.area.constants

    @cached_property
    def work(self) -> Mapping[SliceKind, Figure]:
        """What a cycle of full work takes in one slice of each kind, its clock and leakage apart."""
        return MappingProxyType({
            kind: total([*_WORK[kind](self), self._streams, *self._fetches(kind)]).named(
                f"power.work.{kind.value}", "pJ/cycle", f"a cycle of full work of one {kind.value.upper()}"
            )
            for kind in self.area.kinds
        })  # fmt: skip

    @cached_property
    def clocks(self) -> Mapping[SliceKind, Figure]:
        """What the clock of the flip-flops in one slice of each kind takes."""
        return MappingProxyType({kind: self._clock(kind) for kind in self.area.kinds})

    @cached_property
    def leakages(self) -> Mapping[SliceKind, Figure]:
        return MappingProxyType({kind: self._leakage(kind) for kind in self.area.kinds})

    @cached_property
    def slices(self) -> Mapping[SliceKind, Figure]:
        """One slice of each kind at the load."""
        clock = self.fields["clock_mhz"]
        return MappingProxyType({
            kind: (self.leakages[kind] + clock * self.load * (self.work[kind] + self.clocks[kind])).named(
                f"power.{kind.value}", "W", f"one {kind.value.upper()} at the load"
            )
            for kind in self.area.kinds
        })  # fmt: skip

    @cached_property
    def densities(self) -> Mapping[SliceKind, Figure]:
        """Power of a slice over its area."""
        return MappingProxyType({
            kind: (power / self.area.slices[kind]).named(
                f"power.density.{kind.value}", "W/mm^2", f"one {kind.value.upper()} at the load, over its area"
            )
            for kind, power in self.slices.items()
        })  # fmt: skip

    @cached_property
    def leakage(self) -> Figure:
        found = total([self.fields.count(kind) * one for kind, one in self.leakages.items()])
        return found.named("power.leakage", "W", "leakage of the chip")

    @cached_property
    def clock(self) -> Figure:
        found = total([self.fields.count(kind) * one for kind, one in self.clocks.items()]) * self.fields["clock_mhz"]
        return found.named("power.clock", "W", "clock of the chip while it works")

    @cached_property
    def total(self) -> Figure:
        found = total([self.fields.count(kind) * one for kind, one in self.slices.items()])
        return found.named("power.total", "W", "the chip at the load")

    @cached_property
    def density(self) -> Figure:
        return (self.total / self.area.die).named("power.density", "W/mm^2", "the chip at the load, over its die")

    @cached_property
    def headroom(self) -> Figure:
        limit = self.constants["cooling.limit"]
        return (limit / self.density).named(
            "cooling.headroom", "", "what can be cooled over what there is; 1 is the limit"
        )

    @cached_property
    def _streams(self) -> Figure:
        c = self.constants
        wire = self.area.pitch * c.at(self.fields.chip.node_nm, "wire.energy")
        return stream_bits(self.fields) * wire * c["power.toggle"] / CYCLE

    def _fetches(self, kind: SliceKind) -> list[Figure]:
        """Every queue of a slice fetches a word."""
        f = self.fields
        if not any(piece.num_queues for piece in f.chip.slices_of(kind)):
            return []
        return [f.queues_of(kind) * f.word_bits(kind) / BIT * sram_bit(queue_bytes(f.chip)) / CYCLE]

    def _clock(self, kind: SliceKind) -> Figure:
        found = total(self._flipflops(kind)) * self.constants["power.clocked"] * self.constants["power.flipflop"]
        return found.named(f"power.clock.{kind.value}", "pJ/cycle", f"the clock of one {kind.value.upper()}")

    def _flipflops(self, kind: SliceKind) -> list[Figure]:
        """Of the slice, of the stream registers at it and of its queues."""
        f, logic = self.fields, self.area.logic
        found = [logic[unit].flipflops / f.count(kind) for unit in UNITS_BY_KIND.get(kind, ())]
        found.append(logic["streams"].flipflops / f.num_positions)
        if any(piece.num_queues for piece in f.chip.slices_of(kind)):
            found.append(logic["icu"].flipflops * f.queues_of(kind) / f.num_queues)
        return found

    def _leakage(self, kind: SliceKind) -> Figure:
        c = self.constants
        found: list[Figure] = []
        for part, area in self.area.parts[kind].items():
            if part in {Part.SRAM, Part.STORE}:
                found.append(area * self.area.memories.sram_density * c["power.leakage.sram"])
            elif part is not Part.RERAM:  # its cells hold without power
                found.append(area * c["power.leakage.logic"])
        return total(found).named(f"power.leakage.{kind.value}", "mW", f"leakage of one {kind.value.upper()}")


def _mxm(power: ChipPower) -> list[Figure]:
    """A tile of products, and one addition to an accumulator in every lane."""
    f = power.fields
    product = named_energy("reram_product" if f.chip.mxm.num_reram_tiles else "sram_product")
    return [(f["lanes"] * f["lanes"] * product + f["lanes"] * named_energy("int32_add")) / CYCLE]


def _mem(power: ChipPower) -> list[Figure]:
    f = power.fields
    return [f["lanes"] * WORD / BIT * sram_bit(f.chip.mem_bytes // f.chip.num_mem) / CYCLE]


def _vxm(power: ChipPower) -> list[Figure]:
    """Every ALU, half of the time an addition and half of the time a product."""
    f = power.fields
    each = (named_energy("fp32_add") + named_energy("fp32_mul")) / 2
    return [f["vxm.num_alus"] * f["lanes"] * each / CYCLE]


def _sxm(power: ChipPower) -> list[Figure]:
    return [power.fields["lanes"] * WORD * power.constants["power.other_bit"] / CYCLE]


def _c2c(power: ChipPower) -> list[Figure]:
    """Half of the links, both ways, for as long as a cycle is."""
    f, c = power.fields, power.constants
    if not f.chip.c2c.num_links:
        return []
    lanes = f["c2c.num_links"] * c["c2c.lanes_per_link"] / f.count(SliceKind.C2C)
    return [2 * lanes * c["c2c.lane_rate"] * c["power.lane_serdes"] / f["clock_mhz"]]


_WORK: Mapping[SliceKind, Callable[[ChipPower], list[Figure]]] = MappingProxyType({
    SliceKind.MXM: _mxm, SliceKind.MEM: _mem, SliceKind.VXM: _vxm, SliceKind.SXM: _sxm, SliceKind.C2C: _c2c,
})  # fmt: skip
