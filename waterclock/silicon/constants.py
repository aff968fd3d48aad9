"""Constants: leaves read from TOML files, each with unit, bounds, source and how well it is founded.

A table with `typical` is a constant, named by the way to it: `[power.leakage]` is power.leakage. With `by_node` it is
one for each process node, named node.28.power.leakage. Bounds are `low` and `high`, or for all nodes at once
`low_times` and `high_times`, factors on the typical value.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from waterclock.chip.files import contents
from waterclock.errors import InputError
from waterclock.silicon.figure import Confidence, Figure, leaf
from waterclock.silicon.sheet import closest

FILES = (
    "nodes.toml",
    "area.toml",
    "power.toml",
    "timing.toml",
    "synthesis.toml",
    "cost.toml",
    "token.toml",
    "macros.toml",
)
TEXTS = ("meaning", "unit", "source", "confidence")
NUMBERS = ("typical", "low", "high", "low_times", "high_times")
BY_NODE = "by_node"
_FOUNDED = [confidence.value for confidence in Confidence if confidence is not Confidence.EXACT]


@dataclass(frozen=True)
class Constants:
    """All constants by name."""

    by_name: Mapping[str, Figure]

    def __getitem__(self, name: str) -> Figure:
        return self.by_name[name]

    def at(self, node_nm: int, name: str) -> Figure:
        """The constant of a process node, or the one for all others. InputError where there is neither."""
        found = self.by_name.get(f"node.{node_nm}.{name}", self.by_name.get(name))
        if found is None:
            nodes = ", ".join(map(str, self.nodes(name)))
            raise InputError(f"node_nm = {node_nm}: {name} is known for {nodes} nm only")
        return found

    def nodes(self, name: str) -> tuple[int, ...]:
        """The process nodes that a constant is known for, largest first."""
        parts = (one.split(".", 2) for one in self.by_name if one.startswith("node.") and one.endswith(f".{name}"))
        return tuple(sorted((int(node) for _, node, rest in parts if rest == name), reverse=True))


def load_constants(changes: Path | None = None) -> Constants:
    """The constants that ship, some of them replaced by a file of the user's.

    InputError names the file, the constant and the field where it is not a constant, or none that ships.
    """
    if changes is None:
        return _shipped()
    own = _constants(contents(changes, "constants"), str(changes))
    for name in own:
        if name not in _shipped().by_name:
            raise InputError(f"{changes}: {name}: no such constant{closest(name, _shipped().by_name)}")
        if own[name].unit.dimension != _shipped()[name].unit.dimension:
            raise InputError(f"{changes}: {name}.unit = {own[name].unit}: must be as {_shipped()[name].unit}")
    return Constants(MappingProxyType({**_shipped().by_name, **own}))


@cache
def _shipped() -> Constants:
    folder = resources.files("waterclock") / "data" / "silicon"
    found: dict[str, Figure] = {}
    for file in FILES:
        for name, constant in _constants((folder / file).read_bytes(), file).items():
            if name in found:
                raise InputError(f"{file}: {name}: is given twice")
            found[name] = constant
    return Constants(MappingProxyType(found))


def _constants(data: bytes, source: str) -> dict[str, Figure]:
    try:
        table = tomllib.loads(data.decode())
        return {constant.name: constant for constant in _walk(table, "", source)}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{source}: not TOML: {' '.join(str(error).split())}") from None


def _walk(table: Mapping[str, Any], prefix: str, source: str) -> Iterator[Figure]:
    for key, value in table.items():
        name = f"{prefix}{key}"
        if not isinstance(value, Mapping):
            raise InputError(f"{source}: {name} = {value!r}: must be a table with typical or {BY_NODE}")
        row = cast(Mapping[str, Any], value)
        if "typical" in row or BY_NODE in row:
            yield from _of_row(row, name, source)
        else:
            yield from _walk(row, f"{name}.", source)


def _of_row(row: Mapping[str, Any], name: str, source: str) -> Iterator[Figure]:
    _check(row, name, source)
    if BY_NODE not in row:
        yield _constant(row, row["typical"], name, source)
        return
    for node, typical in row[BY_NODE].items():
        if not node.isdigit() or not _is_number(typical):
            raise InputError(f"{source}: {name}.{BY_NODE}.{node} = {typical!r}: must be a number at whole nanometres")
        yield _constant(row, typical, f"node.{node}.{name}", source)


def _check(row: Mapping[str, Any], name: str, source: str) -> None:
    known = {*TEXTS, *NUMBERS, BY_NODE}
    for field, value in row.items():
        if field not in known:
            raise InputError(f"{source}: {name}.{field}: no such field; there are {', '.join(sorted(known))}")
        if field in NUMBERS and not _is_number(value):
            raise InputError(f"{source}: {name}.{field} = {value!r}: must be a finite number")
    for field in TEXTS:
        if not isinstance(row.get(field), str) or (not row[field] and field != "unit"):
            raise InputError(f"{source}: {name}.{field} = {row.get(field)!r}: must be text")
    if row["confidence"] not in _FOUNDED:
        raise InputError(f"{source}: {name}.confidence = {row['confidence']!r}: must be {', '.join(_FOUNDED)}")
    if BY_NODE in row and (not isinstance(row[BY_NODE], Mapping) or "typical" in row):
        raise InputError(f"{source}: {name}.{BY_NODE}: must be a table of nodes, without typical beside it")


def _is_number(value: object) -> bool:
    return type(value) in {int, float} and abs(cast(float, value)) < float("inf")


def _constant(row: Mapping[str, Any], typical: float, name: str, source: str) -> Figure:
    low = row.get("low", typical * row.get("low_times", 1))
    high = row.get("high", typical * row.get("high_times", 1))
    if not 0 <= low <= typical <= high:
        bounds = f"low = {low}, typical = {typical}, high = {high}"
        raise InputError(f"{source}: {name}: {bounds}: must be in order, and not negative")
    confidence = Confidence(row["confidence"])
    try:
        return leaf(name, row["meaning"], row["unit"], typical, row["source"], confidence, low, high)
    except InputError as error:
        raise InputError(f"{source}: {name}.{error}") from None
