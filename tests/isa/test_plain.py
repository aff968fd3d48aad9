"""Plain values: what a file can hold of records, and what it may not."""

import json
from dataclasses import dataclass

import pytest

from waterclock.errors import InputError
from waterclock.isa.plain import from_plain, to_plain
from waterclock.isa.program import Space


@dataclass(frozen=True)
class Part:
    size: int
    space: Space


@dataclass(frozen=True)
class Whole:
    name: str
    ratio: float
    limit: int | None
    parts: tuple[Part, ...]
    pair: tuple[str, int]
    count_by_name: dict[str, int]


WHOLE = Whole("w", 0.1, None, (Part(1, Space.MEM), Part(2, Space.SRAM)), ("a", 1), {"x": 1, "a": 2})


@pytest.mark.parametrize("limit", [None, 5])
def test_a_record_survives_json(limit: int | None) -> None:
    whole = Whole(**{**vars(WHOLE), "limit": limit})
    assert from_plain(Whole, json.loads(json.dumps(to_plain(whole))), "whole") == whole


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", 1, "whole.name = 1: must be of type str"),
        ("ratio", 1, "whole.ratio = 1: must be of type float"),
        ("limit", "5", "whole.limit = '5': must be of type int"),
        ("limit", True, "whole.limit = True: must be of type int"),
        ("parts", {}, "whole.parts = {}: must be a list"),
        ("parts", [{"size": 1, "space": "disk"}], "whole.parts[0].space = 'disk': must be one of mem, reram, sram"),
        ("parts", [{"size": 1}], "whole.parts[0] = {'size': 1}: must be an object with the fields size, space"),
        ("pair", ["a"], "whole.pair = ['a']: must be a list of 2"),
        ("count_by_name", [], "whole.count_by_name = []: must be an object"),
        ("count_by_name", {"x": None}, "whole.count_by_name.x = None: must be of type int"),
    ],
)
def test_a_wrong_value_is_refused_by_place(field: str, value: object, message: str) -> None:
    with pytest.raises(InputError) as refused:
        from_plain(Whole, {**to_plain(WHOLE), field: value}, "whole")
    assert str(refused.value) == message
