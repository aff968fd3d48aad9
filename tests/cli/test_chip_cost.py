"""`waterclock chip cost`, `export`, `compare`, `yield`, `macros` and `calibration`."""

import json
from pathlib import Path

import pytest

from tests.cli.whys import assert_ends_at_sources, figure_names, trees
from waterclock.chip import load
from waterclock.silicon.calibration import reports
from waterclock.silicon.chip_sheet import ChipSheet
from waterclock.silicon.constants import load_constants

EXAMPLES = Path(__file__).parents[2] / "examples" / "chips"


@pytest.fixture(scope="module")
def sheet() -> ChipSheet:
    return ChipSheet(load("tiny"), load_constants())


def test_cost_prints_every_figure_of_its_sections(run, sheet: ChipSheet) -> None:
    code, out, err = run("chip", "cost", "tiny")
    printed = {line.split()[0] for line in out.splitlines() if line.split()}
    assert (code, err) == (0, "")
    for title, figures in sheet.sections.items():
        assert title in out and {figure.name for figure in figures} <= printed


def test_cost_as_json_is_the_sheet(run, sheet: ChipSheet) -> None:
    code, out, _ = run("chip", "cost", "tiny", "--json")
    record = json.loads(out)
    assert code == 0 and record["chip"]["sha256"] == sheet.chip.sha256
    for title, figures in sheet.sections.items():
        for figure in figures:
            interval = sheet.sheet.interval(figure)
            shown = record[title][figure.name]
            assert (shown["low"], shown["typical"], shown["high"]) == (interval.low, interval.typical, interval.high)
            assert shown["unit"] == str(figure.unit)


SAYING_FIGURES = {
    "cost": ["cost", "tiny"],
    "cost of a chip with spares": ["cost", "demonstrator", "--spare-mxm", "1", "--spare-superlanes", "1"],
    "cost of a chip of SRAM": ["cost", str(EXAMPLES / "sram14.toml"), "--yield", "murphy"],
    "export": ["export", "tiny", "groq-tsp", "h20", "--all"],
    "compare": ["compare", "demonstrator", "groq-tsp", str(EXAMPLES / "sram14.toml")],
    "yield": ["yield", "665.6", "--node", "7", "--reported", "20"],
    "macros": ["macros", "demonstrator"],
    "macros of a chip without ReRAM": ["macros", "groq-tsp"],
    "calibration": ["calibration"],
}
"""Every command that prints figures; `waterclock cost` has its own test."""


@pytest.mark.parametrize("name", SAYING_FIGURES)
def test_every_figure_of_every_command_ends_at_leaves_with_a_source(run, name: str) -> None:
    arguments = SAYING_FIGURES[name]
    _, out, _ = run("chip", *arguments, "--json")
    names = figure_names(json.loads(out))
    code, out, err = run("chip", *arguments, "--json", *(word for name in names for word in ("--why", name)))
    assert (code, err) == (0, "") and len(names) > 8
    asked = set(names)
    for figure, tree in trees(json.loads(out)):
        asked.discard(figure)
        assert_ends_at_sources(figure, tree)
    assert not asked


def test_options_change_what_they_say(run) -> None:
    def cost(*options: str) -> float:
        _, out, _ = run("chip", "cost", "demonstrator", "--json", *options)
        return json.loads(out)["Yield, cost and time"]["cost.chip"]["typical"]

    usual = cost()
    for options in (["--defects", "ttm"], ["--yield", "murphy"], ["--volume", "1000"], ["--set", "node_nm=14"],
                    ["--spare-mxm", "1"], ["--spare-superlanes", "1"]):  # fmt: skip
        assert cost(*options) != usual


def test_pictures_are_written(run, tmp_path: Path) -> None:
    svg, png = tmp_path / "die.svg", tmp_path / "die.png"
    code, _, err = run("chip", "cost", "tiny", "--picture", str(svg), "--picture", str(png))
    assert (code, err) == (0, "")
    assert b"<svg" in svg.read_bytes() and png.read_bytes().startswith(b"\x89PNG")


def test_the_floorplan_is_in_json_too(run) -> None:
    _, out, _ = run("chip", "cost", "tiny", "--json")
    plan = json.loads(out)["floorplan"]
    boxes = sum(box["width"] * box["height"] for box in plan["boxes_mm"])
    assert boxes == pytest.approx(plan["width_mm"] * plan["height_mm"], rel=1e-9)  # sums of floats


