"""How commands show figures: tables with bounds, plain records, and where each figure is from."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waterclock.cli.terminal import print_rows

if TYPE_CHECKING:
    from waterclock.silicon.figure import Figure
    from waterclock.silicon.sheet import Interval, Sheet

WhyOption = Annotated[
    list[str] | None,
    typer.Option("--why", metavar="FIGURE", help="say where a figure is from, down to its sources; repeatable"),
]
ConstantsOption = Annotated[
    Path | None,
    typer.Option("--constants", metavar="FILE", help="a TOML file of constants that replace those that ship"),
]
HEADER = ("figure", "typical", "low", "10 %", "90 %", "high", "unit", "what it is")
ABOUT_BOUNDS = (
    "low and high: every constant at its worst at once; 10 and 90 %: of draws in which constants err independently"
)
DIGITS = 4


def number(value: float) -> str:
    """A number to four digits, without an exponent where it is readable."""
    if value == 0 or not 1e-4 <= abs(value) < 1e12:
        return f"{value:.{DIGITS}g}"
    rounded = float(f"{value:.{DIGITS}g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 10 ** (DIGITS - 1) else f"{rounded:.12g}"


def whole_number(value: float) -> str:
    """What is certain, with every digit before the point."""
    return f"{value:,.0f}" if 10 ** (DIGITS - 1) <= abs(value) < 1e12 else number(value)


def typical_text(interval: "Interval") -> str:
    """The typical value: to four digits where it is uncertain."""
    return number(interval.typical) if interval.low < interval.high else whole_number(interval.typical)


def interval_text(interval: "Interval") -> str:
    """A value with its bounds, which what is certain has none of."""
    if interval.low == interval.high:
        return typical_text(interval)
    return f"{number(interval.typical)} ({number(interval.low)} to {number(interval.high)})"


def figure_rows(sheet: "Sheet", figures: Iterable["Figure"]) -> list[tuple[str, ...]]:
    """A row for each figure, under HEADER; what is certain has no bounds."""
    rows: list[tuple[str, ...]] = []
    for figure in figures:
        interval = sheet.interval(figure)
        ends = (interval.low, *sheet.likely(figure), interval.high)
        bounds = map(number, ends) if interval.low < interval.high else ("",) * len(ends)
        rows.append((figure.name, typical_text(interval), *bounds, str(figure.unit), figure.meaning))
    return rows


def figure_record(sheet: "Sheet", figures: Iterable["Figure"]) -> dict[str, Any]:
    """Plain values by name."""
    return {figure.name: _plain(sheet, figure) for figure in figures}


def print_figures(sheet: "Sheet", figures: Iterable["Figure"], title: str = "") -> None:
    if title:
        print(f"\n{title}")
    print_rows(figure_rows(sheet, figures), header=HEADER)


def print_why(sheet: "Sheet", names: Sequence[str], *, as_json: bool) -> None:
    """Formula, inputs and sources of figures. InputError for the name of none, before anything is printed."""
    for name in names:
        sheet[name]
    if as_json:
        print(json.dumps(_why_records(sheet, names), indent=2))
        return
    _print_why(sheet, names)


def print_why_of_each(sheets: "Mapping[str, Sheet]", names: Sequence[str], *, as_json: bool) -> None:
    """The same of several sheets, by what each is of. InputError for the name of none on any."""
    for name in names:
        if all(name not in sheet.by_name for sheet in sheets.values()):
            next(iter(sheets.values()))[name]
    asked = {title: [name for name in names if name in sheet.by_name] for title, sheet in sheets.items()}
    if as_json:
        print(json.dumps({title: _why_records(sheets[title], own) for title, own in asked.items()}, indent=2))
        return
    for title, own in asked.items():
        print(f"{title}:")
        _print_why(sheets[title], own)


def _print_why(sheet: "Sheet", names: Sequence[str]) -> None:
    for name in names:
        print("\n".join(_why_lines(sheet, name)))


def _why_records(sheet: "Sheet", names: Sequence[str]) -> dict[str, Any]:
    return {name: _why_record(sheet, name) for name in names}


def _why_lines(sheet: "Sheet", name: str) -> Iterator[str]:
    from waterclock.silicon.sheet import explained

    for depth, figure, again in sheet.why(name):
        indent = "  " * depth
        said = "(above)" if again else explained(figure)
        yield f"{indent}{figure.name}: {_value(sheet, figure)}, {figure.meaning}"
        yield f"{indent}    {said}"


def _value(sheet: "Sheet", figure: "Figure") -> str:
    value, bracket, bounds = interval_text(sheet.interval(figure)).partition(" (")
    unit = f" {figure.unit}" if str(figure.unit) else ""
    return f"{value}{unit}{bracket}{bounds}"


def _why_record(sheet: "Sheet", name: str) -> dict[str, Any]:
    """Every figure below one, by name, each with its formula and inputs or its source."""
    from waterclock.silicon.figure import Leaf, shown
    from waterclock.silicon.sheet import parents

    found: dict[str, Any] = {}
    for _, figure, _ in sheet.why(name):
        record = _plain(sheet, figure)
        if isinstance(figure.origin, Leaf):
            record |= {"source": figure.origin.source, "confidence": figure.origin.confidence.value}
        else:
            record |= {"formula": shown(figure), "inputs": [one.name for one in parents(figure)]}
        found[figure.name] = record
    return found


def _plain(sheet: "Sheet", figure: "Figure") -> dict[str, Any]:
    interval, (p10, p90) = sheet.interval(figure), sheet.likely(figure)
    return {
        "typical": interval.typical, "low": interval.low, "p10": p10, "p90": p90, "high": interval.high,
        "unit": str(figure.unit), "meaning": figure.meaning,
    }  # fmt: skip
