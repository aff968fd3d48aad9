"""An MXM of a chip beside published compute-in-memory macros: in digital mode, which is the machine's, and in analog
mode, which is a study."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from types import MappingProxyType

from waterclock.chip import SliceKind
from waterclock.silicon.area import ChipArea
from waterclock.silicon.energies import named_energy
from waterclock.silicon.fields import BIT, BYTE, CYCLE, OPERATION
from waterclock.silicon.figure import Confidence, Figure, leaf, total, whole
from waterclock.silicon.macros import SOURCE, Column, Group, Macro, Spread, spread
from waterclock.silicon.parts import Part
from waterclock.silicon.sheet import Sheet
from waterclock.silicon.units import PLAIN


class Mode(StrEnum):
    """How an MXM multiplies."""

    DIGITAL = "digital"
    ANALOG = "analog"


TWO = whole(2)
LARGE_FACTOR = 2
"""What differs by more is explained."""


@dataclass(frozen=True, eq=False)
class MxmModes:
    """An MXM of a chip in digital mode, which is the machine's, and in analog mode, which is a study."""

    area: ChipArea

    @cached_property
    def sheet(self) -> Sheet:
        """All figures of the modes that the chip has, and those that they are put beside."""
        beside = [figure for line in self.lines for figure in line.figures]
        return Sheet([self.digital_alone, *([self.analog_coarse] if self._has_reram else []), *beside])

    @cached_property
    def lines(self) -> tuple["Line", ...]:
        """All comparisons; a chip without ReRAM has no analog mode, and is put beside SRAM alone."""
        only = None if self._has_reram else (Mode.DIGITAL, Group.DIGITAL)
        return tuple(_line(self, one) for one in COMPARISONS if only in {None, (one.mode, one.group)})

    def explanation(self, line: "Line") -> str:
        """Why model and macros differ by more than 2; empty where they do not."""
        if 1 / LARGE_FACTOR <= self.sheet.interval(line.factor).typical <= LARGE_FACTOR:
            return ""
        figures = {"digital_alone": self.digital_alone, "analog_coarse": self.analog_coarse}
        said = {name: f"{self.sheet.interval(one).typical:.3g}" for name, one in figures.items()
                if one.name in self.sheet.by_name}  # fmt: skip
        return line.why.format(**said)

    @cached_property
    def by_mode(self) -> "Mapping[tuple[Mode, Column], Figure]":
        """What the modes reach; of a chip without ReRAM the analog ones must not be asked for."""
        digital = {(Mode.DIGITAL, Column.PER_WATT): self.digital_per_watt,
                   (Mode.DIGITAL, Column.PER_AREA): self.digital_per_area}  # fmt: skip
        if not self._has_reram:
            return MappingProxyType(digital)
        return MappingProxyType({
            **digital, (Mode.ANALOG, Column.PER_WATT): self.analog_per_watt,
            (Mode.ANALOG, Column.PER_AREA): self.analog_per_area,
        })  # fmt: skip

    @property
    def _has_reram(self) -> bool:
        return self.area.chip.mxm.num_reram_tiles > 0

    @cached_property
    def rate(self) -> Figure:
        f = self.area.fields
        rate = 2 * f["lanes"] * f["lanes"] * OPERATION * f["clock_mhz"] / CYCLE
        return rate.named("macro.rate", "tops", "one MXM, a tile a cycle")

    @cached_property
    def digital_per_watt(self) -> Figure:
        f = self.area.fields
        product = named_energy("reram_product" if self._has_reram else "sram_product")
        energy = product + named_energy("int32_add") / f["lanes"]
        return (2 * OPERATION / energy).named("macro.digital.per_watt", "tops/W", "an MXM, products and accumulation")

    @cached_property
    def digital_per_area(self) -> Figure:
        whole = self.area.slices[SliceKind.MXM]
        return (self.rate / whole).named(
            "macro.digital.per_area", "tops/mm^2", "an MXM slice with all that stands in it"
        )

    @cached_property
    def digital_alone(self) -> Figure:
        """Without the tiles: what multiplies."""
        logic = self.area.parts[SliceKind.MXM][Part.LOGIC]
        return (self.rate / logic).named("macro.digital.alone", "tops/mm^2", "the multipliers and accumulators alone")

    @cached_property
    def analog_per_watt(self) -> Figure:
        return self._analog(self.area.constants["analog.converter_bits"]).named(
            "macro.analog.per_watt", "tops/W", "products of 8 bits by 8 on analog columns"
        )

    @cached_property
    def analog_per_area(self) -> Figure:
        """An MXM slice whose banks convert, column after column, instead of sensing a tile and multiplying it."""
        f, c = self.area.fields, self.area.constants
        banks = f["mxm.num_reram_banks"]
        time = self._steps * c["reram.sense_time"] * c["analog.columns"]
        rate = banks * 2 * f["lanes"] * f["lanes"] * OPERATION / time
        columns = banks * f["lanes"] * (BYTE / BIT) / c["analog.weight_bits_at_once"]
        converters = columns / c["analog.columns"] * c["analog.converter_area"]
        parts = self.area.parts[SliceKind.MXM]
        kept = [area for part, area in parts.items() if part not in {Part.SENSE, Part.LOGIC}]
        area = (total(kept) + converters).named("macro.analog.area", "mm^2", "an MXM slice with converters")
        return (rate / area).named("macro.analog.per_area", "tops/mm^2", "an MXM slice, all of its banks at once")

    @cached_property
    def analog_coarse(self) -> Figure:
        """With the converter that published macros have, in their median."""
        found = spread(Group.RERAM, lambda macro: macro.converter_bits)
        bits = leaf("macro.converter_bits", "converters of published ReRAM macros", PLAIN, found.median, SOURCE,
                    Confidence.DERIVED, found.low, found.high)  # fmt: skip
        return self._analog(bits).named("macro.analog.coarse", "tops/W", "the same with the macros' median converter")

    @cached_property
    def _steps(self) -> Figure:
        """Conversions for products of 8 bits by 8."""
        c = self.area.constants
        plain = BYTE / BIT
        steps = plain / c["analog.input_bits_at_once"] * (plain / c["analog.weight_bits_at_once"])
        return steps.named("macro.analog.steps", "", "conversions for a sum of products of 8 bits by 8")

    def _analog(self, bits: Figure) -> Figure:
        c = self.area.constants
        conversion = c["analog.converter_step"] * TWO**bits
        energy = self._steps * conversion / c["analog.rows"] + c["analog.array"]
        return 2 * OPERATION / energy


