"""The model's gates beside those that synthesis counted."""

import pytest

from waterclock.silicon.calibration import MAX_FACTOR, Report, compared, reports
from waterclock.silicon.constants import load_constants


@pytest.mark.parametrize("report", reports(), ids=lambda report: report.name)
def test_the_logic_of_every_report_is_within_a_factor_of_two(report: Report) -> None:
    lines = {line.unit: line for line in compared(report, load_constants())}
    assert set(lines) == {*report.gates_by_unit, "all"} - {"wiring"}
    for line in lines.values():
        assert 1 / MAX_FACTOR <= line.factor <= MAX_FACTOR, line
        assert line.model.low <= line.model.typical <= line.model.high


def test_a_configuration_is_held_out() -> None:
    assert any(not report.is_used for report in reports())
