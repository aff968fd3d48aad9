"""`waterclock cache`, and what commands say of what they found there."""

import json
import os
import time
from pathlib import Path

import pytest

from waterclock.errors import InputError
from waterclock.kept import MAX_BYTES, Section, directory, keep, root
from waterclock.runtime import cache as caching
from waterclock.runtime import device
from waterclock.simulator.machine.run import loop

OPTIONS = ("--chip", "tiny", "--context", "32")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    loop()  # whose native code then stays where other tests have it
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "waterclock"


def test_a_command_says_in_one_line_what_it_found(run, model_path: Path, folder: Path, home: Path) -> None:
    first = run("check", str(model_path), *OPTIONS)
    new = "compiling, which may take a minute: this model has not been compiled before"
    assert first[2] == f"waterclock: cache: {new}\n"
    again = run("check", str(model_path), *OPTIONS)
    assert again[:2] == first[:2]
    assert again[2].startswith("waterclock: cache: used what was compiled before, ")
    assert again[2].count("\n") == 1
    arguments = ("hello", "--raw", "--json", "--max-tokens", "3")
    code, out, err = run("run", str(model_path), *arguments, *OPTIONS)
    assert (code, out) == run("run", str(folder), *arguments)[:2]
    assert err == again[2]


@pytest.mark.parametrize("command", ["energy FOLDER", "cost FOLDER --beside none", "trace FOLDER -o OUT"])
def test_what_was_proven_is_not_proven_again(
    run, folder: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    places = {"FOLDER": str(folder), "OUT": str(tmp_path / "token.html")}
    arguments = [places.get(word, word) for word in command.split()]
    first = run(*arguments)
    written = [path.read_bytes() for path in tmp_path.glob("*.html")]

    def link(*_: object) -> None:
        raise InputError("proven again")

    for module in (caching, device):
        monkeypatch.setattr(module, "link", link)
    assert first[0] == 0
    assert run(*arguments) == first
    assert [path.read_bytes() for path in tmp_path.glob("*.html")] == written
    for proof in (home / Section.PROVEN).iterdir():
        proof.unlink()
    assert run(*arguments) == (2, "", "waterclock: proven again\n")


def test_what_is_refused_is_one_line_all_the_same(run, model_path: Path, home: Path) -> None:
    code, out, err = run("check", str(model_path), *OPTIONS, "--set", "mxm.num_reram_tiles=64")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "mxm.num_reram_tiles = 64" in err
    assert not list((home / Section.COMPILED).iterdir())


def test_it_lists_and_measures_and_clears(run, model_path: Path, home: Path) -> None:
    assert json.loads(run("cache", "list", "--json")[1]) == []
    assert not home.exists(), "looking makes nothing"
    run("run", str(model_path), "hello", "--raw", "--max-tokens", "1", *OPTIONS)
    keep(directory(Section.RTL) / "abc.so", b"native")
    listed = json.loads(run("cache", "list", "--json")[1])
    assert {entry["section"] for entry in listed} >= {"compiled", "proven", "rtl"}
    (compiled,) = (entry for entry in listed if entry["section"] == "compiled")
    assert compiled["compiled_from"]["context"] == "32"
    assert compiled["num_bytes"] == sum(
        path.lstat().st_size for place in map(Path, compiled["paths"]) for path in (place, *place.rglob("*"))
    )
    size = json.loads(run("cache", "size", "--json")[1])
    assert (size["directory"], size["max_bytes"]) == (str(root()), MAX_BYTES)
    assert size["num_bytes"] == sum(entry["num_bytes"] for entry in listed) == sum(size["sections"].values())
    for shown in (run("cache", "list")[1], run("cache", "size")[1]):
        assert "compiled" in shown
        assert "MB" in shown
    assert json.loads(run("cache", "clear", "rtl", "--json")[1])["num_entries"] == 1
    rest = [entry for entry in listed if entry["section"] != "rtl"]
    assert json.loads(run("cache", "list", "--json")[1]) == rest
    code, out, err = run("cache", "clear")
    assert (code, err) == (0, "")
    assert f"{len(listed) - 1} entries removed" in out
    assert json.loads(run("cache", "list", "--json")[1]) == []


def test_what_cannot_be_used_is_one_line_and_no_more(run, model_path: Path, home: Path) -> None:
    home.mkdir(parents=True)
    home.chmod(0o777)
    code, _, err = run("check", str(model_path), *OPTIONS)
    assert (code, err.count("\n")) == (0, 1)
    assert err.startswith("waterclock: cache: not used: ")
    assert "can be written by others" in err


def test_times_are_those_of_use(run, home: Path) -> None:
    keep(directory(Section.PROVEN) / "a.tapes", b"")
    os.utime(home / "proven" / "a.tapes", (0, 0))
    assert "1970-01-01 00:00" in run("cache", "list")[1]
    assert json.loads(run("cache", "list", "--json")[1])[0]["used_s"] == 0 < time.time()
