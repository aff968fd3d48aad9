"""An MXM of a chip beside published compute-in-memory macros: in digital mode, which is the machine's, and in analog
mode, which is a study."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from waterclock.chip import SliceKind
from waterclock.silicon.area import ChipArea
from waterclock.silicon.energies import named_energy
from waterclock.silicon.fields import BIT, BYTE, CYCLE, OPERATION
from waterclock.silicon.figure import Confidence, Figure, leaf, total, whole
from waterclock.silicon.macros import SOURCE, Group, Macro, Spread, spread
from waterclock.silicon.parts import Part
from waterclock.silicon.sheet import Interval, Sheet
from waterclock.silicon.units import PLAIN

TWO = whole(2)
LARGE_FACTOR = 2
"""What differs by more is explained."""


@dataclass(frozen=True, eq=False)
class MxmModes:
    """An MXM of a chip in digital mode, which is the machine's, and in analog mode, which is a study."""

    area: ChipArea

    @cached_property
    def sheet(self) -> Sheet:
        """All figures of the modes that the chip has."""
        digital = [self.digital_per_watt, self.digital_per_area, self.digital_alone]
        if not self.area.chip.mxm.num_reram_tiles:
            return Sheet(digital)
        return Sheet([*digital, self.analog_per_watt, self.analog_per_area, self.analog_coarse])

    @property
    def said(self) -> Mapping[str, str]:
        """What explanations name."""
        figures = {"digital_alone": self.digital_alone, "analog_coarse": self.analog_coarse}
        there = {name: one for name, one in figures.items() if one.name in self.sheet.by_name}
        return {name: f"{self.sheet.interval(one).typical:.3g}" for name, one in there.items()}

    @cached_property
    def rate(self) -> Figure:
        f = self.area.fields
        rate = 2 * f["lanes"] * f["lanes"] * OPERATION * f["clock_mhz"] / CYCLE
        return rate.named("macro.rate", "tops", "one MXM, a tile a cycle")

    @cached_property
    def digital_per_watt(self) -> Figure:
        f = self.area.fields
        product = named_energy("reram_product" if f.chip.mxm.num_reram_tiles else "sram_product")
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


@dataclass(frozen=True)
class Line:
    """One figure of one mode beside the macros of a group; `explanation` is there where they differ by more than 2."""

    mode: str
    unit: str
    model: Interval
    group: Group
    native: Spread
    full: Spread
    explanation: str

    @property
    def factor(self) -> float:
        """Model over the median macro, both of products of 8 bits by 8."""
        return self.model.typical / self.full.median

    def record(self) -> dict[str, Any]:
        return {**asdict(self), "factor": self.factor}

    def row(self) -> tuple[str, ...]:
        model = f"{self.model.typical:.3g} ({self.model.low:.3g} to {self.model.high:.3g})"
        return (self.mode, self.unit, model, self.group.value, str(self.full.number), str(self.native), str(self.full),
                f"{self.factor:.2f}")  # fmt: skip


@dataclass(frozen=True)
class Comparison:
    """A figure of a mode, the column and the group of macros that it is put beside, and why they may differ."""

    mode: str
    attribute: str
    column: Callable[[Macro], float | None]
    group: Group
    why: str


def _per_watt(macro: Macro) -> float | None:
    return macro.tops_per_w


def _per_area(macro: Macro) -> float | None:
    return macro.tops_per_mm2


_MADE_UP = (
    "products of this mode take the constant of macros that were published at 8 bits by 8; most of these were made for "
    "1 to 4 bits, and lose where their products are made up to 8 by 8"
)
_CONVERTERS = (
    "the model converts with as many bits as keep this machine's quality; with the converter of the median ReRAM macro "
    "it would reach {analog_coarse} TOPS/W"
)
COMPARISONS = (
    Comparison("digital", "digital_per_watt", _per_watt, Group.RERAM, _MADE_UP),
    Comparison("digital", "digital_per_watt", _per_watt, Group.DIGITAL, _MADE_UP),
    Comparison(
        "digital", "digital_per_area", _per_area, Group.RERAM,
        "a macro converts a few columns of a large array at a time, in steps of nanoseconds; an MXM has an amplifier "
        "for every bit of a tile in each bank, and so multiplies a tile a cycle",
    ),
    Comparison(
        "digital", "digital_per_area", _per_area, Group.DIGITAL,
        "such a macro has multipliers at every few cells, an MXM one array of them for thousands of tiles: the "
        "multipliers alone reach {digital_alone} TOPS/mm2",
    ),
    Comparison("analog", "analog_per_watt", _per_watt, Group.RERAM, _CONVERTERS),
    Comparison("analog", "analog_per_watt", _per_watt, Group.ANALOG_SRAM, _CONVERTERS),
    Comparison(
        "analog", "analog_per_area", _per_area, Group.RERAM,
        "a slice has tens of megabits to a converter for every few columns; the median macro is smaller",
    ),
    Comparison(
        "analog", "analog_per_area", _per_area, Group.ANALOG_SRAM,
        "such a macro is a few kilobits, all of them at work; an MXM keeps thousands of tiles beside the one at work",
    ),
)  # fmt: skip


def compared(modes: MxmModes) -> list[Line]:
    """All comparisons; a chip without ReRAM has no analog mode."""
    has_reram = modes.area.chip.mxm.num_reram_tiles > 0
    return [
        _line(modes, one) for one in COMPARISONS if has_reram or (one.mode, one.group) == ("digital", Group.DIGITAL)
    ]


def _line(modes: MxmModes, one: Comparison) -> Line:
    figure = getattr(modes, one.attribute)
    native = spread(one.group, lambda macro: macro.native(one.column(macro)))
    full = spread(one.group, lambda macro: macro.full(one.column(macro)))
    line = Line(one.mode, str(figure.unit), modes.sheet.interval(figure), one.group, native, full, "")
    if 1 / LARGE_FACTOR <= line.factor <= LARGE_FACTOR:
        return line
    return replace(line, explanation=one.why.format(**modes.said))
