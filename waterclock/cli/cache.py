"""`waterclock cache`: what is kept from one start to the next."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waterclock.cli.app import AsJson, app, commands
from waterclock.cli.terminal import print_rows
from waterclock.errors import InputError
from waterclock.kept import MAX_BYTES, Entry, Section, entries, remove, root

if TYPE_CHECKING:
    from waterclock.runtime.compile_key import CompileKey

SHOWN_CHARACTERS = 12
MB = 10**6
Sections = Annotated[list[Section] | None, typer.Argument(help="only these; all if none")]

cache_app = commands("Look at what is kept from one start to the next, and remove it.")
app.add_typer(cache_app, name="cache")


@cache_app.command("list")
def cache_list(sections: Sections = None, as_json: AsJson = False) -> None:
    """List what is kept, what was used last at the end."""
    found = _entries(sections)
    if as_json:
        print(json.dumps([_record(entry) for entry in found], indent=2))
        return
    rows = [(entry.section, entry.name[:SHOWN_CHARACTERS], _size(entry.num_bytes), _time(entry), _about(entry))
            for entry in found]  # fmt: skip
    print_rows(rows, header=("section", "name", "size", "used, UTC", "what"))


@cache_app.command("size")
def cache_size(as_json: AsJson = False) -> None:
    """Say how large each section is, and where all of it lies."""
    found = entries()
    bytes_by_section = {
        section.value: sum(entry.num_bytes for entry in found if entry.section is section) for section in Section
    }
    total = sum(bytes_by_section.values())
    if as_json:
        record = {"directory": str(root()), "num_bytes": total, "max_bytes": MAX_BYTES, "sections": bytes_by_section}
        print(json.dumps(record, indent=2))
        return
    print(f"{root()}: {_size(total)}; beyond {_size(MAX_BYTES)}, what has not been used for longest goes")
    print_rows([(section, _size(num_bytes)) for section, num_bytes in bytes_by_section.items()])


@cache_app.command("clear")
def cache_clear(sections: Sections = None, as_json: AsJson = False) -> None:
    """Remove what is kept; the next start makes it again. Nobody else may be using it."""
    found = _entries(sections)
    for entry in found:
        remove(*entry.paths)
    if left := _entries(sections):
        raise InputError(f"{left[0].paths[0]}: cannot be removed")
    num_bytes = sum(entry.num_bytes for entry in found)
    if as_json:
        print(json.dumps({"num_entries": len(found), "num_bytes": num_bytes}, indent=2))
        return
    print(f"{root()}: {len(found)} entries removed, {_size(num_bytes)}")


def _entries(sections: list[Section] | None) -> list[Entry]:
    return [entry for entry in entries() if not sections or entry.section in sections]


def _record(entry: Entry) -> dict[str, Any]:
    record = asdict(entry) | {"paths": [str(path) for path in entry.paths]}
    key = _key(entry)
    return record | {"compiled_from": {"model": key.model, **key.facts} if key else None}


def _key(entry: Entry) -> "CompileKey | None":
    """What a bundle was compiled from."""
    if entry.section is not Section.COMPILED:
        return None
    from waterclock.runtime.compile_key import read_key

    return next((key for path in entry.paths if (key := read_key(path))), None)


def _about(entry: Entry) -> str:
    key = _key(entry)
    if key is None:
        return ""
    return f"model {key.model[:SHOWN_CHARACTERS]} on {key.facts.get('chip.name')}, context {key.facts.get('context')}"


def _time(entry: Entry) -> str:
    return datetime.fromtimestamp(entry.used_s, UTC).strftime("%Y-%m-%d %H:%M")


def _size(num_bytes: int) -> str:
    return f"{num_bytes / MB:,.1f} MB"
