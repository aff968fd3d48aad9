"""Files that are there whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path

from waterclock.errors import InputError


def write_atomically(path: Path, data: bytes | str) -> None:
    """Write `data` (text as UTF-8) under a temporary name beside `path`, then rename it. InputError where the folder
    doesn't exist or can't be written; a file that was there stays as it was."""
    contents = data.encode() if isinstance(data, str) else data
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(contents)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise InputError(f"{path}: cannot write: {error.strerror}") from None
