"""Pictures: the same bytes each time, and one line where matplotlib or the format is missing."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from waterclock.chip import load
from waterclock.errors import InputError, WaterclockError
from waterclock.silicon.chip_sheet import ChipSheet
from waterclock.silicon.constants import load_constants
from waterclock.silicon.floorplan import floorplan
from waterclock.silicon.pictures import Draw, Stack, check_pictures, die, rendered, stacks, tornado
from waterclock.silicon.sheet import Interval


@pytest.fixture(scope="module")
def drawings() -> dict[str, Draw]:
    sheet = ChipSheet(load("tiny"), load_constants())
    swings = sheet.sheet.swings(sheet.area.die)[:10]
    bars = [
        Stack("one", {"a": 1.0, "b": 2.0}, Interval(2, 3, 5), (2.5, 4)),
        Stack("two", {"a": 2.0, "b": 0.5}, Interval(2, 2.5, 3), (2.2, 2.8)),
    ]
    return {
        "tornado": tornado(swings, sheet.sheet.interval(sheet.area.die).typical, "area", "mm^2"),
        "stacks": stacks(bars, "costs", "usd"),
        "die": die(floorplan(sheet.area)),
    }


@pytest.mark.parametrize("name", ["tornado", "stacks", "die"])
def test_a_picture_is_the_same_each_time(drawings: dict[str, Draw], name: str) -> None:
    svg = rendered(drawings[name], ".svg")
    assert svg == rendered(drawings[name], ".svg")
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    png = rendered(drawings[name], ".png")
    assert png.startswith(b"\x89PNG") and png == rendered(drawings[name], ".png")


def test_the_tornado_names_its_constants(drawings: dict[str, Draw]) -> None:
    sheet = ChipSheet(load("tiny"), load_constants())
    svg = rendered(drawings["tornado"], ".svg").decode()
    for swing in sheet.sheet.swings(sheet.area.die)[:10]:
        assert f">{swing.leaf.name}<" in svg


def test_what_cannot_be_drawn_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"a picture must end in .svg or .png"):
        check_pictures(Path("x.gif"))
    monkeypatch.setattr("waterclock.silicon.pictures.find_spec", lambda name: None)
    with pytest.raises(WaterclockError, match="extra `plots`: make plots in a clone"):
        check_pictures(Path("x.svg"))
