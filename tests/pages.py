"""Pages of the documentation whose commands are run: what a page shows is what is printed.

A block of commands is fenced as ```console, with words behind it: `slow` for what takes long, `host` where decimal
fractions depend on the host. A line `...` stands for any lines, `...` at a line's end for its rest. A command that is
refused shows one line, which begins with "waterclock: ", and ends with 2; every other ends with 0.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```console(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)")
FRACTION = re.compile(r"\d+\.\d+")
PROGRAMS = {"waterclock": "-m waterclock", "python": ""}
PICTURES = DOCS / "images"
EXIT_REFUSED = 2


@dataclass(frozen=True)
class Command:
    """A command as it stands on the page, over one line or several, and the lines that it prints."""

    text: str
    printed: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        return EXIT_REFUSED if self.printed and self.printed[-1].startswith("waterclock: ") else 0


@dataclass(frozen=True)
class Block:
    """Commands that are run one after the other."""

    words: frozenset[str]
    commands: tuple[Command, ...]

    @property
    def text(self) -> str:
        return "\n".join(command.text for command in self.commands)

    @property
    def is_slow(self) -> bool:
        return "slow" in self.words

    def shown(self, line: str) -> str:
        """A line without what differs between hosts."""
        return FRACTION.sub("#", line.rstrip()) if "host" in self.words else line.rstrip()


def blocks(page: Path) -> tuple[Block, ...]:
    found = BLOCK.findall(page.read_text())
    return tuple(Block(frozenset(words.split()), tuple(commands(body))) for words, body in found)


def commands(body: str) -> Iterator[Command]:
    """`$ ` begins a command, `> ` goes on with it, anything else is printed by it."""
    for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        first, *rest = part.splitlines()
        more = [line for line in rest if line.startswith("> ")]
        text = "\n".join([first, *(line.removeprefix("> ") for line in more)])
        yield Command(text, tuple(rest[len(more) :]))


def check_shown(block: Block, command: Command, output: str) -> None:
    """What is printed is what the page shows, but for what `...` leaves out."""
    wanted = [block.shown(line) for line in command.printed]
    got = [block.shown(line) for line in output.rstrip().splitlines()]
    if re.fullmatch("".join(map(pattern_of, wanted)), "".join(f"{line}\n" for line in got)) is None:
        assert got == wanted


def pattern_of(line: str) -> str:
    """What a line of a page stands for."""
    if line == "...":
        return r"(?:.*\n)*"
    return (re.escape(line.removesuffix("...")) + ".*" if line.endswith("...") else re.escape(line)) + r"\n"


def lay_out(folder: Path) -> None:
    """Make `folder` look like the root of the repository, but with a `build` of its own."""
    for entry in ROOT.iterdir():
        if entry.name != "build" and not entry.name.startswith("."):
            (folder / entry.name).symlink_to(entry)
    (folder / "build").mkdir()


def environment_with(programs: Path) -> dict[str, str]:
    """Where `python` and `waterclock`, written to a folder, are the interpreter and the sources of this test."""
    for name, arguments in PROGRAMS.items():
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments} "$@"\n')
        (programs / name).chmod(0o755)
    return {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


def environment_with_cache(environment: Mapping[str, str], home: Path, kept: Path) -> dict[str, str]:
    """The same with a cache directory of its own, in which is what lies in another one."""
    if kept.is_dir():
        (home / kept.name).mkdir(mode=0o700)
        shutil.copytree(kept, home / kept.name, copy_function=os.link, dirs_exist_ok=True)
    return {**environment, "XDG_CACHE_HOME": str(home)}


def shell(text: str, folder: Path, environment: dict[str, str]) -> tuple[int, str]:
    """A command's exit code, and what a terminal would show of it."""
    done = subprocess.run(
        ("bash", "-euo", "pipefail", "-c", text), cwd=folder, env=environment, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout


Typist = Callable[[str], tuple[int, str]]
"""Runs a command in a reader's folder: its exit code, and what a terminal would show of it."""


@dataclass
class Reader:
    """Somebody who types a page's commands, in order, in a folder of their own."""

    blocks: tuple[Block, ...]
    folder: Path
    seen: dict[int, list[tuple[int, str]]] = field(default_factory=dict)

    def read(self, index: int, typist: Typist) -> list[tuple[int, str]]:
        """Exit code and output of each command of a block. What stands before it is typed first; before a block that is
        not slow, only what is not slow either."""
        for before in range(index):
            if before not in self.seen and (self.blocks[index].is_slow or not self.blocks[before].is_slow):
                self.read(before, typist)
        if index not in self.seen:
            self.seen[index] = [typist(command.text) for command in self.blocks[index].commands]
        return self.seen[index]

    def check(self, index: int, typist: Typist) -> None:
        """Every command of a block prints what the page shows; every picture that it draws is the page's."""
        block = self.blocks[index]
        for command, (code, output) in zip(block.commands, self.read(index, typist), strict=True):
            check_shown(block, command, output)
            assert code == command.exit_code
        for picture in PICTURES.iterdir():
            if f"build/{picture.name}" in block.text:
                assert (self.folder / "build" / picture.name).read_bytes() == picture.read_bytes()
