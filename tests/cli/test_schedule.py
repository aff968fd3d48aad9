"""`waterclock inspect --schedule`: the drawing of a stretch of a program."""

from itertools import accumulate
from pathlib import Path
from xml.etree import ElementTree

import pytest

from waterclock.runtime.bundle import Bundle
from waterclock.simulator.link import unroll


def drawn_issues(path: Path) -> int:
    """The issues that the bars of a drawing stand for: each title ends in first cycle - last cycle."""
    titles = [title.text or "" for title in ElementTree.parse(path).iter("{http://www.w3.org/2000/svg}title")]
    spans = [title.rpartition(" ")[2].split("-") for title in titles]
    return sum(int(last) - int(first) + 1 for first, last in spans)


def test_one_layer_is_drawn_issue_by_issue(run, folder: Path, bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "layer.svg"
    code, out, _ = run("inspect", str(folder), "--schedule", str(path))
    ((name, program),) = bundle.deployment.programs.items()
    segments = bundle.deployment.explanations[name].segments
    start = next(accumulate(segment.length_cycles for segment in segments))
    layer = segments[1]
    assert layer.count > 1
    assert code == 0
    assert f"cycles {start:,} to {start + layer.length_cycles - 1:,}" in out
    assert drawn_issues(path) == layer.num_issues
    assert program.length_cycles > start + layer.length_cycles


def test_any_cycles_can_be_drawn(run, folder: Path, bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "some.svg"
    assert run("inspect", str(folder), "--schedule", str(path), "--cycles", "40:60")[0] == 0
    (program,) = bundle.deployment.programs.values()
    cycles = unroll(program, bundle.deployment.chip).cycle
    assert drawn_issues(path) == int(((cycles >= 40) & (cycles <= 60)).sum())


@pytest.mark.parametrize("cycles", ["60:40", "a:b", "5", "0:99999999", "-1:5"])
def test_cycles_that_are_none_are_refused(run, folder: Path, tmp_path: Path, cycles: str) -> None:
    path = tmp_path / "none.svg"
    code, _, err = run("inspect", str(folder), "--schedule", str(path), f"--cycles={cycles}")
    assert code == 2
    assert err.startswith(f"waterclock: --cycles {cycles!r}: must be FIRST:LAST")
    assert err.count("\n") == 1
    assert not path.exists()
