"""The page that walks from a row to gates: every command on it is run, and prints what the page shows."""

import re
from pathlib import Path

import pytest

pytest.importorskip("amaranth", reason="the RTL needs the Python package amaranth")

from tests.pages import DOCS, Block, Reader, blocks, environment_with, lay_out, shell
from waterclock.rtl import tools
from waterclock.rtl.formal import sby
from waterclock.rtl.synth import yosys

BLOCKS = blocks(DOCS / "from-row-to-gates.md")
LIBERTY = re.compile(r"/\S+\.lib")
MISSING_BY_WORDS = {
    "waterclock rtl": tools.missing_tools, "rtl prove": sby.missing_tools, "lane_gates": yosys.missing_tools,
    "pytest tests/rtl": tools.missing_tools,
}  # fmt: skip


def missing(block: Block) -> str | None:
    """What a block needs that is not here."""
    for words, problem in MISSING_BY_WORDS.items():
        if words in block.text and (reason := problem()):
            return reason
    files = (file for file in LIBERTY.findall(block.text) if not Path(file).exists())
    return next((f"{file} is missing" for file in files), None)


@pytest.mark.parametrize(
    "block",
    [pytest.param(one, marks=pytest.mark.slow if one.is_slow else ()) for one in BLOCKS],
    ids=[one.commands[0].text.split("\n")[0][:40] for one in BLOCKS],
)
def test_the_page_shows_what_is_printed(block: Block, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    if reason := missing(block):
        pytest.skip(reason)
    lay_out(tmp_path)
    environment = environment_with(tmp_path_factory.mktemp("programs"))
    Reader((block,), tmp_path).check(0, lambda text: shell(text, tmp_path, environment))


def test_the_page_has_commands_of_every_kind() -> None:
    assert len(BLOCKS) >= 8
    assert {word for block in BLOCKS for word in block.words} == {"slow", "host"}
    assert any("build/add.svg" in block.text for block in BLOCKS)
