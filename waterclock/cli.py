"""The command line: one thin function per command.

What a command needs is imported inside it, so that `waterclock --help` and wrong input answer at once.
"""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.exceptions import TyperException

from waterclock.errors import InputError, WaterclockError

if TYPE_CHECKING:
    from waterclock.chip import Chip

EXIT_REFUSED = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141


def _commands(about: str) -> typer.Typer:
    """A group of commands whose help is plain text: styled help takes several times as long to start."""
    return typer.Typer(help=about, rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)


app = _commands("An open, complete inference processor, to the cycle, the bit and the dollar.")
chip_app = _commands("Look at chips.")
app.add_typer(chip_app, name="chip")

ChipName = Annotated[str, typer.Argument(help="a chip that ships (see: chip list) or the path of a .toml file")]
Changes = Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="change a field; repeatable")]


def chip_of(name: str, changes: list[str] | None) -> "Chip":
    """The chip that a command is about: loaded, then changed by each `--set field=value`."""
    from waterclock.chip import load

    value_by_field: dict[str, int | str] = {}
    for change in changes or []:
        field, equals, value = change.partition("=")
        if not equals:
            raise InputError(f"--set {change!r}: must be FIELD=VALUE, such as mxm.sense_cycles=4")
        value_by_field[field.strip()] = value.strip()
    chip = load(name)
    return chip.with_fields(value_by_field) if value_by_field else chip


@chip_app.command("list")
def chip_list() -> None:
    """List the chips that ship."""
    from waterclock.chip import list_chips, load

    _print_rows([(name, load(name).description) for name in list_chips()])


@chip_app.command("show")
def chip_show(
    name: ChipName,
    changes: Changes = None,
    svg: Annotated[Path | None, typer.Option(help="write the floorplan to this file")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print fields and totals as JSON")] = False,
) -> None:
    """Show a chip: its fields, their meaning, and what they come to."""
    from waterclock.atomic import write_atomically
    from waterclock.chip import floorplan_svg

    chip = chip_of(name, changes)
    if svg:
        write_atomically(svg, floorplan_svg(chip))
    if as_json:
        print(json.dumps({**chip.to_dict(), "totals": chip.totals(), "sha256": chip.sha256}, indent=2))
        return
    _print_chip(chip)
    print(f"\nFloorplan: {svg}" if svg else f"\nFloorplan: add --svg {chip.name}.svg to draw it")


@chip_app.command("diff")
def chip_diff(name: ChipName, other: ChipName) -> None:
    """List the fields in which two chips differ."""
    from waterclock.chip import RULE_BY_FIELD

    one, two = chip_of(name, None), chip_of(other, None)
    rows = [(field, str(one[field]), str(two[field])) for field in RULE_BY_FIELD if one[field] != two[field]]
    if not rows:
        print("no field differs")
        return
    _print_rows(rows, header=("field", one.name, two.name))


def _print_chip(chip: "Chip") -> None:
    from waterclock.chip import RULE_BY_FIELD

    print(f"{chip.name}: {chip.description}\n")
    said = {"name", "description"}
    _print_rows([(field, str(chip[field]), rule.meaning) for field, rule in RULE_BY_FIELD.items() if field not in said])
    print("\nWhat they come to")
    _print_rows([(total, _readable(total, value)) for total, value in chip.totals().items()])
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


def _print_rows(rows: list[tuple[str, ...]], header: tuple[str, ...] = ()) -> None:
    """A plain table on stdout; on a terminal, long cells are folded."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, show_header=bool(header), header_style="bold")
    for index in range(len(rows[0])):
        table.add_column(header[index] if header else "", overflow="fold")
    for row in rows:
        table.add_row(*row)
    width = None if sys.stdout.isatty() else 200
    Console(width=width, highlight=False, markup=False).print(table)


def main() -> None:
    """Run a command. Whatever is refused is one line on stderr and exit code 2."""
    sys.exit(_run(sys.argv[1:] or ["--help"]))


def _run(arguments: list[str]) -> int:
    try:
        code = app(arguments, prog_name="waterclock", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except WaterclockError as error:
        return _refuse(str(error))
    except TyperException as error:
        return _refuse(f"{error.format_message()} (see waterclock --help)")
    return code if isinstance(code, int) else 0


def _refuse(reason: str) -> int:
    print("waterclock: " + " ".join(reason.split()), file=sys.stderr)
    return EXIT_REFUSED


if __name__ == "__main__":
    main()
