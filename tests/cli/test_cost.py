"""`waterclock cost`."""

import json
from pathlib import Path

import pytest

from tests.cli.whys import assert_ends_at_sources, figure_names, trees
from waterclock.runtime.bundle import Bundle


def test_json_is_the_schedule_and_adds_up(run, folder: Path, bundle: Bundle) -> None:
    code, out, err = run("cost", str(folder), "--json", "--utilisation", "40")
    record = json.loads(out)
    (program,) = bundle.deployment.programs.values()
    assert (code, err) == (0, "")
    assert record["length_cycles"] == program.length_cycles and record["program"] == program.name
    cost = record["Cost of a token"]
    parts = (f"token.{part}" for part in ("electricity", "chip", "host", "facility"))
    assert sum(cost[part]["typical"] for part in parts) == pytest.approx(
        cost["token.total"]["typical"], rel=1e-12
    )  # floats
    chip = bundle.deployment.chip
    tokens = chip.clock_mhz * 1e6 / (program.length_cycles + chip.launch_gap_cycles)
    assert cost["token.served"]["typical"] == pytest.approx(0.4 * tokens, rel=1e-12)  # floats
    assert len(record["tornado"]) == 10
    assert all(one["time"] == "roofline" for one in record["beside"].values()) and len(record["beside"]) > 3
    assert set(record["export"]) == {"2022-10", "2023-10", "2025-01", "2025-04", "2026-01"}


def test_the_table_says_what_was_simulated_and_what_was_not(run, folder: Path) -> None:
    code, out, err = run("cost", str(folder), "--beside", "h100", "--batch", "8")
    assert (code, err) == (0, "")
    assert "cycles a token" in out and "by roofline over a measured efficiency" in out
    assert "H100-SXM5-80GB, 8 sequences" in out and "not legal advice" in out
    code, out, _ = run("cost", str(folder), "--beside", "none")
    assert code == 0 and "roofline" not in out


def test_every_figure_ends_at_leaves_with_a_source(run, folder: Path) -> None:
    """Those beside the chip and those of the tornado too."""
    _, out, _ = run("cost", str(folder), "--json")
    record = json.loads(out)
    names = [*figure_names(record), *(one["constant"] for one in record["tornado"])]
    code, out, _ = run("cost", str(folder), "--json", *(word for name in names for word in ("--why", name)))
    found = dict(trees(json.loads(out)))
    assert code == 0 and set(found) == set(names) and len(names) > 50
    for figure, tree in found.items():
        assert_ends_at_sources(figure, tree)


def test_pictures_are_written(run, folder: Path, tmp_path: Path) -> None:
    tornado, bars = tmp_path / "tornado.svg", tmp_path / "bars.png"
    code, _, err = run("cost", str(folder), "--tornado", str(tornado), "--bars", str(bars))
    assert (code, err) == (0, "")
    assert b"host.chips" in tornado.read_bytes() and bars.read_bytes().startswith(b"\x89PNG")


def test_a_chip_that_keeps_weights_in_sram_is_costed_by_its_twin(run, model_path: Path, tmp_path: Path) -> None:
    text = (Path(__file__).parents[2] / "waterclock/data/chips/tiny.toml").read_text()
    changes = {
        'cell = "reram"': 'cell = "sram"', "num_reram_tiles = 256": "num_reram_tiles = 0",
        "num_reram_banks = 8": "num_reram_banks = 1", "num_sram_tiles = 128": "num_sram_tiles = 384",
        "write_row_cycles = 2": "write_row_cycles = 1", "sense_cycles = 5": "sense_cycles = 1",
    }  # fmt: skip
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    path = tmp_path / "sram.toml"
    path.write_text(text)
    code, out, err = run("cost", str(model_path), "--chip", str(path), "--context", "32", "--beside", "none")
    assert (code, err) == (0, "") and "schedule of its twin" in out
    change = "mxm.write_row_cycles=2"
    code, out, err = run("cost", str(model_path), "--chip", str(path), "--context", "32", "--set", change)
    assert (code, out, err.count("\n")) == (2, "", 1) and "must be 1 where SRAM keeps weights" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none"], "none"),
        (["FOLDER", "--utilisation", "0"], "--utilisation 0: must be above 0"),
        (["FOLDER", "--utilisation", "101"], "--utilisation 101: must be above 0 and at most 100"),
        (["FOLDER", "--utilisation", "nan"], "--utilisation nan"),
        (["FOLDER", "--beside", "nothing"], "no accelerator 'nothing'"),
        (["FOLDER", "--beside", "a100"], "A100-SXM4-80GB: undetermined: needs price_usd"),
        (["FOLDER", "--batch", "0"], "--batch 0: must be at least 1"),
        (["FOLDER", "--why", "token.totl"], "no such figure; did you mean token.total"),
        (["FOLDER", "--tornado", "x.pdf"], "must end in .svg or .png"),
        (["FOLDER", "--bars", "/none/x.svg"], "there is no folder"),
        (["FOLDER", "--chip", "narrow"], "compile it again"),
        (["FOLDER", "--defects", "no"], "--defects no: must be actuary or ttm"),
    ],
)
def test_what_cannot_be_is_one_line(run, folder: Path, arguments: list[str], message: str) -> None:
    code, out, err = run("cost", *(str(folder) if a == "FOLDER" else a for a in arguments))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
