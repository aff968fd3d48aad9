"""`waterclock trace`: files for Perfetto and for a browser."""

import json
import re
from io import BytesIO
from pathlib import Path

import pytest

from waterclock.runtime.bundle import Bundle
from waterclock.simulator.link import link
from waterclock.simulator.trace import script, timeline, write_page, write_perfetto

TITLE = "random on tiny"
WRITERS = {"out.perfetto-trace": write_perfetto, "out.html": write_page}


@pytest.mark.parametrize("name", WRITERS)
def test_the_file_is_what_the_api_writes(run, folder: Path, bundle: Bundle, tmp_path: Path, name: str) -> None:
    path, file = tmp_path / name, BytesIO()
    code, out, err = run("trace", str(folder), "-o", str(path))
    (program,) = bundle.deployment.programs.values()
    line = timeline(bundle.deployment.chip, [script(link(program, bundle.deployment.chip))])
    WRITERS[name](file, line, TITLE)
    assert (code, err) == (0, "")
    assert path.read_bytes() == file.getvalue()
    assert out == (
        f"{path}: {line.num_issues:,} issues in cycles 0 to {program.length_cycles - 1:,}, "
        f"{len(file.getvalue()):,} bytes; 1 cycle is 1.000 ns at 1,000 MHz\n"
    )


def test_cycles_and_launches_can_be_chosen(run, folder: Path, bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "part.html"
    (program,) = bundle.deployment.programs.values()
    first, last = program.length_cycles + 30, 2 * program.length_cycles
    options = ("--launches", "3", "--from", str(first), "--to", str(last), "--program", program.name)
    assert run("trace", str(folder), "-o", str(path), *options)[0] == 0
    data = json.loads(re.findall(r'id="data">([^<]*)</script>', path.read_text())[0])
    assert (data["first"], data["last"]) == (first, last)
    assert data["launches"] == [[0, program.length_cycles + bundle.deployment.chip.launch_gap_cycles]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "out.json"], "--output out.json: must end in .perfetto-trace or .html"),
        (["-o", "no/such/out.html"], "there is no folder"),
        (["-o", "out.html", "--from", "9999999"], "cycles 9999999 to "),
        (["-o", "out.html", "--from", "20", "--to", "10"], "cycles 20 to 10: must be two cycles from 0 to "),
        (["-o", "out.html", "--from", "-1"], "cycles -1 to "),
        (["-o", "out.html", "--program", "prefill"], "--program prefill: no such program; there are decode-32"),
        (["-o", "out.html", "--launches", "1000000000"], "1,000,000,000 launches: "),
        (["-o", "out.html", "--launches", "0"], "--launches"),
    ],
)
def test_what_cannot_be_is_one_line_and_no_file(
    run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run("trace", str(folder), *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert list(tmp_path.iterdir()) == []
