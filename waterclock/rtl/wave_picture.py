"""A waveform as SVG, as a viewer draws it: a row for each signal, a column for each cycle, values in boxes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

ROW_HEIGHT, BOX_HEIGHT = 22, 16
TITLE_HEIGHT, GROUP_HEIGHT = 44, 26
CHARACTER_WIDTH = 6.7
"""Of the font that values and names are in, at its size."""
FONT_SIZE = 11
SLANT = 4
"""How far the ends of a box lean in."""
MARGIN = 14
MIN_CYCLE_WIDTH = 36
COLOURS = (
    ("#fdebd0", "#b9770e"), ("#d6eaf8", "#2471a3"), ("#d5f5e3", "#1e8449"), ("#ebdef0", "#7d3c98"),
    ("#fadbd8", "#b03a2e"), ("#e5e8e8", "#515a5a"),
)  # fmt: skip
"""Inside and edge of the boxes of a group; groups take them in turn."""


@dataclass(frozen=True)
class Row:
    """A signal: what it shows in each cycle, "" where there is nothing to see; where it `is_kept`, equal neighbours are
    one value and share a box."""

    name: str
    texts: Sequence[str]
    is_kept: bool = False


@dataclass(frozen=True)
class Group:
    """Signals that belong together, under a title."""

    title: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class _Paper:
    """Where things lie: names to the left of `left`, cycles of one width to its right."""

    left: float
    cycle_width: float
    num_cycles: int

    def x(self, cycle: int) -> float:
        return self.left + cycle * self.cycle_width

    @property
    def width(self) -> float:
        return self.x(self.num_cycles) + MARGIN


def wave_svg(title: str, groups: Sequence[Group], num_cycles: int) -> str:
    """An SVG document of the cycles from 0 on; the same groups give the same text."""
    paper = _paper(groups, num_cycles)
    body: list[str] = []
    y = TITLE_HEIGHT + ROW_HEIGHT
    for number, group in enumerate(groups):
        body.append(_text(MARGIN, y + GROUP_HEIGHT - 8, group.title, 'font-weight="bold"'))
        y += GROUP_HEIGHT
        for row in group.rows:
            body += _row(row, paper, y, *COLOURS[number % len(COLOURS)])
            y += ROW_HEIGHT
    size = f'width="{paper.width:.0f}" height="{y + MARGIN}" viewBox="0 0 {paper.width:.0f} {y + MARGIN}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="monospace" font-size="{FONT_SIZE}">'
    heading = f'<text x="{MARGIN}" y="20" font-family="sans-serif" font-size="14">{escape(title)}</text>'
    lines = [head, '<rect width="100%" height="100%" fill="white"/>', heading, *_axis(paper, y), *body, "</svg>", ""]
    return "\n".join(lines)


def _paper(groups: Sequence[Group], num_cycles: int) -> _Paper:
    """As wide as the longest name or title and the longest value need it."""
    rows = [row for group in groups for row in group.rows]
    names = max(map(len, [*(row.name for row in rows), *(group.title for group in groups)]), default=0)
    texts = max((len(text) for row in rows for text in row.texts), default=0)
    cycle_width = max(MIN_CYCLE_WIDTH, round(texts * CHARACTER_WIDTH + 2 * SLANT + 4))
    return _Paper(3 * MARGIN + round(names * CHARACTER_WIDTH), cycle_width, num_cycles)


def _axis(paper: _Paper, bottom: int) -> Iterator[str]:
    """The number of each cycle, a line where it begins, and the clock, which rises there."""
    half, top, low = paper.cycle_width / 2, TITLE_HEIGHT + 3, TITLE_HEIGHT + 3 + BOX_HEIGHT
    for cycle in range(paper.num_cycles):
        x = paper.x(cycle)
        yield f'<path d="M {x:g} {TITLE_HEIGHT - 8} V {bottom}" stroke="#e4e4e4"/>'
        yield _text(x + half, TITLE_HEIGHT - 6, str(cycle), 'text-anchor="middle" fill="#555"')
    edges = "".join(f" V {top} h {half:g} V {low} h {half:g}" for _ in range(paper.num_cycles))
    yield _text(paper.left - MARGIN, low - 4, "clk", 'text-anchor="end" fill="#555"')
    yield f'<path d="M {paper.left:g} {low}{edges}" fill="none" stroke="#888"/>'


def _row(row: Row, paper: _Paper, y: int, inside: str, edge: str) -> Iterator[str]:
    """The name, a box for each value and a line where there is none."""
    middle = y + ROW_HEIGHT // 2
    yield _text(paper.left - MARGIN, middle + 4, row.name, 'text-anchor="end"')
    for first, after, text in _runs(row):
        x, end = paper.x(first), paper.x(after)
        if not text:
            yield f'<path d="M {x:g} {middle} H {end:g}" stroke="#bbb"/>'
            continue
        yield f'<path d="{_box(x, end, middle)}" fill="{inside}" stroke="{edge}"/>'
        yield _text((x + end) / 2, middle + 4, text, 'text-anchor="middle"')


def _box(x: float, end: float, middle: int) -> str:
    """The outline of a bus: a hexagon from x to end."""
    top, low = middle - BOX_HEIGHT // 2, middle + BOX_HEIGHT // 2
    return f"M {x:g} {middle} L {x + SLANT:g} {top} H {end - SLANT:g} L {end:g} {middle} L {end - SLANT:g} {low} " + (
        f"H {x + SLANT:g} Z"
    )


def _runs(row: Row) -> Iterator[tuple[int, int, str]]:
    """Cycles that share a box, or a line, as (first cycle, cycle after the last, text)."""
    numbered = enumerate(row.texts)
    for (_, text), run in groupby(numbered, key=lambda one: (one[0] if one[1] and not row.is_kept else None, one[1])):
        cycles = [cycle for cycle, _ in run]
        yield cycles[0], cycles[-1] + 1, text


def _text(x: float, y: float, text: str, attributes: str) -> str:
    return f'<text x="{x:g}" y="{y:g}" {attributes}>{escape(text)}</text>'
