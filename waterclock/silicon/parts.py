"""What stands in a slice of each kind: memories from the densities of macros, logic from gates, sense amplifiers for a
tile a cycle."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from types import MappingProxyType

from waterclock.chip import Chip, SliceKind
from waterclock.silicon.constants import Constants
from waterclock.silicon.fields import BYTE, WORD, Fields
from waterclock.silicon.figure import Figure, total
from waterclock.silicon.gates import Logic


class Part(Enum):
    """A part of a slice: name, meaning, whether spare rows and columns can repair it, whether it is made of gates."""

    RERAM = ("reram", "ReRAM tiles", True, False)
    SENSE = ("sense", "amplifiers that sense a tile a cycle, for each bank", False, True)
    SRAM = ("sram", "SRAM", True, False)
    STORE = ("store", "instruction memory", True, False)
    LOGIC = ("logic", "logic", False, True)
    STREAMS = ("streams", "stream registers with what selects operands", False, True)
    QUEUES = ("queues", "instruction queues without their memory", False, True)
    LINKS = ("links", "serial links", False, False)

    def __init__(self, text: str, meaning: str, is_memory: bool, is_logic: bool) -> None:
        self._value_ = text
        self.meaning, self.is_memory, self.is_logic = meaning, is_memory, is_logic


@dataclass(frozen=True, eq=False)
class Memories:
    """The memories of a chip in bits, and how densely its node lays out memories and gates."""

    fields: Fields
    constants: Constants

    @property
    def chip(self) -> Chip:
        return self.fields.chip

    @property
    def node_nm(self) -> int:
        return self.chip.node_nm

    @cached_property
    def gate_density(self) -> Figure:
        c = self.constants
        raw = c.at(self.node_nm, "logic.transistors") / c["logic.transistors_per_gate"]
        return (raw * c["logic.utilisation"]).named("logic.density", "Mgate/mm^2", "gates of placed logic")

    @cached_property
    def sram_density(self) -> Figure:
        density = self.constants["sram.array_efficiency"] / self.constants.at(self.node_nm, "sram.cell")
        return density.named("sram.density", "Mbit/mm^2", "SRAM macros")

    @cached_property
    def reram_density(self) -> Figure:
        return self.constants.at(self.node_nm, "reram.density")

    @cached_property
    def tile_bits(self) -> Figure:
        tile = self.fields["lanes"] * self.fields["lanes"] * BYTE
        return tile.named("tile.bits", "kbit", "a tile of lanes x lanes int8 weights")

    @cached_property
    def mem_bits(self) -> Figure:
        bits = self.fields["mem.num_words"] * self.fields["lanes"] * WORD
        return bits.named("mem.bits", "Mbit", "one MEM slice")

    @cached_property
    def reram_bits(self) -> Figure:
        bits = self.fields.count(SliceKind.MXM) * self.fields["mxm.num_reram_tiles"] * self.tile_bits
        return bits.named("memory.reram", "Mbit", "all ReRAM")

    @cached_property
    def stores(self) -> Mapping[SliceKind, Figure]:
        """What the queues of one slice hold. A chip that installs weights fetches its instructions from MEM too, as
        the published one does, and has none."""
        kinds = dict.fromkeys(piece.kind for piece in self.chip.slices if piece.num_queues and self.chip.is_pim)
        return MappingProxyType({kind: self._store(kind) for kind in kinds})

    def _store(self, kind: SliceKind) -> Figure:
        """A store of several read ports counts as so much more of one port."""
        f, c = self.fields, self.constants
        ports = 1 + (c["store.control_ports"] - 1) * c["store.ports"]
        entry = f.word_bits(kind) + c["store.control_bits"] * ports
        bits = f.queues_of(kind) * f["max_queue_entries"] * entry
        return bits.named(
            f"store.{kind.value}", "Mbit", f"instruction memory of one {kind.value.upper()}, as of one port"
        )

    @cached_property
    def sram_bits(self) -> Figure:
        """All SRAM, as of one port: MEM, tiles, instruction memories."""
        f = self.fields
        found = [f.count(SliceKind.MEM) * self.mem_bits]
        if self.chip.mxm.num_sram_tiles:
            found.append(f.count(SliceKind.MXM) * f["mxm.num_sram_tiles"] * self.tile_bits)
        found += [f.count(kind) * bits for kind, bits in self.stores.items()]
        return total(found).named("memory.sram", "Mbit", "all SRAM")

    def of_gates(self, gates: Figure) -> Figure:
        """The area of logic."""
        return gates / self.gate_density


def parts_of(kind: SliceKind, memories: Memories, logic: Mapping[str, Logic]) -> dict[Part, Figure]:
    """The area of one slice of a kind, by part."""
    own = _OWN[kind](memories, logic)
    return {**own, **_store(kind, memories), **_queues(kind, memories, logic), **_streams(memories, logic)}


_Parts = dict[Part, Figure]


def _mxm(memories: Memories, logic: Mapping[str, Logic]) -> _Parts:
    return {**_reram(memories), **_sram_tiles(memories), **_units(SliceKind.MXM, memories, logic)}


def _reram(memories: Memories) -> _Parts:
    f = memories.fields
    if not memories.chip.mxm.num_reram_tiles:
        return {}
    amplifiers = f["mxm.num_reram_banks"] * memories.tile_bits * memories.constants["reram.sense_amplifier"]
    return {
        Part.RERAM: f["mxm.num_reram_tiles"] * memories.tile_bits / memories.reram_density,
        Part.SENSE: memories.of_gates(amplifiers),
    }


def _sram_tiles(memories: Memories) -> _Parts:
    """Tiles in macros that are read a tile a cycle; a bank of one tile is a register."""
    f, mxm = memories.fields, memories.chip.mxm
    if not mxm.num_sram_tiles:
        return {}
    bits = f["mxm.num_sram_tiles"] * memories.tile_bits
    if mxm.num_sram_tiles <= mxm.num_sram_banks:
        return {Part.SRAM: memories.of_gates(bits * memories.constants["register.cell"])}
    amplifiers = f["mxm.num_sram_banks"] * memories.tile_bits * memories.constants["sram.sense_amplifier"]
    return {Part.SRAM: bits / memories.sram_density + memories.of_gates(amplifiers)}


def _mem(memories: Memories, logic: Mapping[str, Logic]) -> _Parts:
    return {Part.SRAM: memories.mem_bits / memories.sram_density, **_units(SliceKind.MEM, memories, logic)}


def _sxm(memories: Memories, logic: Mapping[str, Logic]) -> _Parts:
    return _units(SliceKind.SXM, memories, logic)


def _vxm(memories: Memories, logic: Mapping[str, Logic]) -> _Parts:
    return _units(SliceKind.VXM, memories, logic)


def _c2c(memories: Memories, logic: Mapping[str, Logic]) -> _Parts:
    """The links, half of them at either end of the row."""
    f, c = memories.fields, memories.constants
    if not memories.chip.c2c.num_links:
        return {}
    lanes = f["c2c.num_links"] * c["c2c.lanes_per_link"] / f.count(SliceKind.C2C)
    return {Part.LINKS: lanes * c["c2c.lane_area"]}


_OWN: Mapping[SliceKind, Callable[[Memories, Mapping[str, Logic]], _Parts]] = MappingProxyType({
    SliceKind.MXM: _mxm, SliceKind.MEM: _mem, SliceKind.SXM: _sxm, SliceKind.VXM: _vxm, SliceKind.C2C: _c2c,
})  # fmt: skip
UNITS_BY_KIND: Mapping[SliceKind, tuple[str, ...]] = MappingProxyType({
    SliceKind.MXM: ("mxm",), SliceKind.MEM: ("mem",), SliceKind.SXM: ("sxm",),
    SliceKind.VXM: ("alu", "holds", "params"),
})  # fmt: skip
"""The units of synthesis that are in slices of a kind, beside streams and queues."""


def _units(kind: SliceKind, memories: Memories, logic: Mapping[str, Logic]) -> _Parts:
    gates = total([logic[unit].gates for unit in UNITS_BY_KIND[kind]]) / memories.fields.count(kind)
    return {Part.LOGIC: memories.of_gates(gates)}


def _store(kind: SliceKind, memories: Memories) -> _Parts:
    if kind not in memories.stores:
        return {}
    return {Part.STORE: memories.stores[kind] / memories.sram_density}


def _queues(kind: SliceKind, memories: Memories, logic: Mapping[str, Logic]) -> _Parts:
    f = memories.fields
    if not any(piece.num_queues for piece in memories.chip.slices_of(kind)):
        return {}
    return {Part.QUEUES: memories.of_gates(logic["icu"].gates * f.queues_of(kind) / f.num_queues)}


def _streams(memories: Memories, logic: Mapping[str, Logic]) -> _Parts:
    return {Part.STREAMS: memories.of_gates(logic["streams"].gates / memories.fields.num_positions)}
