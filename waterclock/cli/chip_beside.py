"""`waterclock chip calibration` and `chip macros`: the model beside what was synthesised and what is published."""

import json
from typing import TYPE_CHECKING, Any

from waterclock.cli.app import AsJson, Changes, ChipName, chip_of
from waterclock.cli.chip import chip_app
from waterclock.cli.figures import (
    ConstantsOption,
    WhyOption,
    figure_record,
    interval_text,
    number,
    print_why,
    print_why_of_each,
)
from waterclock.cli.terminal import print_rows

if TYPE_CHECKING:
    from waterclock.silicon.calibration import Line as Unit
    from waterclock.silicon.calibration import Report
    from waterclock.silicon.mxm_modes import Line, MxmModes
    from waterclock.silicon.sheet import Sheet


@chip_app.command("calibration")
def calibration(constants: ConstantsOption = None, why: WhyOption = None, as_json: AsJson = False) -> None:
    """Compare the model's gates with those that synthesis counted, unit by unit, for each report that ships."""
    from waterclock.silicon.calibration import compared, reports
    from waterclock.silicon.constants import load_constants
    from waterclock.silicon.sheet import Sheet

    known = load_constants(constants)
    lines = {report: compared(report, known) for report in reports()}
    sheets = {report: Sheet(figure for line in found for figure in line.figures) for report, found in lines.items()}
    for sheet in sheets.values():
        sheet.interval(sheet.figures[0])  # what can't be computed is refused before anything is printed
    if why:
        print_why_of_each({report.name: sheet for report, sheet in sheets.items()}, why, as_json=as_json)
    elif as_json:
        records = {report.name: _report_record(report, sheets[report], found) for report, found in lines.items()}
        print(json.dumps(records, indent=2))
    else:
        for report, found in lines.items():
            _print_report(report, sheets[report], found)


def _report_record(report: "Report", sheet: "Sheet", lines: "tuple[Unit, ...]") -> dict[str, Any]:
    units = {line.unit: figure_record(sheet, line.figures) for line in lines}
    return {"is_used": report.is_used, "units": units}


def _print_report(report: "Report", sheet: "Sheet", lines: "tuple[Unit, ...]") -> None:
    print(f"{report.name}: {'constants of the model come from it' if report.is_used else 'not used for the model'}")
    rows = [(line.unit, *(number(sheet.interval(figure).typical) for figure in line.figures)) for line in lines]
    node = f"mm2 at {report.chip.node_nm} nm"
    print_rows(
        rows, header=("unit", "gates, synthesised", "model", f"{node}, synthesised", "model", "model / synthesised")
    )
    print()


@chip_app.command("macros")
def chip_macros(
    name: ChipName,
    changes: Changes = None,
    constants: ConstantsOption = None,
    why: WhyOption = None,
    as_json: AsJson = False,
) -> None:
    """Put an MXM beside published compute-in-memory macros: operations a joule and a square millimetre."""
    from waterclock.silicon.area import ChipArea
    from waterclock.silicon.constants import load_constants
    from waterclock.silicon.fields import Fields
    from waterclock.silicon.mxm_modes import MxmModes

    modes = MxmModes(ChipArea(Fields(chip_of(name, changes)), load_constants(constants)))
    if why:
        print_why(modes.sheet, why, as_json=as_json)
    elif as_json:
        print(json.dumps([_line_record(modes, line) for line in modes.lines], indent=2))
    else:
        _print_macros(modes)


def _line_record(modes: "MxmModes", line: "Line") -> dict[str, Any]:
    figures = figure_record(modes.sheet, line.figures)
    return {"mode": line.mode, "group": line.group, "figures": figures, "explanation": modes.explanation(line)}


def _print_macros(modes: "MxmModes") -> None:
    header = ("mode", "figure", "model", "macros", "number", "native", "at 8 x 8 bits", "model / median")
    rows: list[tuple[str, ...]] = []
    for line in modes.lines:
        model, counted, native, full = (
            interval_text(modes.sheet.interval(one)) for one in (line.model, line.number, line.native, line.full)
        )
        factor = number(modes.sheet.interval(line.factor).typical)
        rows.append((line.mode, str(line.model.unit), model, line.group, counted, native, full, factor))
    print_rows(rows, header=header)
    for line in modes.lines:
        explanation, factor = modes.explanation(line), number(modes.sheet.interval(line.factor).typical)
        if explanation:
            print(f"\n{line.mode}, {line.model.unit}, {line.group}: factor {factor}: {explanation}")
