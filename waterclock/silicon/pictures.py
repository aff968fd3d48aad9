"""Pictures of figures, as SVG or PNG: tornado, stacked bars, floorplan. The only module that knows matplotlib."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from waterclock.errors import InputError, WaterclockError
from waterclock.silicon.floorplan import Floorplan
from waterclock.silicon.parts import Part
from waterclock.silicon.sheet import Interval, Swing

FORMATS = (".svg", ".png")
DPI = 120
MARGIN = 0.22
"""Room for labels beside the bars of a tornado, over the width of the widest."""
MARKS = [digit * 10.0**power for power in range(-6, 6) for digit in (1, 2, 5)]
"""On a scale of factors."""
LABEL_ROOM = 0.8
"""Room for words right of bars, over the width of all bars."""
COLOUR_BY_PART: Mapping[Part, str] = {
    Part.RERAM: "#b39ddb", Part.SENSE: "#7e57c2", Part.SRAM: "#8fc1a9", Part.STORE: "#5b8e7d", Part.LOGIC: "#f2d58c",
    Part.STREAMS: "#b7d3e9", Part.QUEUES: "#dd9787", Part.LINKS: "#d9d9d9",
}  # fmt: skip
COLOURS = ("#8fc1a9", "#b39ddb", "#f2d58c", "#b7d3e9", "#dd9787", "#d9d9d9")
Draw = Callable[[Any, Any], None]
"""Draws on a figure and its axes."""


@dataclass(frozen=True)
class Stack:
    """A bar: its parts, and of all of it the interval and where it lies in most draws."""

    label: str
    parts: Mapping[str, float]
    interval: Interval
    likely: tuple[float, float]


@dataclass(frozen=True)
class Distanced:
    """A line of export control: the value of what binds over its limit, if there is one, and the class in words."""

    label: str
    ratio: float | None
    said: str
    is_free: bool


def check_pictures(path: Path) -> None:
    """InputError for a name that says no format; WaterclockError where matplotlib is missing."""
    if path.suffix not in FORMATS:
        raise InputError(f"{path}: a picture must end in {' or '.join(FORMATS)}")
    if find_spec("matplotlib") is None:
        raise WaterclockError(
            "pictures need the extra `plots`: make plots in a clone, else pip install 'waterclock[plots]'"
        )


def tornado(swings: Sequence[Swing], typical: float, title: str, unit: str) -> Draw:
    """What each leaf does to a figure alone, the widest at the top."""

    def draw(figure: Any, axes: Any) -> None:
        for row, swing in enumerate(reversed(swings)):
            ends = sorted((swing.at_low, swing.at_high))
            axes.barh(row, ends[1] - ends[0], left=ends[0], color=COLOURS[0], edgecolor="#333")
            low_is_left = swing.at_low <= swing.at_high
            for value, is_left in ((ends[0], True), (ends[1], False)):
                said = f"{value:.3g} ({'low' if is_left == low_is_left else 'high'})"
                axes.annotate(said, (value, row), (-4 if is_left else 4, 0), textcoords="offset points", va="center",
                              ha="right" if is_left else "left", fontsize=7)  # fmt: skip
        axes.axvline(typical, color="#333", linewidth=0.8)
        axes.set_yticks(range(len(swings)), [swing.leaf.name for swing in reversed(swings)], fontsize=8)
        axes.set_xlabel(f"{unit} (each constant alone at its low and its high; {typical:.3g} typical)", fontsize=8)
        axes.set_title(title, fontsize=10)
        ends = [end for swing in swings for end in (swing.at_low, swing.at_high)]
        room = MARGIN * (max(ends) - min(ends))
        axes.set_xlim(min(ends) - room, max(ends) + room)
        figure.set_size_inches(8, 1.2 + 0.36 * len(swings))

    return draw


def stacks(bars: Sequence[Stack], title: str, unit: str) -> Draw:
    """Bars of parts, with the interval of each sum."""

    def draw(figure: Any, axes: Any) -> None:
        names = list(bars[0].parts)
        for row, bar in enumerate(reversed(bars)):
            left = 0.0
            for name, colour in zip(names, COLOURS, strict=False):
                value = bar.parts[name]
                axes.barh(row, value, left=left, color=colour, edgecolor="#333", label=name if not row else None)
                left += value
            axes.plot([bar.interval.low, bar.interval.high], [row + 0.28] * 2, color="#333", linewidth=0.8)
            axes.plot(bar.likely, [row + 0.28] * 2, color="#333", linewidth=2.4)
            axes.annotate(f"{bar.interval.typical:.3g}", (left, row), (3, 0), textcoords="offset points", fontsize=7,
                          va="center")  # fmt: skip
        axes.set_yticks(range(len(bars)), [bar.label for bar in reversed(bars)], fontsize=8)
        axes.set_xlabel(f"{unit}; thin: the interval, thick: 80 % of draws", fontsize=8)
        axes.set_title(title, fontsize=10)
        axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0)
        figure.set_size_inches(9, 1.8 + 0.4 * len(bars))

    return draw


def distances(rows: Sequence[Distanced], title: str) -> Draw:
    """How far from its limit what binds is, on a scale of factors; what has no such ratio is said in words alone."""

    def draw(figure: Any, axes: Any) -> None:
        for row, one in enumerate(reversed(rows)):
            ratio = one.ratio or 1
            colour = COLOURS[0] if one.is_free else COLOURS[4]
            axes.barh(row, ratio - 1, left=1, color=colour, edgecolor="#333", linewidth=0.5)
            axes.annotate(one.said, (max(ratio, 1), row), (4, 0), textcoords="offset points", va="center", fontsize=6)
        axes.axvline(1, color="#333", linewidth=0.8)
        axes.set_xscale("log")
        ratios = [one.ratio or 1 for one in rows]
        least, most = min(*ratios, 0.5), max(*ratios, 2)
        axes.set_xlim(least * 0.8, most * (most / least) ** LABEL_ROOM)
        axes.set_yticks(range(len(rows)), [one.label for one in reversed(rows)], fontsize=7)
        axes.set_ylim(-0.6, len(rows) - 0.4)
        marks = [mark for mark in MARKS if least * 0.8 <= mark <= most]
        axes.set_xticks(marks, [f"{mark:g}" for mark in marks], fontsize=8)
        axes.set_xlabel("value over limit", fontsize=8)
        axes.set_title(title, fontsize=10)
        figure.set_size_inches(10, 1.2 + 0.22 * len(rows))

    return draw


def die(plan: Floorplan) -> Draw:
    """The die to scale, in millimetres."""

    def draw(figure: Any, axes: Any) -> None:
        from matplotlib.patches import Patch, Rectangle

        for box in plan.boxes:
            colour = COLOUR_BY_PART[box.part]
            place = (box.x, box.y), box.width, box.height
            axes.add_patch(Rectangle(*place, facecolor=colour, edgecolor="#333", linewidth=0.2))
        axes.set_xlim(0, plan.width)
        axes.set_ylim(0, plan.height)
        axes.set_aspect("equal")
        axes.set_xlabel("mm")
        for run in plan.runs:
            axes.annotate(run.label, (run.x + run.width / 2, plan.height), (0, 3), textcoords="offset points",
                          ha="center", va="bottom", rotation=90, fontsize=6)  # fmt: skip
        axes.set_title(f"{plan.name}: {plan.width:.1f} x {plan.height:.1f} mm, to scale", fontsize=10, pad=42)
        there = dict.fromkeys(box.part for box in plan.boxes)
        patches = [Patch(facecolor=COLOUR_BY_PART[part], edgecolor="#333", label=part.meaning) for part in there]
        axes.legend(handles=patches, fontsize=6, loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2)
        figure.set_size_inches(7, 8.1)

    return draw


def rendered(draw: Draw, suffix: str) -> bytes:
    """The picture as a file; the same figures give the same bytes."""
    from importlib import import_module

    matplotlib, backend = import_module("matplotlib"), import_module("matplotlib.backends.backend_agg")
    with matplotlib.rc_context({"svg.hashsalt": "waterclock", "svg.fonttype": "none", "font.family": "DejaVu Sans"}):
        figure: Any = import_module("matplotlib.figure").Figure()
        backend.FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        draw(figure, axes)
        figure.set_layout_engine("tight")
        buffer = io.BytesIO()
        none = {"Date": None} if suffix == ".svg" else {"Software": None}
        figure.savefig(buffer, format=suffix[1:], dpi=DPI, metadata=none)
    return buffer.getvalue()
