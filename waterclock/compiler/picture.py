"""Picture: a scheduled segment as SVG, a row for each queue and a bar for each run of issues of one model operation."""

from collections.abc import Iterator
from html import escape

from waterclock.chip import Chip
from waterclock.compiler.issues import Issue, Scheduled

ROW_HEIGHT = 12
LEFT = 70
TOP = 56
WIDTH = 1200
COLOURS = (
    "#4e79a7",
    "#f28e2b",
    "#59a14f",
    "#e15759",
    "#b07aa1",
    "#edc948",
    "#76b7b2",
    "#ff9da7",
    "#9c755f",
    "#8cd17d",
    "#d37295",
    "#499894",
)
NO_OPERATION = "#d0d0d0"


def schedule_svg(scheduled: Scheduled, chip: Chip) -> str:
    """An SVG document of one run of the segment; the same schedule gives the same text."""
    operations = [name for name in dict.fromkeys(i.operation for i in sorted(scheduled.issues, key=_order)) if name]
    colour = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(operations)} | {"": NO_OPERATION}
    scale = WIDTH / scheduled.length_cycles
    legend_rows = -(-len(operations) // 6)
    height = TOP + ROW_HEIGHT * len(chip.queues) + 40 + 18 * legend_rows
    body = [*_axis(scheduled.length_cycles, scale, len(chip.queues)), *_rows(scheduled, chip, colour, scale)]
    legend = _legend(operations, colour, TOP + ROW_HEIGHT * len(chip.queues) + 34)
    size = f'width="{LEFT + WIDTH + 20}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="10">'
    title = (
        f"{chip.name}, {scheduled.segment.name}: {scheduled.length_cycles} cycles, run {scheduled.segment.count} times"
    )
    paper = '<rect width="100%" height="100%" fill="white"/>'
    heading = f'<text x="{LEFT}" y="20" font-size="15">{escape(title)}</text>'
    return "\n".join([head, paper, heading, *body, *legend, "</svg>", ""])


def _order(issue: Issue) -> tuple[int, int]:
    return issue.t, issue.queue


def _axis(length: int, scale: float, num_rows: int) -> Iterator[str]:
    bottom = TOP + ROW_HEIGHT * num_rows
    for cycle in range(0, length, 100):
        x = LEFT + cycle * scale
        yield f'<path d="M {x:.1f} {TOP} V {bottom}" stroke="#e8e8e8"/>'
        yield f'<text x="{x:.1f}" y="{TOP - 6}" text-anchor="middle" fill="#666">{cycle}</text>'


def _rows(scheduled: Scheduled, chip: Chip, colour: dict[str, str], scale: float) -> Iterator[str]:
    for queue in chip.queues:
        y = TOP + ROW_HEIGHT * queue.number
        yield f'<text x="{LEFT - 6}" y="{y + 9}" text-anchor="end" fill="#444">{queue.name}</text>'
        issues = sorted((i for i in scheduled.issues if i.queue == queue.number), key=_order)
        for start, end, operation in _runs(issues):
            x, width = LEFT + start * scale, (end - start) * scale
            box = f'x="{x:.2f}" y="{y + 1}" width="{width:.2f}" height="{ROW_HEIGHT - 2}"'
            yield f'<rect {box} fill="{colour[operation]}"><title>{escape(operation)} {start}-{end - 1}</title></rect>'


def _runs(issues: list[Issue]) -> Iterator[tuple[int, int, str]]:
    """Issues in consecutive cycles for one operation as (first cycle, cycle after the last, operation)."""
    run: tuple[int, int, str] | None = None
    for issue in issues:
        if run is not None and run[1] == issue.t and run[2] == issue.operation:
            run = (run[0], issue.t + 1, run[2])
            continue
        if run is not None:
            yield run
        run = (issue.t, issue.t + 1, issue.operation)
    if run is not None:
        yield run


def _legend(operations: list[str], colour: dict[str, str], top: int) -> Iterator[str]:
    names = [*operations, "memory reads"]
    for i, name in enumerate(names):
        x, y = LEFT + 200 * (i % 6), top + 18 * (i // 6)
        yield f'<rect x="{x}" y="{y - 9}" width="12" height="10" fill="{colour.get(name, NO_OPERATION)}"/>'
        yield f'<text x="{x + 17}" y="{y}">{escape(name)}</text>'
