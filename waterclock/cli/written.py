"""Options that name what a command writes: whether that can be written is known before the command begins."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import typer

from waterclock.atomic import check_new, check_new_or_folder, check_writable
from waterclock.errors import InputError


def file_option(*names: str, suffixes: Collection[str] = (), **more: Any) -> Any:
    """A file, which is written over where it is there. `suffixes` are those that it may have, all if none is given."""
    return _option(names, check_writable, suffixes, more)


def new_file_option(*names: str, suffixes: Collection[str] = (), **more: Any) -> Any:
    """A file that must not be there yet."""
    return _option(names, check_new, suffixes, more)


def new_folder_option(*names: str, **more: Any) -> Any:
    """A folder that must not be there yet."""
    return _option(names, check_new, (), more)


def folder_option(*names: str, **more: Any) -> Any:
    """A folder, which is made where it is not there, with those around it."""
    return _option(names, check_new_or_folder, (), more)


def picture_option(name: str, what: str) -> Any:
    """Pictures that matplotlib draws."""
    about = f"{what}: *.svg or *.png; repeatable; needs the extra `plots` (matplotlib)"
    return _option((name,), _check_picture, (), {"metavar": "FILE", "help": about})


def _check_picture(path: Path) -> None:
    from waterclock.silicon.pictures import check_pictures

    check_pictures(path)
    check_writable(path)


def _option(
    names: tuple[str, ...], check: Callable[[Path], None], suffixes: Collection[str], more: dict[str, Any]
) -> Any:
    def path(given: str | Path) -> Path:
        if not str(given):
            raise InputError(f"{names[0]}: is empty; give the path of what is to be written")
        found = Path(given)
        if suffixes and found.suffix not in suffixes:
            raise InputError(f"{names[0]} {found}: must end in {' or '.join(suffixes)}")
        check(found)
        return found

    return typer.Option(*names, parser=path, **more)
