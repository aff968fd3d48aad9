"""How commands draw: every file is checked before the first is written."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from waterclock.silicon.pictures import Draw

PicturesOption = Annotated[
    list[Path] | None, typer.Option("--picture", metavar="FILE", help="draw it: *.svg or *.png; repeatable")
]


def check_files(paths: Sequence[Path]) -> None:
    """What can be refused before the work: InputError for a wrong ending or a place that can't be written to."""
    from waterclock.atomic import check_writable
    from waterclock.silicon.pictures import check_pictures

    for path in paths:
        check_pictures(path)
        check_writable(path)


def draw_all(paths: Sequence[Path], drawn: "Callable[[], Draw]") -> None:
    """One drawing into files, each in the format of its ending."""
    if not paths:
        return
    from waterclock.atomic import write_atomically
    from waterclock.silicon.pictures import rendered

    check_files(paths)
    draw = drawn()
    for path in paths:
        write_atomically(path, rendered(draw, path.suffix))