@dataclass(frozen=True, eq=False)
class Line:
    """One figure of one mode beside the macros of a group: theirs are medians, with the least and the most as bounds;
    `factor` is model over median, both of products of 8 bits by 8."""

    mode: Mode
    group: Group
    model: Figure
    number: Figure
    native: Figure
    full: Figure
    factor: Figure
    why: str

    @property
    def figures(self) -> tuple[Figure, ...]:
        return (self.model, self.number, self.native, self.full, self.factor)


@dataclass(frozen=True)
class Comparison:
    """A figure of a mode, the group of macros that it is put beside, and why they may differ."""

    mode: Mode
    column: Column
    group: Group
    why: str


_MADE_UP = (
    "products of this mode take the constant of macros that were published at 8 bits by 8; most of these were made for "
    "1 to 4 bits, and lose where their products are made up to 8 by 8"
)
_CONVERTERS = (
    "the model converts with as many bits as keep this machine's quality; with the converter of the median ReRAM macro "
    "it would reach {analog_coarse} TOPS/W"
)
COMPARISONS = (
    Comparison(Mode.DIGITAL, Column.PER_WATT, Group.RERAM, _MADE_UP),
    Comparison(Mode.DIGITAL, Column.PER_WATT, Group.DIGITAL, _MADE_UP),
    Comparison(
        Mode.DIGITAL, Column.PER_AREA, Group.RERAM,
        "a macro converts a few columns of a large array at a time, in steps of nanoseconds; an MXM has an amplifier "
        "for every bit of a tile in each bank, and so multiplies a tile a cycle",
    ),
    Comparison(
        Mode.DIGITAL, Column.PER_AREA, Group.DIGITAL,
        "such a macro has multipliers at every few cells, an MXM one array of them for thousands of tiles: the "
        "multipliers alone reach {digital_alone} TOPS/mm2",
    ),
    Comparison(Mode.ANALOG, Column.PER_WATT, Group.RERAM, _CONVERTERS),
    Comparison(Mode.ANALOG, Column.PER_WATT, Group.ANALOG_SRAM, _CONVERTERS),
    Comparison(
        Mode.ANALOG, Column.PER_AREA, Group.RERAM,
        "a slice has tens of megabits to a converter for every few columns; the median macro is smaller",
    ),
    Comparison(
        Mode.ANALOG, Column.PER_AREA, Group.ANALOG_SRAM,
        "such a macro is a few kilobits, all of them at work; an MXM keeps thousands of tiles beside the one at work",
    ),
)  # fmt: skip


def _line(modes: MxmModes, one: Comparison) -> Line:
    model, published = modes.by_mode[one.mode, one.column], published_of(one.group, one.column)
    factor = (model / published.full).named(
        f"{model.name}.over.{slug_of(one.group)}", PLAIN, f"{one.mode} mode over the median {one.group} macro"
    )
    return Line(one.mode, one.group, model, published.number, published.native, published.full, factor, one.why)


@dataclass(frozen=True, eq=False)
class Published:
    """The macros of a group that publish an efficiency."""

    number: Figure
    native: Figure
    full: Figure


@cache
def published_of(group: Group, column: Column) -> Published:
    """The same figures each time."""
    name = f"macros.{slug_of(group)}.{column.value}"
    native, full = (
        _median(f"{name}.{ending}", column, spread(group, lambda macro, of=of: of(macro, column)), meaning)
        for ending, of, meaning in (
            ("native", Macro.native, f"{group} macros, products of the bits that each makes at once"),
            ("full", Macro.full, f"{group} macros, products of 8 bits by 8 made of these"),
        )
    )
    number = spread(group, lambda macro: macro.full(column)).number
    return Published(leaf(f"{name}.number", f"{group} macros that publish it", PLAIN, number, SOURCE), native, full)


def _median(name: str, column: Column, found: Spread, meaning: str) -> Figure:
    source = f"{SOURCE}: least, median and most of {found.number} rows that say {column.column}"
    return leaf(name, meaning, column.unit, found.median, source, Confidence.DERIVED, found.low, found.high)


def slug_of(group: Group) -> str:
    """As in the names of figures."""
    return group.value.lower().replace(" ", "_")
