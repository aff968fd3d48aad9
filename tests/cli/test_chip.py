"""`waterclock chip`, run as a person runs it."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from waterclock import cli
from waterclock.chip import floorplan_svg, list_chips, load


def test_list_names_every_chip(run) -> None:
    code, out, err = run("chip", "list")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == list(list_chips())


def test_show_says_every_field_and_total(run) -> None:
    code, out, err = run("chip", "show", "demonstrator", "--set", "mxm.sense_cycles=4")
    assert (code, err) == (0, "")
    words = [line.split() for line in out.splitlines()]
    assert ["mxm.sense_cycles", "4"] in [line[:2] for line in words]
    assert ["peak_int8_ops_per_s", "65,536,000,000,000", "(65.54", "TOPS)"] in words
    assert "--svg demonstrator.svg" in out


def test_show_as_json_is_a_chip_again(run) -> None:
    _, out, _ = run("chip", "show", "tiny", "--set", "lanes=16", "--json")
    shown = json.loads(out)
    chip = load("tiny").with_fields({"lanes": 16})
    assert {**chip.to_dict(), "totals": chip.totals(), "sha256": chip.sha256} == shown


def test_show_draws_the_floorplan(run, tmp_path: Path) -> None:
    path = tmp_path / "plan.svg"
    code, out, _ = run("chip", "show", "tiny", "--svg", str(path))
    assert code == 0
    assert path.read_text() == floorplan_svg(load("tiny"))
    assert ElementTree.parse(path).getroot().tag.endswith("svg")
    assert list(tmp_path.iterdir()) == [path]
    assert str(path) in out


def test_diff_lists_just_what_differs(run, tmp_path: Path) -> None:
    path = tmp_path / "other.toml"
    path.write_text(
        (Path(cli.__file__).parent.parent / "data/chips/tiny.toml").read_text().replace("lanes = 8", "lanes = 4")
    )
    code, out, _ = run("chip", "diff", "tiny", str(path))
    assert code == 0
    assert [line.split() for line in out.splitlines()] == [["field", "tiny", "tiny"], ["lanes", "8", "4"]]
    assert run("chip", "diff", "tiny", "tiny")[1] == "no field differs\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["chip"],
        ["chop"],
        ["chip", "show"],
        ["chip", "show", "big"],
        ["chip", "show", "none.toml"],
        ["chip", "show", "tiny", "--set", "lanes"],
        ["chip", "show", "tiny", "--set", "lanes=9"],
        ["chip", "show", "tiny", "--set", "lane=8"],
        ["chip", "show", "tiny", "--svg", "no/such/folder.svg"],
        ["chip", "show", "tiny", "--colour"],
        ["chip", "diff", "tiny"],
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(arguments: list[str], run) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("waterclock: ")
    assert err.count("\n") == 1


def test_list_and_diff_as_json(run) -> None:
    code, out, _ = run("chip", "list", "--json")
    assert code == 0 and set(json.loads(out)) == set(list_chips())
    code, out, _ = run("chip", "diff", "demonstrator", "tiny", "--json")
    assert code == 0 and json.loads(out)["lanes"] == [64, 8]
    assert json.loads(run("chip", "diff", "tiny", "tiny", "--json")[1]) == {}
