"""What commands say of their figures: the names of all of them, and the trees under `--why`."""

from collections.abc import Iterator, Mapping
from typing import Any

from waterclock.silicon.figure import Confidence


def figure_names(record: Any) -> list[str]:
    """Of everything in the plain values of a command that is a figure, each once."""
    return list(dict.fromkeys(_names(record)))


def _names(record: Any) -> Iterator[str]:
    children = record.items() if isinstance(record, Mapping) else enumerate(record) if isinstance(record, list) else ()
    for key, value in children:
        if isinstance(value, Mapping) and {"typical", "unit", "meaning"} <= set(value):
            yield str(key)
        else:
            yield from _names(value)


def trees(record: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The name of a figure and all below it, of each that was asked for."""
    for key, value in record.items():
        if key in value and "typical" in value[key]:
            yield key, value
        else:
            yield from trees(value)


def assert_ends_at_sources(figure: str, tree: Mapping[str, Any]) -> None:
    """Every figure below has a unit and a meaning; it has a formula over figures that are there, or a source."""
    reached, waiting = set[str](), [figure]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        one = tree[name]
        assert one["meaning"] and one["low"] <= one["typical"] <= one["high"], name
        if "formula" in one:
            assert one["formula"] and one["inputs"], name
            waiting += one["inputs"]
        else:
            assert len(one["source"]) > 5 and one["confidence"] in set(Confidence), name
    assert reached == set(tree)
