"""Picture: a stretch of a program as SVG, a row for each queue and a bar for each run of issues of one operation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from waterclock.chip import Chip

ROW_HEIGHT = 12
LEFT = 70
TOP = 56
WIDTH = 1200
NAMES_A_ROW = 6
TICK_CYCLES = 100
COLOURS = (
    "#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#edc948", "#76b7b2", "#ff9da7", "#9c755f", "#8cd17d",
    "#d37295", "#499894",
)  # fmt: skip
NO_OPERATION = "#d0d0d0"


@dataclass(frozen=True, order=True)
class Mark:
    """One issue: queue number, cycle, and the model operation that it serves ("" for none, such as a read of MEM)."""

    queue: int
    cycle: int
    operation: str


def schedule_svg(title: str, marks: Sequence[Mark], chip: Chip, first_cycle: int, last_cycle: int) -> str:
    """An SVG document of the cycles from first to last; the same marks give the same text."""
    shown = [mark for mark in marks if first_cycle <= mark.cycle <= last_cycle]
    operations = list(
        dict.fromkeys(m.operation for m in sorted(shown, key=lambda m: (m.cycle, m.queue)) if m.operation)
    )
    colour = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(operations)} | {"": NO_OPERATION}
    scale = WIDTH / (last_cycle + 1 - first_cycle)
    bottom = TOP + ROW_HEIGHT * len(chip.queues)
    height = bottom + 40 + 18 * (1 + len(operations) // NAMES_A_ROW)
    size = f'width="{LEFT + WIDTH + 20}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="10">'
    paper = '<rect width="100%" height="100%" fill="white"/>'
    heading = f'<text x="{LEFT}" y="20" font-size="15">{escape(title)}</text>'
    axis = _axis(first_cycle, last_cycle, scale, bottom)
    rows = _rows(shown, chip, colour, first_cycle, scale)
    return "\n".join([head, paper, heading, *axis, *rows, *_legend(operations, colour, bottom + 34), "</svg>", ""])


def _axis(first_cycle: int, last_cycle: int, scale: float, bottom: int) -> Iterator[str]:
    start = -(-first_cycle // TICK_CYCLES) * TICK_CYCLES
    for cycle in range(start, last_cycle + 1, TICK_CYCLES):
        x = LEFT + (cycle - first_cycle) * scale
        yield f'<path d="M {x:.1f} {TOP} V {bottom}" stroke="#e8e8e8"/>'
        yield f'<text x="{x:.1f}" y="{TOP - 6}" text-anchor="middle" fill="#666">{cycle}</text>'


def _rows(marks: Sequence[Mark], chip: Chip, colour: dict[str, str], first_cycle: int, scale: float) -> Iterator[str]:
    marks_by_queue = {number: list(row) for number, row in groupby(sorted(marks), key=lambda mark: mark.queue)}
    for queue in chip.queues:
        y = TOP + ROW_HEIGHT * queue.number
        yield f'<text x="{LEFT - 6}" y="{y + 9}" text-anchor="end" fill="#444">{queue.name}</text>'
        for start, end, operation in _runs(marks_by_queue.get(queue.number, [])):
            x, width = LEFT + (start - first_cycle) * scale, (end - start) * scale
            box = f'x="{x:.2f}" y="{y + 1}" width="{width:.2f}" height="{ROW_HEIGHT - 2}"'
            yield f'<rect {box} fill="{colour[operation]}"><title>{escape(operation)} {start}-{end - 1}</title></rect>'


def _runs(marks: Sequence[Mark]) -> Iterator[tuple[int, int, str]]:
    """Issues in consecutive cycles for one operation as (first cycle, cycle after the last, operation)."""
    numbered = enumerate(marks)
    for (_, operation), run in groupby(numbered, key=lambda pair: (pair[1].cycle - pair[0], pair[1].operation)):
        cycles = [mark.cycle for _, mark in run]
        yield cycles[0], cycles[-1] + 1, operation


def _legend(operations: list[str], colour: dict[str, str], top: int) -> Iterator[str]:
    names = [*operations, "reads of MEM"]
    for i, name in enumerate(names):
        x, y = LEFT + 200 * (i % NAMES_A_ROW), top + 18 * (i // NAMES_A_ROW)
        yield f'<rect x="{x}" y="{y - 9}" width="12" height="10" fill="{colour.get(name, NO_OPERATION)}"/>'
        yield f'<text x="{x + 17}" y="{y}">{escape(name)}</text>'
