"""`waterclock chip cost`: what a chip takes on silicon."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waterclock.cli.app import AsJson, Changes, ChipName, chip_of
from waterclock.cli.chip import chip_app
from waterclock.cli.figures import ABOUT_BOUNDS, ConstantsOption, WhyOption, figure_record, print_figures, print_why
from waterclock.cli.pictures import PicturesOption, draw_all

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
    draw_all(picture, lambda: die(floorplan(sheet.area)))
    if why:
        print_why(sheet.sheet, why, as_json=as_json)
    elif as_json:
        print(json.dumps(_record(sheet), indent=2))
    else:
        _print(sheet)


def _record(sheet: "ChipSheet") -> dict[str, Any]:
    from waterclock.silicon.floorplan import floorplan

    return {
        "chip": {"name": sheet.chip.name, "sha256": sheet.chip.sha256, "node_nm": sheet.chip.node_nm},
        **{title: figure_record(sheet.sheet, figures) for title, figures in sheet.sections.items()},
        "floorplan": floorplan(sheet.area).record(),
        "warnings": list(sheet.warnings),
    }


def _print(sheet: "ChipSheet") -> None:
    sections, warnings, values = sheet.sections, sheet.warnings, sheet.sheet
    print(f"{sheet.chip.name} at {sheet.chip.node_nm} nm: what each figure is from, says --why FIGURE")
    print(ABOUT_BOUNDS)
    for title, figures in sections.items():
        print_figures(values, figures, title)
    for warning in warnings:
        print(f"\nwarning: {warning}")
