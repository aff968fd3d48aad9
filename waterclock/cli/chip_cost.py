"""`waterclock chip cost`, `chip calibration` and `chip macros`: what a chip takes on silicon."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waterclock.cli.app import AsJson, Changes, ChipName, chip_of
from waterclock.cli.chip import chip_app
from waterclock.cli.figures import ConstantsOption, WhyOption, figure_record, number, print_figures, print_why
from waterclock.cli.pictures import PicturesOption, draw_all
from waterclock.cli.terminal import print_rows

if TYPE_CHECKING:
    from waterclock.silicon.chip_sheet import ChipSheet
    from waterclock.silicon.cost import Plan

DefectsOption = Annotated[
    str, typer.Option("--defects", metavar="SET", help="published defect densities: actuary or ttm")
]
YieldOption = Annotated[
    str, typer.Option("--yield", metavar="MODEL", help="how defects lie: negative-binomial or murphy")
]
VolumeOption = Annotated[int, typer.Option("--volume", help="chips that share what is spent once")]
SpareLanes = Annotated[int, typer.Option("--spare-superlanes", help="spare superlanes of 16 lanes")]
SpareMxm = Annotated[int, typer.Option("--spare-mxm", help="spare MXM slices")]


def plan_of(defects: str, yield_model: str, volume: int, spare_superlanes: int = 0, spare_mxm: int = 0) -> "Plan":
    """How a chip is made, by the options. InputError for one that can't be."""
    from waterclock.silicon.cost import Plan
    from waterclock.silicon.yields import DefectSet, YieldModel

    chosen = one_of(DefectSet, defects, "--defects"), one_of(YieldModel, yield_model, "--yield")
    return Plan(*chosen, volume, spare_superlanes, spare_mxm)


def one_of(kind: Any, text: str, option: str) -> Any:
    """The member of an enumeration. InputError names those that there are."""
    from waterclock.errors import InputError

    if text not in set(kind):
        raise InputError(f"{option} {text}: must be {' or '.join(kind)}")
    return kind(text)


@chip_app.command("cost")
def chip_cost(
    name: ChipName,
    changes: Changes = None,
    defects: DefectsOption = "actuary",
    yield_model: YieldOption = "negative-binomial",
    volume: VolumeOption = 100_000,
    spare_superlanes: SpareLanes = 0,
    spare_mxm: SpareMxm = 0,
    load: Annotated[float, typer.Option(help="percent of cycles in which units work, for power")] = 100.0,
    constants: ConstantsOption = None,
    why: WhyOption = None,
    picture: PicturesOption = None,
    as_json: AsJson = False,
) -> None:
    """Say what a chip takes to make: area, power, timing, yield, dollars and weeks, with intervals."""
    from waterclock.errors import InputError
    from waterclock.silicon.chip_sheet import ChipSheet
    from waterclock.silicon.constants import load_constants
    from waterclock.silicon.floorplan import floorplan
    from waterclock.silicon.pictures import die

    if not 0 < load <= 100:
        raise InputError(f"--load {load:g}: must be above 0 and at most 100 percent")
    plan = plan_of(defects, yield_model, volume, spare_superlanes, spare_mxm)
    sheet = ChipSheet(chip_of(name, changes), load_constants(constants), plan, load)
    for figure in [sheet.sheet[name] for name in why or []] + [sheet.cost.chip]:
        sheet.sheet.interval(figure)  # what can't be computed is refused before anything is drawn or printed
    draw_all(picture or [], lambda: die(floorplan(sheet.area)))
    if why:
        print_why(sheet.sheet, why, as_json=as_json)
    elif as_json:
        print(json.dumps(_record(sheet), indent=2))
    else:
        _print(sheet)


def _record(sheet: "ChipSheet") -> dict[str, Any]:
    return {
        "chip": {"name": sheet.chip.name, "sha256": sheet.chip.sha256, "node_nm": sheet.chip.node_nm},
        **{title: figure_record(sheet.sheet, figures) for title, figures in sheet.sections.items()},
        "warnings": list(sheet.warnings),
    }


def _print(sheet: "ChipSheet") -> None:
    sections, warnings, values = sheet.sections, sheet.warnings, sheet.sheet
    print(f"{sheet.chip.name} at {sheet.chip.node_nm} nm: what each figure is from, says --why FIGURE")
    for title, figures in sections.items():
        print_figures(values, figures, title)
    for warning in warnings:
        print(f"\nwarning: {warning}")


@chip_app.command("calibration")
def calibration(constants: ConstantsOption = None, as_json: AsJson = False) -> None:
    """Compare the model's gates with those that synthesis counted, unit by unit, for each report that ships."""
    from dataclasses import asdict

    from waterclock.silicon.calibration import compared, reports
    from waterclock.silicon.constants import load_constants

    found = {report.name: (report, list(compared(report, load_constants(constants)))) for report in reports()}
    if as_json:
        plain = {
            name: {"is_used": report.is_used, "units": [{**asdict(line), "factor": line.factor} for line in lines]}
            for name, (report, lines) in found.items()
        }
        print(json.dumps(plain, indent=2))
        return
    for name, (report, lines) in found.items():
        print(f"{name}: {'constants of the model come from it' if report.is_used else 'not used for the model'}")
        rows = [
            (line.unit, number(line.synthesised), number(line.model.typical), number(line.synthesised_mm2),
             number(line.model_mm2), f"{line.factor:.2f}")
            for line in lines
        ]  # fmt: skip
        node = f"mm2 at {report.chip.node_nm} nm"
        header = ("unit", "gates, synthesised", "model", f"{node}, synthesised", "model", "model / synthesised")
        print_rows(rows, header=header)
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
    from waterclock.silicon.mxm_modes import MxmModes, compared

    modes = MxmModes(ChipArea(Fields(chip_of(name, changes)), load_constants(constants)))
    sheet = modes.sheet
    if why:
        print_why(sheet, why, as_json=as_json)
        return
    lines = compared(modes)
    if as_json:
        print(json.dumps([line.record() for line in lines], indent=2))
        return
    rows = [line.row() for line in lines]
    print_rows(
        rows, header=("mode", "figure", "model", "macros", "number", "native", "at 8 x 8 bits", "model / median")
    )
    for line in lines:
        if line.explanation:
            print(f"\n{line.mode}, {line.unit}: factor {line.factor:.2f}: {line.explanation}")
