"""The floorplan of a chip as SVG: the row of slices, west to east.

All slices are equally tall. The width of a slice is in proportion to its bits of memory, no narrower than its label;
silicon area is another matter and not drawn here.
"""

from collections.abc import Iterator
from html import escape

from waterclock.chip.record import BYTES_PER_WORD_LANE, Chip
from waterclock.chip.row import Slice, SliceKind

MIN_WIDTH = 18
TOTAL_WIDTH = 1100
HEIGHT = 320
TOP = 96
MARGIN = 24
COLOUR_BY_PART = {
    "c2c": "#d9d9d9",
    "sxm": "#b7d3e9",
    "mem": "#8fc1a9",
    "vxm": "#f2d58c",
    "special": "#eab464",
    "reduce": "#dd9787",
    "reram": "#b39ddb",
    "sram": "#8fc1a9",
}


def floorplan_svg(chip: Chip) -> str:
    """An SVG document; the same chip gives the same text."""
    widths = _widths(chip)
    total = sum(widths) + 2 * MARGIN
    body: list[str] = []
    x = MARGIN
    for piece, width in zip(chip.slices, widths, strict=True):
        body += _column(chip, piece, x, width)
        x += width
    size = f'width="{max(total, 640)}" height="{TOP + HEIGHT + 84}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">'
    paper = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join([head, paper, *_heading(chip, total), *body, *_legend(), "</svg>", ""])


def _memory_bytes_by_part(chip: Chip, kind: SliceKind) -> dict[str, int]:
    if kind is SliceKind.MEM:
        return {"mem": chip.mem.num_words * chip.lanes * BYTES_PER_WORD_LANE}
    if kind is SliceKind.MXM:
        tiles = {"reram": chip.mxm.num_reram_tiles, "sram": chip.mxm.num_sram_tiles}
        return {part: num_tiles * chip.tile_bytes for part, num_tiles in tiles.items()}
    return {}


def _widths(chip: Chip) -> list[int]:
    memory_bytes = [sum(_memory_bytes_by_part(chip, piece.kind).values()) for piece in chip.slices]
    return [max(MIN_WIDTH, TOTAL_WIDTH * one // sum(memory_bytes)) for one in memory_bytes]


def _parts(chip: Chip, piece: Slice) -> Iterator[tuple[str, float]]:
    """The parts of a slice, top to bottom, with their shares of its height."""
    if piece.kind is SliceKind.VXM:
        yield from ((part, 1 / chip.vxm.num_alus) for part in _alus(chip))
    elif piece.kind is SliceKind.MXM:
        bytes_by_part = _memory_bytes_by_part(chip, piece.kind)
        yield from ((part, size / sum(bytes_by_part.values())) for part, size in bytes_by_part.items() if size)
    else:
        yield piece.kind.value, 1.0


def _alus(chip: Chip) -> Iterator[str]:
    for alu in range(chip.vxm.num_alus):
        if alu < chip.vxm.num_special:
            yield "special"
        else:
            yield "reduce" if alu >= chip.vxm.num_alus - chip.vxm.num_reduce else "vxm"


def _column(chip: Chip, piece: Slice, x: int, width: int) -> Iterator[str]:
    y = float(TOP)
    yield f"<g><title>{piece.name} at x = {piece.x}</title>"
    for part, share in _parts(chip, piece):
        box = f'x="{x}" y="{y:.2f}" width="{width}" height="{share * HEIGHT:.2f}"'
        yield f'<rect {box} fill="{COLOUR_BY_PART[part]}" stroke="#333"/>'
        y += share * HEIGHT
    middle, base = x + width / 2 + 4, TOP + HEIGHT / 2
    turned = f'text-anchor="middle" transform="rotate(-90 {middle} {base})"'
    yield f'<text x="{middle}" y="{base}" {turned}>{piece.name}</text>'
    yield f'<text x="{x + width / 2}" y="{TOP + HEIGHT + 14}" text-anchor="middle" fill="#666">{piece.x}</text></g>'


def _heading(chip: Chip, total: int) -> Iterator[str]:
    yield f'<text x="{MARGIN}" y="28" font-size="16">{escape(chip.name)}</text>'
    yield f'<text x="{MARGIN}" y="46" fill="#666">{escape(chip.description)}</text>'
    streams = f"{chip.num_streams} streams of {chip.lanes} bytes each way, one slice a cycle"
    yield f'<text x="{MARGIN}" y="72">{streams}</text>'
    line = f'stroke="#333" x1="{MARGIN}" x2="{total - MARGIN}"'
    yield f'<line {line} y1="82" y2="82"/>'
    yield f'<path d="M {MARGIN} 82 l 8 -4 v 8 z M {total - MARGIN} 82 l -8 -4 v 8 z"/>'


def _legend() -> Iterator[str]:
    meaning_by_part = {
        "reram": "ReRAM tiles",
        "sram": "SRAM (tiles, MEM)",
        "vxm": "ALU",
        "special": "ALU with special functions",
        "reduce": "ALU with reductions",
        "sxm": "lane movement",
        "c2c": "links",
    }
    x, y = MARGIN, TOP + HEIGHT + 34
    for part, meaning in meaning_by_part.items():
        yield f'<rect x="{x}" y="{y}" width="12" height="12" fill="{COLOUR_BY_PART[part]}" stroke="#333"/>'
        yield f'<text x="{x + 18}" y="{y + 10}">{meaning}</text>'
        x += 34 + 6 * len(meaning)
    note = "Numbers are x. Widths are in proportion to bits of memory, no narrower than a label; not silicon area."
    yield f'<text x="{MARGIN}" y="{y + 34}" fill="#666">{note}</text>'
