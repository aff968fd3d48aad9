"""What came of a synthesis, as a record for other tools, tables and a picture."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from waterclock.chip import Chip
from waterclock.rtl.synth import clock_rate, yosys
from waterclock.rtl.synth.clock_rate import ClockRate
from waterclock.rtl.synth.netlist import TOP, Count, Netlist, lane_counts
from waterclock.rtl.synth.picture import Bar, Panel, picture
from waterclock.rtl.synth.units import SMALL, small, units

NOTE = (
    "Memories, tile stores and clock gates are black boxes: their dimensions are known, their area is not, and no area "
    "here contains them. One lane of a VXM instruction is counted by itself; in the chip, instructions of one latency "
    "share steps. Nothing is optimised across modules, and nothing is placed or routed: wires and clock trees have no "
    "area here."
)
METHOD = (
    "Each unit of a small configuration alone, between registers: a queue, a slice with the stream registers that it "
    "drives, the launch parameters. `vxm` is an ALU of all instructions but the functions, each of which is an ALU by "
    "itself. Memories and tile stores are the FPGA's; a clock gate is a register that catches what would stop the "
    "clock. The slowest unit bounds the configuration's clock, if all are measured; wires between units are not."
)
HEADER = ("part", "placed", "cells", "flip-flops", "area")
BOX_HEADER = ("unit", "black box", "placed", "words", "bits a word", "bits a write", "reads", "writes")
CLOCK_HEADER = ("unit", "MHz", "path", "of it wires", "cells", "from > to", "uses")


@dataclass(frozen=True)
class Synthesis:
    """The gates of a chip and what clock units of it reach when it is small."""

    chip: Chip
    netlist: Netlist
    clock_rates: Sequence[ClockRate]

    @property
    def area_unit(self) -> str:
        """What areas are counted in."""
        library = self.netlist.library
        return library.area_unit or f"unit of {library.name}, which does not state it"

    @property
    def slowest(self) -> ClockRate | None:
        """The slowest of the units that were measured."""
        return min(self.clock_rates, key=lambda rate: rate.clock_mhz, default=None)

    def record(self) -> dict[str, Any]:
        """Plain values; the same tools and input give the same."""
        library = self.netlist.library
        return {
            "chip": {"name": self.chip.name, "sha256": self.chip.sha256},
            "liberty": {"name": library.name, "sha256": library.sha256},
            "yosys": yosys.tool_version(),
            "area_unit": self.area_unit,
            "note": NOTE,
            "total": self._plain(self.netlist.of(TOP)),
            "units": [
                {"unit": unit, "num_placed": placed, **self._plain(count)}
                for unit, (placed, count) in self.netlist.units().items()
            ],
            "lanes": [
                {"mnemonic": mnemonic, **self._plain(count)} for mnemonic, count in lane_counts(self.netlist).items()
            ],
            "clock": self._clock() if self.slowest else None,
        }

    def _plain(self, count: Count) -> dict[str, Any]:
        """All that a count holds; the area's unit is in its name where the library states it."""
        boxes = sorted(count.black_boxes.items())
        return {
            "num_cells": count.num_cells, "num_flip_flops": count.num_flip_flops,
            self.netlist.library.area_name: round(count.area, 3),
            "black_boxes": [{**asdict(box), "num_placed": number} for box, number in boxes],
        }  # fmt: skip

    def _clock(self) -> dict[str, Any]:
        """How the clock was measured, and what came of it."""
        slowest = self.slowest
        return {
            "method": METHOD,
            "nextpnr": clock_rate.tool_version(),
            "device": f"ECP5 LFE5U-{clock_rate.DEVICE}",
            "speed_grade": clock_rate.SPEED_GRADE,
            "seed": clock_rate.SEED,
            "options": list(clock_rate.options()),
            "configuration": {"changed": dict(SMALL), "sha256": small(self.chip).sha256},
            "units": [asdict(rate) for rate in self.clock_rates],
            "slowest_unit": slowest.unit if slowest else None,
            "clock_mhz": slowest.clock_mhz if slowest and self.is_clock_complete else None,
        }

    @property
    def is_clock_complete(self) -> bool:
        """Whether every unit was measured, so that the slowest bounds the configuration."""
        return {rate.unit for rate in self.clock_rates} == set(units(small(self.chip)))

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The table: units, then lanes of instructions."""
        for unit, (placed, count) in self.netlist.units().items():
            yield (unit, str(placed or ""), *_shown(count))
        yield ("chip", "", *_shown(self.netlist.of(TOP)))
        for mnemonic, count in lane_counts(self.netlist).items():
            yield (f"one lane of {mnemonic}", "", *_shown(count))

    def box_rows(self) -> Iterator[tuple[str, ...]]:
        """The table of black boxes by unit."""
        for unit, (_, count) in self.netlist.units().items():
            for box, number in sorted(count.black_boxes.items()):
                sizes = box.num_words, box.bits_per_word, box.bits_per_enable, box.num_read_ports, box.num_write_ports
                yield (unit, box.name, str(number), *(f"{size:,}" if size else "" for size in sizes))

    def clock_rows(self) -> Iterator[tuple[str, ...]]:
        """The table of clock rates, slowest first."""
        for rate in sorted(self.clock_rates, key=lambda rate: rate.clock_mhz):
            used = ", ".join(f"{number:,} {name}" for name, number in rate.used_by_resource.items())
            path = f"{rate.path_ns:.2f} ns", f"{rate.routing_ns:.2f} ns", str(rate.num_levels)
            yield (rate.unit, f"{rate.clock_mhz:.2f}", *path, rate.way, used)

    def svg(self) -> str:
        """Bars for area by unit, one lane of each VXM instruction and, where it was measured, the clock by unit."""
        unit = self.netlist.library.area_unit or f"unit of {self.netlist.library.name}"
        areas = {
            f"{name} × {placed}" if placed else name: count.area
            for name, (placed, count) in self.netlist.units().items()
        }
        lanes = {mnemonic: count.area for mnemonic, count in lane_counts(self.netlist).items()}
        panels = [
            Panel(
                f"{self.chip.name}: area by unit, without its memories ({unit})", _bars(areas, _with_share), "#8fc1a9"
            ),
            Panel(f"area of one lane of each VXM instruction ({unit})", _bars(lanes, _alone), "#9dbfe0"),
        ]
        return picture([*panels, *self._clock_panels()])

    def _clock_panels(self) -> Iterator[Panel]:
        if self.slowest:
            bars = [
                Bar(rate.unit, rate.clock_mhz, f"{rate.clock_mhz:.2f} MHz", rate is self.slowest)
                for rate in sorted(self.clock_rates, key=lambda rate: rate.clock_mhz)
            ]
            yield Panel(f"clock of a small configuration's units on an ECP5-{clock_rate.DEVICE}", bars, "#c9b6dc")


def _bars(value_by_name: Mapping[str, float], text: Callable[[float, float], str]) -> list[Bar]:
    """Largest first; `text` is of a value and of all together."""
    total = sum(value_by_name.values())
    largest_first = sorted(value_by_name.items(), key=lambda item: -item[1])
    return [Bar(name, value, text(value, total)) for name, value in largest_first]


def _with_share(value: float, total: float) -> str:
    return f"{value:,.0f} ({value / (total or 1):.1%})"


def _alone(value: float, total: float) -> str:
    return f"{value:,.0f}"


def _shown(count: Count) -> tuple[str, ...]:
    return f"{count.num_cells:,}", f"{count.num_flip_flops:,}", f"{count.area:,.0f}"
