"""`waterclock chip compare`: chips side by side, every figure of `chip cost`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waterclock.cli.app import AsJson, chip_of
from waterclock.cli.chip import chip_app
from waterclock.cli.chip_cost import DefectsOption, VolumeOption, YieldOption, plan_of
from waterclock.cli.chip_export import classes
from waterclock.cli.figures import ConstantsOption, WhyOption, figure_record, interval_text, print_why_of_each
from waterclock.cli.pictures import draw_all
from waterclock.cli.terminal import print_rows
from waterclock.cli.written import picture_option
from waterclock.errors import InputError

if TYPE_CHECKING:
    from waterclock.silicon.chip_sheet import ChipSheet
    from waterclock.silicon.pictures import Draw


@chip_app.command("compare")
def chip_compare(
    names: Annotated[list[str], typer.Argument(metavar="CHIP CHIP...", help="chips that ship or .toml files")],
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="change a field of all these chips; repeatable"),
    ] = None,
    defects: DefectsOption = "actuary",
    yield_model: YieldOption = "negative-binomial",
    volume: VolumeOption = 100_000,
    constants: ConstantsOption = None,
    why: WhyOption = None,
    bars: Annotated[list[Path] | None, picture_option("--bars", "draw areas by part")] = None,
    as_json: AsJson = False,
) -> None:
    """Put chips side by side: area, power at full load, clock, yield, dollars, weeks and export class."""
    from waterclock.silicon.chip_sheet import ChipSheet
    from waterclock.silicon.constants import load_constants

    if len(names) < 2:
        raise InputError("chip compare: name at least two chips")
    plan, known = plan_of(defects, yield_model, volume), load_constants(constants)
    sheets = [ChipSheet(chip_of(name, changes), known, plan) for name in names]
    _check_names(sheets)
    draw_all(bars, lambda: _draw(sheets))
    if why:
        print_why_of_each({sheet.chip.name: sheet.sheet for sheet in sheets}, why, as_json=as_json)
        return
    if as_json:
        print(json.dumps({sheet.chip.name: _record(sheet) for sheet in sheets}, indent=2))
        return
    rows = [(name, unit, *(cells.get(name, "") for cells in map(_cells, sheets))) for name, unit in _names(sheets)]
    rows += [(rules, "", *results) for rules, results in _export_rows(sheets)]
    print_rows(rows, header=("figure", "unit", *(sheet.chip.name for sheet in sheets)))
    for sheet in sheets:
        for warning in sheet.warnings:
            print(f"\n{sheet.chip.name}: warning: {warning}")


def _check_names(sheets: "list[ChipSheet]") -> None:
    names = [sheet.chip.name for sheet in sheets]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"chip compare: two chips are called {name}")


def _names(sheets: "list[ChipSheet]") -> list[tuple[str, str]]:
    """Every figure that any of the chips has, in order, with its unit."""
    found: dict[tuple[str, str], None] = {}
    for title in sheets[0].sections:
        for sheet in sheets:
            found |= {(figure.name, str(figure.unit)): None for figure in sheet.sections[title]}
    return list(found)


def _cells(sheet: "ChipSheet") -> dict[str, str]:
    figures = (figure for figures in sheet.sections.values() for figure in figures)
    return {figure.name: interval_text(sheet.sheet.interval(figure)) for figure in figures}


def _export_rows(sheets: "list[ChipSheet]") -> list[tuple[str, list[str]]]:
    from waterclock.silicon.export_control import rule_sets

    return [(f"export {rules.name}", [_class(sheet, rules) for sheet in sheets]) for rules in rule_sets()]


def _class(sheet: "ChipSheet", rules: Any) -> str:
    found, others = classes(sheet.export, sheet.sheet, rules)
    return " or ".join((found.result, *others))


def _record(sheet: "ChipSheet") -> dict[str, Any]:
    from waterclock.silicon.export_control import rule_sets

    figures = {title: figure_record(sheet.sheet, figures) for title, figures in sheet.sections.items()}
    export = {rules.name: _class(sheet, rules) for rules in rule_sets()}
    return {**figures, "export": export, "warnings": list(sheet.warnings)}


def _draw(sheets: "list[ChipSheet]") -> "Draw":
    from waterclock.silicon.pictures import Stack, stacks

    found: list[Stack] = []
    for sheet in sheets:
        area, values = sheet.area, sheet.sheet
        parts = {
            kind.value.upper(): values.interval(one).typical * values.interval(area.fields.count(kind)).typical
            for kind, one in area.slices.items()
        }
        parts["overhead"] = values.interval(area.die).typical - sum(parts.values())
        found.append(Stack(sheet.chip.name, parts, values.interval(area.die), values.likely(area.die)))
    return stacks(found, "area of the die", "mm^2")
