"""Files and folders that are there whole or not at all."""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from waterclock.errors import InputError

MAX_NAME_BYTES = 255
"""Of a file's name, on the file systems of Linux."""


def write_atomically(path: Path, data: bytes | str) -> None:
    """Write `data` (text as UTF-8) as `new_file` does."""
    with new_file(path) as file:
        file.write(data.encode() if isinstance(data, str) else data)


@contextmanager
def new_file(path: Path) -> Generator[BinaryIO]:
    """A file to write under a temporary name beside `path`, renamed to it at the end; removed if anything goes wrong.
    A link stays one and its target is written. InputError where the folder doesn't exist or can't be written, or where
    `path` is no regular file; what was there stays as it was."""
    path = _resolved(path)
    check_writable(path)
    partial = _partial(path)
    try:
        with partial.open("wb") as file:
            yield file
        partial.replace(path)
    except OSError as error:
        raise InputError(f"{path}: cannot write: {error.strerror}") from None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path) -> Generator[Path]:
    """A folder to fill under a temporary name beside `path`, renamed to it at the end; removed if anything goes wrong.
    InputError where `path` exists or can't be written."""
    check_new(path)
    partial = _partial(path)
    try:
        partial.mkdir()
        yield partial
        partial.rename(path)
    except OSError as error:
        raise InputError(f"{path}: cannot write: {error.strerror}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_new(path: Path) -> None:
    """InputError where a folder can't come to be: something is there, there is no parent, or no right to write."""
    try:
        exists = path.exists() or path.is_symlink()
    except OSError as error:
        raise InputError(f"{path}: cannot write: {error.strerror}") from None
    if exists:
        raise InputError(f"{path}: exists already; give another name or remove it")
    _check_place(path)


def check_writable(path: Path) -> None:
    """InputError where `write_atomically` would find no folder, no right to write, or something that is no file: for
    what is written after long work."""
    path = _resolved(path)
    _check_place(path)
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: cannot write: is not a regular file")


def check_new_or_folder(path: Path) -> None:
    """InputError where a folder can neither be filled nor come to be, with those around it."""
    there = next(place for place in (path.absolute(), *path.absolute().parents) if os.path.lexists(place))
    if not there.is_dir():
        raise InputError(f"{path}: cannot write: {there} is no folder")
    _check_takes_more(there, path)


def _check_place(path: Path) -> None:
    """InputError where nothing of this name can come to be: there is no parent, the name is too long, or no right."""
    parent = path.absolute().parent
    if not parent.is_dir():
        raise InputError(f"{path}: cannot write: there is no folder {path.parent}")
    if len(os.fsencode(_partial(path).name)) > MAX_NAME_BYTES:
        raise InputError(f"{path}: cannot write: the name is too long")
    _check_takes_more(parent, path)


def _check_takes_more(folder: Path, path: Path) -> None:
    """InputError where nothing new can be in a folder: tried, for the file system may refuse what rights allow."""
    probe = folder / _partial(path).name
    try:
        probe.touch()
    except OSError as error:
        raise InputError(f"{path}: cannot write: nothing can be made in {folder}: {error.strerror}") from None
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)


def _resolved(path: Path) -> Path:
    """What a path leads to."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # the latter before Python 3.13
        raise InputError(f"{path}: cannot write: is a link that leads nowhere") from None


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.partial")
