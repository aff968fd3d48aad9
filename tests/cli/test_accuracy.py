"""`waterclock eval`."""

import json
from pathlib import Path

import numpy as np
import pytest

from waterclock.runtime.accuracy import measure
from waterclock.runtime.bundle import Bundle
from waterclock.runtime.device import Device
from waterclock.runtime.model import load_model

TEXT = "the water clock keeps time with streams " * 4
OPTIONS = ("--tokens", "32", "--window", "16")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def test_eval_prints_the_figures_of_the_api(run, model_path: Path, folder: Path, bundle: Bundle, text: Path) -> None:
    code, out, err = run("eval", str(folder), "--reference", str(model_path), "--text", str(text), *OPTIONS, "--json")
    assert (code, err) == (0, "")
    model = load_model(model_path)
    tokens = np.array(model.tokenizer.encode(TEXT))
    *_, expected = measure(model.graph, Device(bundle.deployment), tokens, 2, 16)
    figures = json.loads(out)
    assert figures["num_predictions"] == expected.num_predictions == 30
    assert figures["perplexity"] == expected.perplexity
    assert figures["mean_kl"] == expected.mean_kl


def test_a_model_is_compiled_for_the_window(run, model_path: Path, folder: Path, text: Path) -> None:
    arguments = ("--text", str(text), *OPTIONS)
    compiled = run("eval", str(model_path), *arguments, "--chip", "tiny", "--no-cache")
    assert compiled == run("eval", str(folder), "--reference", str(model_path), *arguments)
    assert "30 in windows of 16 tokens" in compiled[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["MODEL", "--text", "none"], "none: No such file"),
        (["MODEL", "--text", "BINARY"], "not UTF-8 at byte 0"),
        (["MODEL", "--text", "TEXT", "--tokens", "40", "--window", "16"], "--tokens 40: must be a positive multiple"),
        (["MODEL", "--text", "TEXT", "--chip", "tiny", "--window", "12", "--tokens", "12"], "context 12: must be"),
        (
            ["MODEL", "--text", "TEXT", "--chip", "tiny", "--window", "16", "--tokens", "1600"],
            "give more text or less --tokens",
        ),
        (["FOLDER", "--text", "TEXT"], "add --reference MODEL"),
        (["FOLDER", "--reference", "MODEL", "--text", "TEXT", "--window", "64", "--tokens", "64"], "holds 32 tokens"),
        (["FOLDER", "--reference", "OTHER", "--text", "TEXT", *OPTIONS], "is another file than the one"),
    ],
)
def test_what_can_not_be_measured_is_one_line_and_exit_code_2(
    run, model_path: Path, folder: Path, text: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "other.gguf").write_bytes(model_path.read_bytes() + b"\x00")
    places = {"MODEL": model_path, "FOLDER": folder, "TEXT": text, "BINARY": tmp_path / "binary"}
    paths = {name: str(path) for name, path in {**places, "OTHER": tmp_path / "other.gguf"}.items()}
    code, out, err = run("eval", *(paths.get(argument, argument) for argument in arguments))
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err
