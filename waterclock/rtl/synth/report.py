"""What came of a synthesis, as a record for other tools, a table and a picture."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from waterclock.chip import Chip
from waterclock.rtl.synth import clock_rate, yosys
from waterclock.rtl.synth.clock_rate import ClockRate
from waterclock.rtl.synth.netlist import TOP, Count, Netlist, lane_counts

NOTE = (
    "Memories, tile stores and clock gates are black boxes: counted, without an area. One lane of a VXM instruction is "
    "counted by itself; in the chip, instructions of one latency share steps. Nothing is optimised across modules, and "
    "nothing is placed or routed: wires and clock trees have no area here."
)


@dataclass(frozen=True)
class Synthesis:
    """The gates of a chip and what clock some of its lanes reach."""

    chip: Chip
    netlist: Netlist
    clock_rates: Sequence[ClockRate]

    def record(self) -> dict[str, Any]:
        """Plain values; the same tools and input give the same."""
        library = self.netlist.library
        return {
            "chip": {"name": self.chip.name, "sha256": self.chip.sha256},
            "liberty": {"name": library.name, "sha256": library.sha256},
            "yosys": yosys.tool_version(),
            "note": NOTE,
            "total": _plain(self.netlist.of(TOP)),
            "units": [
                {"unit": unit, "num_placed": placed, **_plain(count)}
                for unit, (placed, count) in self.netlist.units().items()
            ],
            "lanes": [{"mnemonic": mnemonic, **_plain(count)} for mnemonic, count in lane_counts(self.netlist).items()],
            "clock": {
                "device": f"ECP5 {clock_rate.DEVICE}, speed grade {clock_rate.SPEED_GRADE}",
                "lanes": [asdict(rate) for rate in self.clock_rates],
            },
        }

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The table: units, then lanes of instructions."""
        for unit, (placed, count) in self.netlist.units().items():
            yield (unit, str(placed or ""), *_shown(count))
        yield ("chip", "", *_shown(self.netlist.of(TOP)))
        for mnemonic, count in lane_counts(self.netlist).items():
            yield (f"one lane of {mnemonic}", "", *_shown(count))

    def svg(self) -> str:
        """A bar for each unit and for one lane of each VXM instruction, by area."""
        units = {unit: count.area for unit, (_, count) in self.netlist.units().items()}
        lanes = {mnemonic: count.area for mnemonic, count in lane_counts(self.netlist).items()}
        return _picture(self.chip.name, self.netlist.library.name, units, lanes)


HEADER = ("part", "placed", "cells", "flip-flops", "area", "black boxes")


def _plain(count: Count) -> dict[str, Any]:
    return {
        "num_cells": count.num_cells, "num_flip_flops": count.num_flip_flops, "area": round(count.area, 3),
        "black_boxes": dict(sorted(count.black_boxes.items())),
    }  # fmt: skip


def _shown(count: Count) -> tuple[str, ...]:
    boxes = ", ".join(f"{number} {kind}" for kind, number in sorted(count.black_boxes.items()))
    return f"{count.num_cells:,}", f"{count.num_flip_flops:,}", f"{count.area:,.0f}", boxes


BAR_HEIGHT, GAP, LEFT, WIDTH, RIGHT = 16, 6, 140, 520, 110
COLOURS = ("#8fc1a9", "#b7d3e9")


def _picture(chip: str, library: str, units: Mapping[str, float], lanes: Mapping[str, float]) -> str:
    body: list[str] = []
    y = 30
    for title, areas, colour in (
        (f"{chip}: area by unit ({library}'s unit), black boxes left out", units, COLOURS[0]),
        ("area of one lane of each VXM instruction", lanes, COLOURS[1]),
    ):
        body.append(f'<text x="12" y="{y}" font-weight="bold">{escape(title)}</text>')
        y += 14
        for name, area in areas.items():
            body += _bar(name, area, max(areas.values()), y, colour)
            y += BAR_HEIGHT + GAP
        y += 30
    size = f'width="{LEFT + WIDTH + RIGHT}" height="{y}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="12">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *body, "</svg>", ""])


def _bar(name: str, area: float, largest: float, y: int, colour: str) -> list[str]:
    width, middle = round(WIDTH * area / largest, 1), y + BAR_HEIGHT - 4
    return [
        f'<text x="{LEFT - 8}" y="{middle}" text-anchor="end">{escape(name)}</text>',
        f'<rect x="{LEFT}" y="{y}" width="{width}" height="{BAR_HEIGHT}" fill="{colour}"/>',
        f'<text x="{LEFT + width + 6}" y="{middle}">{area:,.0f}</text>',
    ]
