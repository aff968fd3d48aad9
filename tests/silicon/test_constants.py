"""Constants: each has unit, bounds in order, a source and its confidence; a wrong file is refused in one line."""

import re
from pathlib import Path

import pytest

from waterclock.errors import InputError
from waterclock.silicon.constants import load_constants
from waterclock.silicon.figure import Confidence, Leaf

CONSTANTS = load_constants()
NODES = (28, 20, 14, 10, 7, 5)


@pytest.mark.parametrize("name", CONSTANTS.by_name)
def test_every_constant_has_a_source(name: str) -> None:
    origin = CONSTANTS[name].origin
    assert isinstance(origin, Leaf)
    assert origin.low <= origin.typical <= origin.high
    assert len(origin.source) > 8 and origin.confidence is not Confidence.EXACT
    assert CONSTANTS[name].meaning
    if origin.confidence is Confidence.ASSUMPTION:
        assert origin.low < origin.high, "an assumption that is certain"


@pytest.mark.parametrize("name", ["wafer.price", "yield.defects.actuary", "yield.defects.ttm", "logic.transistors",
                                  "mask_set", "fab_time", "design", "sram.cell", "fo4", "wire.energy"])  # fmt: skip
def test_the_table_of_nodes_is_whole(name: str) -> None:
    assert CONSTANTS.nodes(name) == NODES


def test_the_table_is_the_published_one() -> None:
    """Node, wafer, both defect densities, transistors, masks, weeks."""
    rows = {
        28: (2891, 0.07, 0.05, 15.3, 1.2e6, 12),
        20: (3677, 0.07, 0.08, 22.1, 1.9e6, 14),
        14: (3984, 0.08, 0.10, 28.9, 2.82e6, 14),
        10: (5992, 0.08, 0.12, 52.5, 4.74e6, 16),
        7: (9346, 0.09, 0.15, 96.3, 10.5e6, 18),
        5: (16988, 0.11, 0.20, 138.2, 18.1e6, 20),
    }
    columns = ("wafer.price", "yield.defects.actuary", "yield.defects.ttm", "logic.transistors", "mask_set", "fab_time")
    for node, row in rows.items():
        assert tuple(CONSTANTS.at(node, column).typical for column in columns) == row


def test_a_node_that_is_not_there_is_refused() -> None:
    with pytest.raises(InputError, match=r"node_nm = 6: wafer.price is known for 28, 20, 14, 10, 7, 5 nm only"):
        CONSTANTS.at(6, "wafer.price")


GOOD = 'meaning = "m"\nunit = "W/mm^2"\ntypical = 1\nsource = "s"\nconfidence = "assumption"\n'


def test_a_file_replaces_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("[cooling.limit]\n" + GOOD)
    own = load_constants(path)
    assert own["cooling.limit"].typical == 1
    assert own["die.overhead"] is CONSTANTS["die.overhead"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[cooling.limit]\n" + GOOD.replace("typical = 1", "typical = '1'"), "cooling.limit.typical = '1': must be a"),
        ("[cooling.limit]\n" + GOOD.replace("typical = 1", "typical = inf"), "must be a finite number"),
        ("[cooling.limit]\n" + GOOD + "low = 2", "low = 2, typical = 1, high = 1: must be in order"),
        ("[cooling.limit]\n" + GOOD + "colour = 2", "cooling.limit.colour: no such field"),
        ("[cooling.limit]\n" + GOOD.replace('source = "s"', 'source = ""'), "cooling.limit.source = '': must be text"),
        ("[cooling.limit]\n" + GOOD.replace("assumption", "sure"), "confidence = 'sure': must be sourced"),
        ("[cooling.limit]\n" + GOOD.replace("assumption", "exact"), "confidence = 'exact': must be sourced"),
        ("[cooling.limit]\n" + GOOD.replace("W/mm^2", "W/parsec"), "cooling.limit.unit = 'W/parsec': no unit"),
        ("[cooling.limit]\n" + GOOD.replace("W/mm^2", "mm"), "cooling.limit.unit = mm: must be as W/mm"),
        ("[cooling.limits]\n" + GOOD, "cooling.limits: no such constant; did you mean cooling.limit"),
        ("[fo4]\n" + GOOD.replace("typical = 1", "by_node = { a = 1 }"), "fo4.by_node.a = 1: must be a number"),
        ("[cooling.limit]\n" + GOOD.replace("typical = 1", "typical = -1"), "must be in order, and not negative"),
        ("cooling = 1", "cooling = 1: must be a table"),
        ("cooling = [", "not TOML"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        load_constants(path)
    assert message in str(refused.value) and str(refused.value).startswith(str(path))


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load_constants(tmp_path / "none.toml")


def test_the_example_of_the_page_is_a_file_of_constants(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "cost.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "own.toml").write_text(example)
    assert load_constants(tmp_path / "own.toml")["node.28.wafer.price"].typical == 2800
