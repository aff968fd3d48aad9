"""`waterclock check` and `compare`."""

import json
from pathlib import Path

import pytest

from tests.models import write_random_llama
from waterclock.chip import Chip, load, to_toml
from waterclock.runtime.bundle import Bundle
from waterclock.runtime.device import decode_program
from waterclock.runtime.speed import speed

OPTIONS = ("--chip", "tiny", "--context", "32")


def said(name: str, bundle: Bundle) -> str:
    figures = speed(bundle.deployment, decode_program(bundle.deployment))
    first = f"{name}: runs on tiny with a context of 32 positions\n"
    return f"{first}a token: {figures.length_cycles:,} cycles, {figures.tokens_per_s:,.0f} tokens/s\n"


def test_check_proves_a_folder_and_places_a_model(run, model_path: Path, folder: Path, bundle: Bundle) -> None:
    assert run("check", str(folder)) == (0, said(str(folder), bundle), "")
    assert run("check", str(model_path), *OPTIONS, "--no-cache") == (0, said(str(model_path), bundle), "")


def test_check_as_json(run, folder: Path, bundle: Bundle) -> None:
    code, out, _ = run("check", str(folder), "--json")
    chip, record = bundle.deployment.chip, json.loads(out)
    assert code == 0
    assert record.pop("speed")["length_cycles"] == decode_program(bundle.deployment).length_cycles
    assert record == {
        "model": str(folder), "chip": "tiny", "chip_sha256": chip.sha256, "context": 32, "no_chat": None,
    }  # fmt: skip


def test_check_says_that_a_template_makes_no_prompt(run, tmp_path: Path) -> None:
    hostile = {"tokenizer.chat_template": "{% for i in range(10 ** 9) %}{% endfor %}"}
    path = write_random_llama(tmp_path / "hostile.gguf", hidden=16, intermediate=16, num_layers=1, metadata=hostile)
    code, out, _ = run("check", str(path), *OPTIONS)
    assert code == 0
    assert out.splitlines()[-1].startswith(f"no chat, and run needs --raw: {path}: chat template: ")


def test_compare_has_a_row_for_each_chip(run, tiny: Chip, tmp_path: Path) -> None:
    model, mine = tmp_path / "small.gguf", tmp_path / "mine.toml"
    write_random_llama(model, hidden=8, intermediate=8, num_layers=1, num_heads=1, num_kv_heads=1, vocab=300)
    mine.write_text(to_toml(tiny.with_fields({"clock_mhz": 1500})))
    options = ("--context", "8", "--set", "latency.matvec=20")
    code, out, err = run("compare", str(model), "tiny", str(mine), *options, "--no-cache")
    rows = [line.split() for line in out.splitlines()]
    cycles = rows[1][1]
    assert (code, err) == (0, "")
    assert [row[0] for row in rows] == ["chip", "tiny", str(mine), "tiny,"]
    assert (
        f"a token: {cycles} cycles, {rows[1][3]} tokens/s\n"
        in run("check", str(model), "--chip", "tiny", *options[:2])[1]
    )
    assert (rows[1][2:5], rows[2][1:3], rows[2][4]) == (["1,000", rows[1][3], "1.000"], [cycles, "1,500"], "1.500")
    assert float(rows[3][5]) < 1
    record = json.loads(run("compare", str(model), "tiny", *options, "--json")[1])
    assert list(record) == ["tiny", "tiny, changed"]
    assert record["tiny"]["chip_sha256"] == tiny.sha256


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "none"], "model none: no such file"),
        (
            ["check", "MODEL", "--chip", "tiny", "--set", "mxm.num_sram_tiles=8", "--context", "64"],
            "mxm.num_sram_tiles = 8: the model needs",
        ),
        (["compare", "MODEL", "tiny"], "CHIP: only one is given; give another, or --set what is to be changed"),
        (["compare", "MODEL", "tiny", "tiny"], "CHIP: only one is given"),
        (["compare", "MODEL", "tiny", "none.toml"], "none.toml: No such file or directory"),
    ],
)
def test_what_can_not_be_is_one_line_and_exit_code_2(run, model_path: Path, arguments: list[str], message: str) -> None:
    code, out, err = run(*(str(model_path) if argument == "MODEL" else argument for argument in arguments))
    assert (code, out) == (2, "")
    assert err.startswith("waterclock: ")
    assert err.count("\n") == 1
    assert message in err


def test_a_shipped_chip_is_written_as_it_is_read(run, shipped_chip: Chip, tmp_path: Path) -> None:
    path = tmp_path / "copy.toml"
    code, out, _ = run("chip", "show", shipped_chip.name, "--toml", str(path))
    assert code == 0
    assert str(path) in out
    assert load(path) == shipped_chip
    path.write_text("mine")
    assert run("chip", "show", "tiny", "--toml", str(path))[2].startswith(f"waterclock: {path}: exists already")
    assert path.read_text() == "mine"
    assert "must end in .toml" in run("chip", "show", "tiny", "--toml", str(tmp_path / "copy"))[2]
