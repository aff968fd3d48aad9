"""The cache directory: what takes long to make and can be made again, for its owner alone, bounded in size.

    $XDG_CACHE_HOME/waterclock, or ~/.cache/waterclock
        compiled/   bundles, by what they were compiled from
        proven/     programs that link has proven, as a machine runs them
        numba/      native code of the simulator
        rtl/        native code of the RTL

Native code is run and pickles of numba are read from here: so a directory that others can write to is not used.
"""

import hashlib
import os
import shutil
import stat
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from waterclock.atomic import write_atomically
from waterclock.errors import InputError

MAX_BYTES = 4 << 30
"""Beyond it, what has not been used for longest goes; chosen here: twenty bundles of a model of 135M parameters."""
IN_USE_S = 600
"""What was used in the last seconds stays: somebody may still be reading it."""
UNFINISHED_S = 24 * 3600
"""Nobody writes for so long."""
DIGEST_BYTES = hashlib.sha256().digest_size


class CacheError(InputError):
    """The cache directory can't be used."""


class Section(StrEnum):
    """What is kept, each in a directory of its own."""

    COMPILED = "compiled"
    PROVEN = "proven"
    NATIVE = "numba"
    RTL = "rtl"


@dataclass(frozen=True)
class Entry:
    """Something kept: the files and folders whose names are the same up to the first dot. `used_s` is a time stamp."""

    section: Section
    name: str
    paths: tuple[Path, ...]
    num_bytes: int
    used_s: float

    @property
    def is_unfinished(self) -> bool:
        """Whether it is being written, or was when somebody killed the process."""
        return self.name.startswith(".")


def root() -> Path:
    """The cache directory, whether or not it exists. CacheError where nobody says where home is."""
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        return (given if given.is_absolute() else Path.home() / ".cache") / "waterclock"
    except RuntimeError as error:
        raise CacheError(f"XDG_CACHE_HOME: not set, and {error}") from None


def directory(section: Section) -> Path:
    """The directory of a section, made if it isn't there, of mode 0700.

    CacheError where it can't be made, is a link, belongs to somebody else, or can be written by others.
    """
    place = root()
    for path in (place, place / section):
        _own(path)
    return place / section


def _own(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        raise CacheError(f"{path}: cannot be used as a cache: {error.strerror}") from None
    if not stat.S_ISDIR(status.st_mode):
        raise CacheError(f"{path}: cannot be used as a cache: is a link, no directory")
    if status.st_uid != os.getuid():
        raise CacheError(f"{path}: belongs to somebody else; set XDG_CACHE_HOME to a directory of your own")
    if status.st_mode & 0o022:
        raise CacheError(f"{path}: can be written by others; see what is in it, then: chmod 700 {path}")
    if status.st_mode & 0o077:
        path.chmod(0o700)


def mark_used(path: Path) -> None:
    """What was used last goes last."""
    with suppress(OSError):
        os.utime(path)


def keep(path: Path, data: bytes) -> None:
    """Write a file that begins with the hash of its data. InputError where it can't be written."""
    write_atomically(path, hashlib.sha256(data).digest() + data)


def kept(path: Path) -> bytes | None:
    """The data of a file that `keep` wrote; None where there is none, or where its data are not those of its hash."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, data = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    if hashlib.sha256(data).digest() != digest:
        return None
    mark_used(path)
    return data


def entries() -> list[Entry]:
    """Everything that is kept, what was used last at the end. Nothing is made."""
    found = [entry for section in Section for entry in _entries(section)]
    return sorted(found, key=lambda entry: (entry.used_s, entry.section, entry.name))


def prune(max_bytes: int = MAX_BYTES) -> list[Entry]:
    """Remove what was left unfinished, then what has not been used for longest until the rest is no larger than this;
    what was removed."""
    found, gone, now = entries(), list[Entry](), time.time()
    excess = sum(entry.num_bytes for entry in found) - max_bytes
    for entry in sorted(found, key=lambda entry: not entry.is_unfinished):
        if entry.used_s < now - UNFINISHED_S if entry.is_unfinished else excess > 0 and entry.used_s < now - IN_USE_S:
            excess -= entry.num_bytes
            remove(*entry.paths)
            gone.append(entry)
    return gone


def remove(*paths: Path) -> None:
    """Remove files and folders: a folder disappears whole, whoever is reading it."""
    for path in paths:
        gone = path.with_name(f".{path.name}.{os.getpid()}.gone")
        with suppress(OSError):
            path.rename(gone)
            shutil.rmtree(gone) if gone.is_dir() and not gone.is_symlink() else gone.unlink()


def _entries(section: Section) -> Iterator[Entry]:
    by_name: defaultdict[str, list[Path]] = defaultdict(list)
    with suppress(OSError):
        for path in (root() / section).iterdir():
            by_name[path.name if path.name.startswith(".") else path.name.partition(".")[0]].append(path)
    for name, paths in by_name.items():
        status = list(_statuses(paths))
        if status:
            num_bytes = sum(one.st_size for one in status)
            yield Entry(section, name, tuple(sorted(paths)), num_bytes, max(one.st_mtime for one in status))


def _statuses(paths: Sequence[Path]) -> Iterator[os.stat_result]:
    """Of these, and of what is in them; what disappears meanwhile is left out."""
    for path in paths:
        for file in (path, *path.rglob("*")):
            with suppress(OSError):
                yield file.lstat()