def test_own_constants_move_figures(run, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[die.overhead]\nmeaning = "m"\nunit = "percent"\ntypical = 0\nsource = "s"\nconfidence = "derived"\n'
    )
    _, out, _ = run("chip", "cost", "tiny", "--json", "--constants", str(own))
    area = json.loads(out)["Area"]
    assert area["die.area"]["typical"] == area["area.row"]["typical"]


def test_constants_that_nothing_can_be_computed_with_are_refused(run, tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(
        '[logic.utilisation]\nmeaning = "m"\nunit = "percent"\ntypical = 0\nsource = "s"\nconfidence = "derived"\n'
    )
    code, out, err = run("chip", "cost", "tiny", "--constants", str(own))
    assert (code, out, err.count("\n")) == (2, "", 1) and "can't be computed with these constants" in err


def test_export_shows_class_distance_and_arithmetic(run) -> None:
    code, out, err = run("chip", "export", "h20", "demonstrator")
    assert (code, err) == (0, "") and "not legal advice" in out
    assert "0.987 of it" in out and "licence required" in out and "tpp >= 4800: no (0.493)" in out
    assert "tpp 2,368 tops*bit" in out and "2025-01, that exception: transistors < 30: unknown" in out
    code, out, _ = run("chip", "export", "a100", "--rules", "2023-10", "--json")
    (item,) = json.loads(out)["items"]
    assert item["rules"]["2023-10"]["class"] == "controlled (3A090.a)"
    assert item["rules"]["2023-10"]["binds"] == {
        "threshold": "tpp >= 4800", "value": 4992.0, "holds": True, "ratio": 1.04
    }  # fmt: skip


@pytest.mark.parametrize("node, said", [(28, "not presumed"), (14, "transistors < 30: yes")])
def test_export_says_whether_an_exception_is_open(run, node: int, said: str) -> None:
    _, out, _ = run("chip", "export", "demonstrator", "--rules", "2025-01", "--set", f"node_nm={node}")
    assert said in out


def test_export_is_drawn(run, tmp_path: Path) -> None:
    picture = tmp_path / "export.svg"
    code, _, err = run("chip", "export", "h20", "b200-sxm", "ascend-910c", "--picture", str(picture))
    text = picture.read_text()
    assert (code, err) == (0, "") and "presumption of denial" in text and "undetermined: needs io_GBps_bidir" in text


def test_export_of_all_says_what_is_missing(run) -> None:
    code, out, _ = run("chip", "export", "--all", "--rules", "2023-10")
    assert code == 0 and "undetermined: needs die_mm2" in out


def test_export_says_where_its_fields_are_from(run) -> None:
    code, out, _ = run("chip", "export", "h100", "--why", "h100-sxm5-80gb.performance_density")
    assert code == 0 and "white paper" in out and "tpp" in out


def test_compare_has_a_column_for_each_chip(run, tmp_path: Path) -> None:
    names = ["demonstrator", str(EXAMPLES / "lanes128.toml"), str(EXAMPLES / "sram14.toml")]
    picture = tmp_path / "areas.svg"
    code, out, err = run("chip", "compare", *names, "--bars", str(picture))
    assert (code, err) == (0, "") and b"<svg" in picture.read_bytes()
    assert out.splitlines()[0].split() == ["figure", "unit", "demonstrator", "lanes128", "sram14"]
    for name in ("die.area", "yield.die", "cost.good_die", "power.total", "export 2023-10"):
        assert any(line.startswith(name) for line in out.splitlines())
    code, out, _ = run("chip", "compare", *names, "--json")
    assert set(json.loads(out)) == {"demonstrator", "lanes128", "sram14"}


def test_yield_prints_the_worked_case(run) -> None:
    code, out, _ = run("chip", "yield", "725", "--node", "14", "--width", "29")
    words = [line.split() for line in out.splitlines()]
    assert code == 0 and ["wafer.dies", "68"] in [line[:2] for line in words]
    code, out, _ = run("chip", "yield", "665.6", "--node", "7", "--reported", "20", "--json")
    found = json.loads(out)
    assert round(found["yield.implied.ttm"]["typical"], 2) == 0.32


def test_calibration_prints_both_areas(run) -> None:
    code, out, _ = run("chip", "calibration")
    assert code == 0 and all(report.name in out for report in reports())
    assert "gates, synthesised" in out and "mm2 at 28 nm" in out
    code, out, _ = run("chip", "calibration", "--json")
    assert set(json.loads(out)) == {report.name for report in reports()}


def test_macros_explains_what_differs(run) -> None:
    code, out, _ = run("chip", "macros", "demonstrator")
    assert code == 0 and "digital SRAM" in out and "factor" in out
    code, out, _ = run("chip", "macros", "demonstrator", "--json")
    for line in json.loads(out):
        (factor,) = (one["typical"] for name, one in line["figures"].items() if ".over." in name)
        assert bool(line["explanation"]) != (0.5 <= factor <= 2)


@pytest.mark.parametrize("command", ["cost", "chip cost", "chip compare"])
def test_the_help_says_what_pictures_need(run, command: str) -> None:
    assert "the extra `plots`" in " ".join(run(*command.split(), "--help")[1].split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cost", "none"], "no chip 'none'"),
        (["cost", "tiny", "--why", "die.areas"], "no such figure; did you mean die.area"),
        (["cost", "tiny", "--defects", "all"], "--defects all: must be actuary or ttm"),
        (["cost", "tiny", "--yield", "poisson"], "--yield poisson: must be negative-binomial or murphy"),
        (["cost", "tiny", "--load", "0"], "--load 0: must be above 0"),
        (["cost", "tiny", "--load", "nan"], "--load nan"),
        (["cost", "tiny", "--volume", "0"], "--volume 0"),
        (["cost", "tiny", "--spare-mxm", "4"], "--spare-mxm 4: must be 0 to 3"),
        (["cost", "tiny", "--spare-superlanes", "1"], "lanes = 8: must be a multiple of 16"),
        (["cost", "tiny", "--set", "node_nm=22"], "node_nm = 22"),
        (["cost", "tiny", "--picture", "die.gif"], "must end in .svg or .png"),
        (["cost", "tiny", "--picture", "/none/die.svg"], "there is no folder"),
        (["cost", "tiny", "--constants", "none.toml"], "none.toml: No such file"),
        (["export"], "name a chip or an accelerator"),
        (["export", "nothing"], "no accelerator 'nothing'"),
        (["export", "nothing"], "(chips: demonstrator, groq-tsp, narrow, tiny or the path of a .toml file)"),
        (["export", "ascend-910b"], "'ascend-910b': is it ascend-910b-orig-row or ascend-910b1-b2-b3?"),
        (["export", "h100", "--picture", "x.pdf"], "must end in .svg or .png"),
        (["export", "h100", "--rules", "1999"], "--rules 1999: must be 2022-10"),
        (["export", "h100", "--set", "lanes=8"], "h100 is no chip that can be changed"),
        (["export", "h100", "h20", "--why", "h10.tpp"], "no such figure; did you mean h100-sxm5-80gb.tpp"),
        (["compare", "tiny", "narrow", "--why", "die.are"], "no such figure; did you mean die.area"),
        (["calibration", "--why", "factor.al"], "no such figure; did you mean factor.a"),
        (["compare", "tiny"], "name at least two chips"),
        (["compare", "tiny", "tiny"], "two chips are called tiny"),
        (["yield", "0", "--node", "14"], "MM2 0: must be 0.01"),
        (["yield", "859", "--node", "14"], "MM2 859: must be 0.01 to 858"),
        (["yield", "725", "--node", "14", "--width", "34"], "--width 34: must be 0.01 to 33"),
        (["yield", "725", "--node", "13"], "node_nm = 13"),
        (["yield", "1e-9", "--node", "14"], "MM2 1e-09: must be 0.01 to 858"),
        (["yield", "100", "--node", "14", "--width", "0.1"], "the height left 1000: must be 0.01 to 33"),
        (["yield", "725", "--node", "14", "--width", "0"], "--width 0: must be"),
        (["yield", "725", "--node", "14", "--reported", "nan"], "--reported nan"),
        (["macros", "none"], "no chip 'none'"),
    ],
)
def test_what_cannot_be_is_one_line(run, arguments: list[str], message: str) -> None:
    code, out, err = run("chip", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
