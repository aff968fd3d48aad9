"""How commands draw."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from waterclock.cli.written import picture_option

if TYPE_CHECKING:
    from waterclock.silicon.pictures import Draw

PicturesOption = Annotated[list[Path] | None, picture_option("--picture", "draw it")]


def draw_all(paths: Sequence[Path] | None, drawn: "Callable[[], Draw]") -> None:
    """One drawing into files that `picture_option` took, each in the format of its ending."""
    if not paths:
        return
    from waterclock.atomic import write_atomically
    from waterclock.silicon.pictures import rendered

    draw = drawn()
    for path in paths:
        write_atomically(path, rendered(draw, path.suffix))
