"""`waterclock inspect --cycle`: what queues, streams, holds and accumulators have in a cycle."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from waterclock.isa.assembly import instruction_text
from waterclock.runtime.bundle import Bundle
from waterclock.runtime.device import loaded_state
from waterclock.simulator.moment import Moment
from waterclock.simulator.stepper import moments

CYCLE, TOKEN, POSITION = 172, 77, 5


@pytest.fixture(scope="module")
def moment(bundle: Bundle) -> Moment:
    (program,) = bundle.deployment.programs.values()
    state = loaded_state(bundle.deployment)
    values = {"token": TOKEN, "position": POSITION, "last": 0}
    for param in program.params:
        state.params[param.index] = values[param.name]
    return next(islice(moments(bundle.deployment.chip, program, state), CYCLE, None))


@pytest.fixture
def record(run, folder: Path) -> dict[str, Any]:
    options = ("--cycle", str(CYCLE), "--token", str(TOKEN), "--position", str(POSITION))
    code, out, err = run("inspect", str(folder), *options, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def words(text: str) -> list[int]:
    return np.array([int(word, 16) for word in text.split()], np.uint32).view(np.int32).tolist()


def test_streams_are_the_steppers(record: dict[str, Any], moment: Moment, bundle: Bundle) -> None:
    slices = bundle.deployment.chip.slice_by_name
    shown = {}
    for row in record["streams"]:
        way, first, x = "ew".index(row["stream"][-1]), int(row["stream"][1:-1]), slices[row["slice"]].x
        if "words" in row:
            planes = np.array(words(row["words"]), np.int32).view(np.uint8).reshape(-1, 4).T
            shown |= {(way, x, first + byte): planes[byte].tolist() for byte in range(4)}
        else:
            shown[way, x, first] = [int(byte, 16) for byte in row["bytes"].split()]
    assert shown == {
        (way, x, stream): moment.streams[way, x, stream].tolist()
        for way, x, stream in np.argwhere(moment.written).tolist()
    }
    assert len(shown) > 4


def test_holds_accumulators_and_parameters_are_the_steppers(record: dict[str, Any], moment: Moment) -> None:
    assert {name: words(text) for name, text in record["holds"].items()} == {
        f"h{index}": hold.tolist() for index, hold in moment.hold_by_index.items()
    }
    assert {name: words(text) for name, text in record["accumulators"].items()} == {
        f"mxm{index}.acc{number}": acc.tolist() for (index, number), acc in moment.accumulator_by_place.items()
    }
    assert record["params"] == {"position": POSITION, "token": TOKEN, "last": 0}
    assert record["holds"] and record["accumulators"]


def test_issues_are_the_queues(record: dict[str, Any], moment: Moment, bundle: Bundle) -> None:
    (program,) = bundle.deployment.programs.values()
    assert [(row["queue"], row["entry"]) for row in record["issues"]] == [
        (issue.queue.name, issue.entry) for issue in moment.issues
    ]
    for row in record["issues"]:
        entry = program.queues[row["queue"]][row["entry"] : row["entry"] + 1]
        label = program.operations[program.labels[row["queue"]][row["entry"]]]
        assert row["instruction"] == instruction_text(entry)
        assert row["operation"] == label or (not label and row["operation"])
    assert record["issues"]


def test_the_table_says_the_same(run, folder: Path, record: dict[str, Any]) -> None:
    code, out, _ = run(
        "inspect", str(folder), "--cycle", str(CYCLE), "--token", str(TOKEN), "--position", str(POSITION)
    )
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert code == 0
    assert lines[0].startswith(f"decode-32, cycle {CYCLE} of ")
    assert lines[0].endswith(f"position {POSITION}, token {TOKEN}, last 0; memories as loaded")
    for issue in record["issues"]:
        assert any(line.startswith(f"{issue['queue']}[{issue['entry']}] {issue['instruction']} ") for line in lines)
    for row in record["streams"]:
        values = row.get("words") or row["bytes"]
        assert any(line.startswith(f"{row['slice']} {row['stream']} {values[:8]}") for line in lines)
    for name in (*record["holds"], *record["accumulators"]):
        assert any(line.startswith(f"{name} ") for line in lines)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cycle", "99999"], "--cycle 99999: decode-32 takes "),
        (["--cycle", "-1"], "--cycle"),
        (["--cycle", "5", "--token", "300"], "--token 300: must be 0 to 299"),
        (["--cycle", "5", "--position", "32"], "--position 32: must be 0 to 31"),
        (["--cycle", "5", "--program", "none"], "--program none: no such program; there are decode-32"),
        (["--token", "3"], "--token 3: says what --cycle shows; add --cycle"),
        (["--program", "decode-32"], "--program decode-32: says what --cycle shows"),
    ],
)
def test_what_is_not_there_is_refused(run, folder: Path, arguments: list[str], message: str) -> None:
    code, out, err = run("inspect", str(folder), *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
