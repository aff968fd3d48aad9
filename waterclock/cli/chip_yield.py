"""`waterclock chip yield`: dies, yield and dollars of a die of any area, for what is no chip of ours."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from waterclock.cli.app import AsJson
from waterclock.cli.chip import chip_app
from waterclock.cli.figures import ABOUT_BOUNDS, ConstantsOption, WhyOption, figure_record, print_figures, print_why
from waterclock.errors import InputError

if TYPE_CHECKING:
    from waterclock.silicon.constants import Constants
    from waterclock.silicon.figure import Figure

MAX_SIDE_MM = 33
"""The longer side of the field that a scanner exposes."""
LEAST = 0.01
"""Of what is asked, in its unit: of smaller dies floats can't tell the share that works from 1."""


@chip_app.command("yield")
def chip_yield(
    area_mm2: Annotated[float, typer.Argument(metavar="MM2", help="area of the die")],
    node_nm: Annotated[int, typer.Option("--node", help="process node in nanometres")],
    width_mm: Annotated[
        float | None, typer.Option("--width", help="millimetres; the die is square if not given")
    ] = None,
    reported: Annotated[float | None, typer.Option(help="percent of dies that are said to work")] = None,
    constants: ConstantsOption = None,
    why: WhyOption = None,
    as_json: AsJson = False,
) -> None:
    """Say what a die of this area yields, by both published sets of defect densities and by Murphy."""
    from waterclock.silicon.constants import load_constants
    from waterclock.silicon.sheet import Sheet

    known = load_constants(constants)
    height_mm = area_mm2 / width_mm if width_mm else None
    allowed = {"MM2": known["die.reticle"].typical, "--reported": 100.0}
    for option, value in (
        ("MM2", area_mm2), ("--width", width_mm), ("--width: the height left", height_mm), ("--reported", reported),
    ):  # fmt: skip
        most = allowed.get(option, MAX_SIDE_MM)
        if value is not None and not LEAST <= value <= most:
            raise InputError(f"{option} {value:g}: must be {LEAST:g} to {most:g}")
    figures = _figures(area_mm2, node_nm, width_mm, reported, known)
    sheet = Sheet(figures)
    if why:
        print_why(sheet, why, as_json=as_json)
    elif as_json:
        print(json.dumps(figure_record(sheet, figures), indent=2))
    else:
        print(ABOUT_BOUNDS)
        print_figures(sheet, figures)


def _figures(
    area_mm2: float, node_nm: int, width_mm: float | None, reported: float | None, constants: "Constants"
) -> "list[Figure]":
    from waterclock.silicon.figure import leaf, sqrt
    from waterclock.silicon.yields import density_for, die_figures

    area = leaf("die.area", "area of the die", "mm^2", area_mm2, "argument MM2")
    square = sqrt(area).named("die.width", "mm", "the die is square")
    width = square if width_mm is None else leaf("die.width", "width of the die", "mm", width_mm, "option --width")
    found = die_figures(constants, node_nm, area, width)
    if reported is None:
        return found
    said = leaf("yield.reported", "dies that are said to work", "percent", reported, "option --reported")
    for name in ("actuary", "ttm"):
        density = density_for(said, area, constants[f"yield.cluster.{name}"])
        found.append(density.named(f"yield.implied.{name}", "1/cm^2", "defects that would mean this yield"))
    return found
