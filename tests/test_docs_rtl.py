"""The page that walks from a row to gates: every command on it is run, and prints what the page shows.

A block of commands is fenced as ```console, with words behind it: `slow` for what takes long, `host` where the output
has decimal fractions that depend on the host.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("amaranth", reason="the RTL needs the Python package amaranth")

from waterclock.rtl import tools
from waterclock.rtl.formal import sby
from waterclock.rtl.synth import yosys

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "from-row-to-gates.md"
BLOCK = re.compile(r"^```console(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LIBERTY = re.compile(r"/\S+\.lib")
LINK = re.compile(r"\]\(([^)#:]+)\)")
FRACTION = re.compile(r"\d+\.\d+")
PROGRAMS = {"waterclock": "-m waterclock", "python": ""}
PICTURES = {"add.svg": ROOT / "docs" / "images" / "add.svg"}


@dataclass(frozen=True)
class Command:
    """A command as it stands on the page, over one line or several, and the lines that it prints."""

    text: str
    printed: tuple[str, ...]


@dataclass(frozen=True)
class Block:
    """Commands that are run one after the other."""

    words: frozenset[str]
    commands: tuple[Command, ...]

    @property
    def text(self) -> str:
        return "\n".join(command.text for command in self.commands)

    def shown(self, line: str) -> str:
        return FRACTION.sub("#", line.rstrip()) if "host" in self.words else line.rstrip()


def blocks(page: str) -> Iterator[Block]:
    for words, body in BLOCK.findall(page):
        yield Block(frozenset(words.split()), tuple(commands(body)))


def commands(body: str) -> Iterator[Command]:
    """`$ ` begins a command, `> ` goes on with it, anything else is printed by it."""
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        first, *rest = part.splitlines()
        more = [line for line in rest if line.startswith("> ")]
        text = "\n".join([first, *(line.removeprefix("> ") for line in more)])
        yield Command(text, tuple(rest[len(more) :]))


BLOCKS = list(blocks(PAGE.read_text()))
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


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A folder with everything of the repository, but with a `build` of its own."""
    for entry in ROOT.iterdir():
        if entry.name != "build" and not entry.name.startswith("."):
            (tmp_path / entry.name).symlink_to(entry)
    (tmp_path / "build").mkdir()
    return tmp_path


@pytest.fixture
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Where `python` and `waterclock` are the interpreter and the sources of this test."""
    programs = tmp_path_factory.mktemp("programs")
    for name, arguments in PROGRAMS.items():
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        (programs / name).chmod(0o755)
    return {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


@pytest.mark.parametrize(
    "block",
    [pytest.param(one, marks=pytest.mark.slow if "slow" in one.words else ()) for one in BLOCKS],
    ids=[one.commands[0].text.split("\n")[0][:40] for one in BLOCKS],
)
def test_the_page_shows_what_is_printed(block: Block, repository: Path, environment: dict[str, str]) -> None:
    if reason := missing(block):
        pytest.skip(reason)
    for command in block.commands:
        done = subprocess.run(
            ("bash", "-euo", "pipefail", "-c", command.text), cwd=repository, env=environment, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert list(map(block.shown, done.stdout.rstrip().splitlines())) == list(map(block.shown, command.printed))
    for name, picture in PICTURES.items():
        if f"build/{name}" in block.text:
            assert (repository / "build" / name).read_text() == picture.read_text()


def test_the_page_has_commands_of_every_kind() -> None:
    assert len(BLOCKS) >= 8
    assert {word for block in BLOCKS for word in block.words} == {"slow", "host"}
    assert all(any(f"build/{name}" in block.text for block in BLOCKS) for name in PICTURES)


def test_links_lead_somewhere() -> None:
    links = LINK.findall(PAGE.read_text())
    assert len(links) >= 4
    assert all((PAGE.parent / link).exists() for link in links)
