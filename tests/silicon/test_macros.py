"""Macros: native figures, groups, and every factor above 2 explained."""

import pytest

from waterclock.chip import Chip, load
from waterclock.errors import InputError
from waterclock.silicon.area import ChipArea
from waterclock.silicon.constants import load_constants
from waterclock.silicon.fields import Fields
from waterclock.silicon.macros import Column, Group, macro_of, macros, spread
from waterclock.silicon.mxm_modes import LARGE_FACTOR, Mode, MxmModes


def modes_of(chip: Chip) -> MxmModes:
    return MxmModes(ChipArea(Fields(chip), load_constants()))


def test_native_figures_are_columns_over_bits() -> None:
    """As the titles say: 21.6 TOPS/W at 8 by 8 (1,382.4 at 1 by 1), 89 at 4 by 4... of the digital one."""
    digital = next(macro for macro in macros() if "89 TOPS/W" in macro.title)
    assert digital.group is Group.DIGITAL
    assert digital.native(Column.PER_WATT) == 1424 / (1 * 4)
    assert digital.full(Column.PER_WATT) == 1424 / 64
    reram = next(macro for macro in macros() if "1286.4 - 21.6TOPS/W" in macro.title)
    assert reram.group is Group.RERAM and reram.full(Column.PER_WATT) == pytest.approx(21.6)  # printed digits
    assert len(macros()) == 65


@pytest.mark.parametrize("name", ["demonstrator", "narrow", "groq-tsp"])
def test_what_differs_by_more_than_two_is_explained(name: str) -> None:
    modes = modes_of(load(name))
    assert {line.mode for line in modes.lines} == ({Mode.DIGITAL} if name == "groq-tsp" else set(Mode))
    for line in modes.lines:
        model, number, full, factor = (
            modes.sheet.interval(one).typical for one in (line.model, line.number, line.full, line.factor)
        )
        explanation = modes.explanation(line)
        assert factor == pytest.approx(model / full, rel=1e-12) and number >= 5  # floats
        assert (1 / LARGE_FACTOR <= factor <= LARGE_FACTOR) != bool(explanation) and "{" not in explanation


def test_medians_are_those_of_the_file() -> None:
    """Worked out apart from this: rows that publish it, median native, median at 8 by 8 bits."""
    modes = modes_of(load("demonstrator"))
    expected = {
        ("macros.reram.per_watt", 19): (56.67, 2.5875), ("macros.reram.per_area", 19): (0.032, 0.00328125),
        ("macros.digital_sram.per_watt", 15): (219.04, 22.25), ("macros.digital_sram.per_area", 15): (19.32, 1.2075),
        ("macros.analog_sram.per_watt", 25): (354.0, 30.25),
        ("macros.analog_sram.per_area", 23): (3.026666666666667, 0.30640625),
    }  # fmt: skip
    for (name, number), medians in expected.items():
        figures = [modes.sheet[f"{name}.{ending}"].typical for ending in ("number", "native", "full")]
        assert figures == pytest.approx([number, *medians], rel=1e-12)  # floats


def test_what_has_no_converter_is_digital() -> None:
    assert {bool(macro.converter_bits) for macro in macros() if macro.group is Group.DIGITAL} == {False}
    assert {bool(macro.converter_bits) for macro in macros() if macro.group is Group.ANALOG_SRAM} == {True}


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
