"""The model's gates beside those that synthesis counted."""

import pytest

from waterclock.silicon.calibration import MAX_FACTOR, Report, compared, reports
from waterclock.silicon.constants import load_constants
from waterclock.silicon.sheet import Sheet


@pytest.mark.parametrize("report", reports(), ids=lambda report: report.name)
def test_the_area_of_every_unit_is_within_a_factor_of_two(report: Report) -> None:
    lines = {line.unit: line for line in compared(report, load_constants())}
    assert set(lines) == {*report.gates_by_unit, "all"} - {"wiring"}
    sheet = Sheet(figure for line in lines.values() for figure in line.figures)
    for line in lines.values():
        areas = [sheet.interval(one).typical for one in (line.model_area, line.synthesised_area)]
        assert 1 / MAX_FACTOR <= areas[0] / areas[1] <= MAX_FACTOR, line.unit
        assert sheet.interval(line.factor).typical == pytest.approx(areas[0] / areas[1], rel=1e-12)  # floats


def test_all_is_the_sum_of_its_units() -> None:
    for report in reports():
        *lines, every = compared(report, load_constants())
        sheet = Sheet([*(line.synthesised for line in lines), every.synthesised])
        counted = sum(sheet.interval(line.synthesised).typical for line in lines)
        assert sheet.interval(every.synthesised).typical == counted


def test_a_configuration_is_held_out() -> None:
    assert any(not report.is_used for report in reports())
