"""`waterclock energy`."""

import json
from pathlib import Path

import pytest

from waterclock.runtime.bundle import Bundle
from waterclock.runtime.energy import Bill
from waterclock.silicon import load_energy_constants
from waterclock.simulator.energy import count_activities
from waterclock.simulator.link import link

BOUNDS = ("low_aj", "typical_aj", "high_aj")


@pytest.fixture(scope="module")
def bill(bundle: Bundle) -> Bill:
    (program,) = bundle.deployment.programs.values()
    linked = link(program, bundle.deployment.chip)
    return Bill(bundle.deployment.chip, count_activities(linked), load_energy_constants())


def test_json_is_the_bill_and_adds_up(run, folder: Path, bill: Bill) -> None:
    code, out, err = run("energy", str(folder), "--json")
    record = json.loads(out)["programs"]["decode-32"]
    assert (code, err) == (0, "")
    assert record["total"] == vars(bill.total)
    for part in ("by_unit", "by_operation"):
        assert {which: sum(energy[which] for energy in record[part].values()) for which in BOUNDS} == record["total"]
    for line in bill.lines:
        activity = record["activities"][line.activity.value]
        assert activity["count"] == line.count
        if line.constant:
            assert activity["constant"]["typical"] == vars(line.constant.typical)
        else:
            assert activity["constant"] is None and record["left_out"][line.activity.value]
    assert set(record["not_contained"]) >= {"leakage", "clock"}


def test_the_table_says_what_it_is_and_what_it_is_not(run, folder: Path, bill: Bill) -> None:
    code, out, err = run("energy", str(folder))
    lines = [" ".join(line.split()) for line in out.splitlines()]
    typical, low, high = (f"{getattr(bill.total, f'{which}_aj') / 1e12:.3f}" for which in ("typical", "low", "high"))
    assert (code, err) == (0, "")
    assert f"decode-32: {typical} uJ a token ({low} to {high})" in lines[0]
    assert "none is scaled to" in lines[1]
    for name in (*bill.by_unit, *(name or "waits and loops" for name in bill.by_operation)):
        assert any(line.startswith(f"{name} ") for line in lines)
    for line in bill.lines:
        assert any(text.startswith(f"{line.activity.value} {line.count:,} ") for text in lines)
        assert line.constant is None or any(line.constant.low.source[:20] in text for text in lines)
    for name, what in bill.constants.not_contained.items():
        assert f"{name} {what}" in lines


@pytest.mark.parametrize("arguments", [["none"], ["FOLDER", "--program", "no"], ["FOLDER", "--chip", "narrow"]])
def test_what_cannot_be_is_one_line(run, folder: Path, arguments: list[str]) -> None:
    code, out, err = run("energy", *(str(folder) if a == "FOLDER" else a for a in arguments))
    assert (code, out, err.count("\n")) == (2, "", 1)
