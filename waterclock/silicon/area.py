"""Area of a chip: the slices of each kind, and the die around the row of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from waterclock.chip import Chip, SliceKind
from waterclock.silicon.constants import Constants
from waterclock.silicon.fields import Fields
from waterclock.silicon.figure import Figure, sqrt, total
from waterclock.silicon.gates import Logic, logic_by_unit
from waterclock.silicon.parts import Memories, Part, parts_of


@dataclass(frozen=True, eq=False)
class ChipArea:
    """Areas of a chip as figures, from the parts of a slice to the die.

    InputError, when a figure is first asked for, where the table of nodes has no column for the chip's node.
    """

    fields: Fields
    constants: Constants

    @property
    def chip(self) -> Chip:
        return self.fields.chip

    @property
    def kinds(self) -> tuple[SliceKind, ...]:
        """The kinds of slice that the chip has, in the order in which they come first."""
        return tuple(dict.fromkeys(piece.kind for piece in self.chip.slices))

    @cached_property
    def logic(self) -> Mapping[str, Logic]:
        """Gates and flip-flops by unit of synthesis."""
        return logic_by_unit(self.fields, self.constants)

    @cached_property
    def memories(self) -> Memories:
        return Memories(self.fields, self.constants)

    @cached_property
    def parts(self) -> Mapping[SliceKind, Mapping[Part, Figure]]:
        """What one slice of each kind takes, by part."""
        found = {kind: parts_of(kind, self.memories, self.logic) for kind in self.kinds}
        return MappingProxyType({
            kind: {part: area.named(f"area.{kind}.{part.value}", "mm^2", f"{part.meaning}, one {kind.value.upper()}")
                   for part, area in parts.items()}
            for kind, parts in found.items()
        })  # fmt: skip

    @cached_property
    def slices(self) -> Mapping[SliceKind, Figure]:
        """One slice of each kind."""
        return MappingProxyType({
            kind: total(list(parts.values())).named(f"area.{kind.value}", "mm^2", f"one {kind.value.upper()} slice")
            for kind, parts in self.parts.items()
        })  # fmt: skip

    @cached_property
    def row(self) -> Figure:
        areas = [self.fields.count(kind) * area for kind, area in self.slices.items()]
        return total(areas).named("area.row", "mm^2", "all slices")

    @cached_property
    def die(self) -> Figure:
        return (self.row * (1 + self.constants["die.overhead"])).named("die.area", "mm^2", "the die")

    @cached_property
    def width(self) -> Figure:
        return sqrt(self.die * self.constants["die.aspect"]).named("die.width", "mm", "along the row of slices")

    @cached_property
    def height(self) -> Figure:
        return (self.die / self.width).named("die.height", "mm", "across the row: the height of every slice")

    @cached_property
    def pitch(self) -> Figure:
        pitch = self.width / self.fields.num_positions
        return pitch.named("die.pitch", "mm", "the mean way from a slice to the next")

    @cached_property
    def memory(self) -> Figure:
        return self._sum("area.memory", "all memories, which spare rows and columns can repair", lambda p: p.is_memory)

    @cached_property
    def placed_logic(self) -> Figure:
        return self._sum("area.logic", "all logic, sense amplifiers included", lambda part: part.is_logic)

    @cached_property
    def gates(self) -> Figure:
        return total([one.gates for one in self.logic.values()]).named("logic.gates", "Mgate", "all logic")

    @cached_property
    def flipflops(self) -> Figure:
        found = total([one.flipflops for one in self.logic.values()])
        return found.named("logic.flipflops", "Mflipflop", "all flip-flops")

    @cached_property
    def transistors(self) -> Figure:
        c = self.constants
        found = self.gates * c["logic.transistors_per_gate"] + self.memories.sram_bits * c["sram.transistors"]
        if self.chip.mxm.num_reram_tiles:
            found = found + self.memories.reram_bits * c["reram.transistors"]
        return found.named("die.transistors", "Gtransistor", "transistors of the die")

    def _sum(self, name: str, meaning: str, chosen: Callable[[Part], bool]) -> Figure:
        areas = [
            self.fields.count(kind) * area
            for kind, parts in self.parts.items()
            for part, area in parts.items()
            if chosen(part)
        ]
        return total(areas).named(name, "mm^2", meaning)
