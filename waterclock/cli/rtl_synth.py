"""`waterclock rtl synth`: what the chip's hardware takes in the cells of a library."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waterclock.cli.app import AsJson, Changes
from waterclock.cli.rtl import RtlChipOption, rtl_app, rtl_chip
from waterclock.cli.terminal import print_rows, progress
from waterclock.cli.written import new_folder_option

if TYPE_CHECKING:
    from waterclock.rtl.synth import Synthesis


@rtl_app.command("synth")
def synth(
    liberty: Annotated[Path, typer.Option(metavar="FILE", help="the cells: a liberty file")],
    chip: RtlChipOption = None,
    changes: Changes = None,
    clock_of: Annotated[
        list[str] | None,
        typer.Option("--clock", metavar="UNIT", help="place and route it; repeatable, or all of them: all"),
    ] = None,
    output: Annotated[
        Path | None, new_folder_option("--output", "-o", metavar="DIR", help="write synth.json and synth.svg here")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count cells and area by unit, and measure on an FPGA the clock of a small configuration; takes minutes."""
    from waterclock.atomic import new_folder
    from waterclock.rtl.tools import check_tools_to_emit

    check_tools_to_emit()
    from waterclock.rtl.synth import synthesis  # which needs them to be read at all

    chosen = rtl_chip(chip, changes)
    with progress() as phase:
        made = synthesis(chosen, liberty, clock_of or [], phase)
    text = json.dumps(made.record(), indent=2) + "\n"
    if output:
        with new_folder(output) as folder:
            (folder / "synth.json").write_text(text)
            (folder / "synth.svg").write_text(made.svg())
    if as_json:
        print(text, end="")
    else:
        _print(made)


def _print(made: "Synthesis") -> None:
    from waterclock.rtl.synth import BOX_HEADER, CLOCK_HEADER, HEADER, METHOD, NOTE

    print_rows(list(made.rows()), header=HEADER)
    print()
    print_rows(list(made.box_rows()), header=BOX_HEADER)
    print(f"\narea: {made.area_unit}\n{NOTE}")
    if made.slowest:
        print()
        print_rows(list(made.clock_rows()), header=CLOCK_HEADER)
        bound = "the clock of all" if made.is_clock_complete else "the slowest of these, not of all units"
        print(f"\n{bound}: {made.slowest.clock_mhz} MHz, by {made.slowest.unit}\n\n{METHOD}")
