"""Chips from TOML files, and the ones that ship."""

import json
import tomllib
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from waterclock.chip.record import RULE_BY_FIELD, Chip
from waterclock.errors import InputError

MAX_FILE_BYTES = 1 << 20


def list_chips() -> tuple[str, ...]:
    """The names of the chips that ship with Waterclock, sorted."""
    return tuple(sorted(_shipped()))


def load(name_or_path: str | Path) -> Chip:
    """A chip that ships, by name, or any chip from a TOML file: what ends in .toml or has a separator is a path."""
    text = str(name_or_path)
    if text.endswith(".toml") or "/" in text:
        return _parsed(contents(Path(text), "a chip"), source=text)
    shipped = _shipped()
    if text not in shipped:
        raise InputError(f"no chip {text!r}: must be {', '.join(sorted(shipped))} or the path of a .toml file")
    return _parsed(shipped[text].read_bytes(), source=f"{text}.toml")


def to_toml(chip: Chip) -> str:
    """The text of a chip's file: every field, with its meaning and what it may be. `load` makes the same chip of it."""
    lines, section = list[str](), ""
    for path, rule in RULE_BY_FIELD.items():
        head, _, field = path.rpartition(".")
        if head != section:
            section = head
            lines += ["", f"[{section}]"]
        value = json.dumps(chip[path], ensure_ascii=False)
        lines.append(f"{field} = {value}  # {rule.meaning}: {rule}")
    return "\n".join([*lines, ""])


def _shipped() -> Mapping[str, Traversable]:
    files = (resources.files("waterclock") / "data" / "chips").iterdir()
    return {file.name.removesuffix(".toml"): file for file in files if file.name.endswith(".toml")}


def contents(path: Path, what: str) -> bytes:
    """The bytes of a file. InputError if it can't be read, or is larger than a file of `what` could be."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise InputError(f"{path}: more than {MAX_FILE_BYTES} bytes, too large for {what}")
    return data


def _parsed(data: bytes, source: str) -> Chip:
    try:
        table = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{source}: not TOML: {' '.join(str(error).split())}") from None
    try:
        return Chip.from_dict(table, source)
    except RecursionError:
        raise InputError(f"{source}: tables are nested too deep for a chip") from None
