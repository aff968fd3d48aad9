"""Macros: native figures, groups, and every factor above 2 explained."""

import pytest

from waterclock.chip import Chip, load
from waterclock.errors import InputError
from waterclock.silicon.area import ChipArea
from waterclock.silicon.constants import load_constants
from waterclock.silicon.fields import Fields
from waterclock.silicon.macros import Group, macro_of, macros, spread
from waterclock.silicon.mxm_modes import LARGE_FACTOR, MxmModes, compared


def modes_of(chip: Chip) -> MxmModes:
    return MxmModes(ChipArea(Fields(chip), load_constants()))


def test_native_figures_are_columns_over_bits() -> None:
    """As the titles say: 21.6 TOPS/W at 8 by 8 (1,382.4 at 1 by 1), 89 at 4 by 4... of the digital one."""
    digital = next(macro for macro in macros() if "89 TOPS/W" in macro.title)
    assert digital.group is Group.DIGITAL
    assert digital.native(digital.tops_per_w) == 1424 / (1 * 4)
    assert digital.full(digital.tops_per_w) == 1424 / 64
    reram = next(macro for macro in macros() if "1286.4 - 21.6TOPS/W" in macro.title)
    assert reram.group is Group.RERAM and reram.full(reram.tops_per_w) == pytest.approx(21.6)  # printed digits
    assert len(macros()) == 65


@pytest.mark.parametrize("name", ["demonstrator", "narrow", "groq-tsp"])
def test_what_differs_by_more_than_two_is_explained(name: str) -> None:
    lines = compared(modes_of(load(name)))
    assert {line.mode for line in lines} == ({"digital"} if name == "groq-tsp" else {"digital", "analog"})
    for line in lines:
        is_near = 1 / LARGE_FACTOR <= line.factor <= LARGE_FACTOR
        assert is_near != bool(line.explanation) and "{" not in line.explanation
        assert line.full.low <= line.full.median <= line.full.high and line.full.number >= 5


def test_every_leaf_has_a_source() -> None:
    for figure in modes_of(load("demonstrator")).sheet.leaves:
        assert figure.origin.source  # type: ignore[union-attr]


def test_spread_is_of_what_is_published() -> None:
    found = spread(Group.RERAM, lambda macro: macro.converter_bits)
    assert 1 <= found.low <= found.median <= found.high <= 8


@pytest.mark.parametrize(
    ("change", "message"),
    [({"B_x": "many"}, "row 2: B_x = 'many': must be a number"), ({"B_w": ""}, "B_x and B_w must be there")],
)
def test_a_wrong_row_is_refused(change: dict[str, str], message: str) -> None:
    row = {"Paper Title": "t", "Journal/Conference": "c", "Year": "2022", "Tech (nm)": "22", "Architecture": "SRAM",
           "Cell Type": "6T", "B_x": "8", "B_w": "8"}  # fmt: skip
    with pytest.raises(InputError, match=message):
        macro_of({**row, **change}, "file: row 2")
