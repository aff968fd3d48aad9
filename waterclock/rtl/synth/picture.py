"""Bars with their figures beside them, in SVG."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

LEFT, WIDTH, RIGHT, MARGIN = 150, 420, 210, 20
BAR_HEIGHT, GAP, TITLE_HEIGHT, FONT_SIZE = 18, 5, 30, 12
INK, FAINT = "#22303a", "#66757f"


@dataclass(frozen=True)
class Bar:
    """A bar as long as its value; `text` stands behind it."""

    name: str
    value: float
    text: str
    marked: bool = False


@dataclass(frozen=True)
class Panel:
    """Bars that can be compared, under a title; those that are marked have a colour of their own."""

    title: str
    bars: Sequence[Bar]
    colour: str
    marked_colour: str = "#d98c5f"


def picture(panels: Sequence[Panel]) -> str:
    """Panels below one another."""
    body: list[str] = []
    y = MARGIN
    for panel in panels:
        body.append(_text(MARGIN, y + FONT_SIZE, panel.title, f'font-weight="bold" font-size="14" fill="{INK}"'))
        y += TITLE_HEIGHT
        for bar in panel.bars:
            body += _drawn(bar, panel, y)
            y += BAR_HEIGHT + GAP
        y += MARGIN
    width = LEFT + WIDTH + RIGHT
    size = f'width="{width}" height="{y}" viewBox="0 0 {width} {y}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="{FONT_SIZE}">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *body, "</svg>", ""])


def _drawn(bar: Bar, panel: Panel, y: int) -> list[str]:
    largest = max(one.value for one in panel.bars) or 1
    length, base = round(WIDTH * bar.value / largest, 1), y + BAR_HEIGHT - 5
    colour = panel.marked_colour if bar.marked else panel.colour
    return [
        _text(LEFT - 8, base, bar.name, f'text-anchor="end" fill="{INK}"'),
        f'<rect x="{LEFT}" y="{y}" width="{length}" height="{BAR_HEIGHT}" rx="2" fill="{colour}"/>',
        _text(LEFT + length + 8, base, bar.text, f'fill="{FAINT}"'),
    ]


def _text(x: float, y: int, text: str, style: str) -> str:
    return f'<text x="{x}" y="{y}" {style}>{escape(text)}</text>'
