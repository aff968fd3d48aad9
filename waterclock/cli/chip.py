"""`waterclock chip`: look at chips."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from waterclock.cli.app import AsJson, Changes, ChipName, app, chip_of, commands
from waterclock.cli.terminal import print_rows
from waterclock.cli.written import file_option, new_file_option

if TYPE_CHECKING:
    from waterclock.chip import Chip

chip_app = commands("Look at chips.")
app.add_typer(chip_app, name="chip")


@chip_app.command("list")
def chip_list(as_json: AsJson = False) -> None:
    """List the chips that ship."""
    from waterclock.chip import list_chips, load

    about = {name: load(name).description for name in list_chips()}
    if as_json:
        print(json.dumps(about, indent=2))
        return
    print_rows(list(about.items()))


@chip_app.command("show")
def chip_show(
    name: ChipName,
    changes: Changes = None,
    svg: Annotated[Path | None, file_option("--svg", metavar="FILE", help="write the floorplan to this file")] = None,
    toml: Annotated[
        Path | None,
        new_file_option(
            "--toml", suffixes=(".toml",), metavar="FILE", help="write the chip to this .toml file, to change it there"
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a chip: its fields, their meaning, and what they come to."""
    from waterclock.atomic import write_atomically
    from waterclock.chip import floorplan_svg, to_toml

    chip = chip_of(name, changes)
    if toml:
        write_atomically(toml, to_toml(chip))
    if svg:
        write_atomically(svg, floorplan_svg(chip))
    if as_json:
        print(json.dumps({**chip.to_dict(), "totals": chip.totals(), "sha256": chip.sha256}, indent=2))
        return
    _print_chip(chip)
    print(f"\nFloorplan: {svg}" if svg else f"\nFloorplan: add --svg {chip.name}.svg to draw it")
    print(f"Chip file: {toml}" if toml else "Chip file: add --toml FILE to write one, and change what you like in it")


@chip_app.command("diff")
def chip_diff(name: ChipName, other: ChipName, as_json: AsJson = False) -> None:
    """List the fields in which two chips differ."""
    from waterclock.chip import RULE_BY_FIELD

    one, two = chip_of(name, None), chip_of(other, None)
    different = [field for field in RULE_BY_FIELD if one[field] != two[field]]
    if as_json:
        print(json.dumps({field: [one[field], two[field]] for field in different}, indent=2))
        return
    rows = [(field, str(one[field]), str(two[field])) for field in different]
    if not rows:
        print("no field differs")
        return
    print_rows(rows, header=("field", one.name, two.name))


def _print_chip(chip: "Chip") -> None:
    from waterclock.chip import RULE_BY_FIELD

    print(f"{chip.name}: {chip.description}\n")
    said = {"name", "description"}
    print_rows([(field, str(chip[field]), rule.meaning) for field, rule in RULE_BY_FIELD.items() if field not in said])
    print("\nWhat they come to")
    print_rows([(total, _readable(total, value)) for total, value in chip.totals().items()])
    print("\nSlices, west to east\n" + _row(chip))


def _row(chip: "Chip") -> str:
    """The names of the slices; neighbours of one kind as first..last."""
    from itertools import groupby

    runs = [[piece.name for piece in run] for _, run in groupby(chip.slices, key=lambda piece: piece.kind)]
    return " | ".join(run[0] if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in runs)


def _readable(name: str, value: int) -> str:
    if name.endswith("_bytes"):
        return f"{value:,} ({value / 2**20:,.4g} MiB)"
    if name.endswith("_ops_per_s"):
        return f"{value:,} ({value / 1e12:,.2f} TOPS)"
    return f"{value:,}"
