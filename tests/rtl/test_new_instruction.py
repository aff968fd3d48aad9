"""A new instruction is three lines: a row of the table, a value function and a datapath. Every part then handles it.

The lines go into a copy of the package, as a person would add them, and the copy is run.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

import pytest

from tests.rtl import made_up
from waterclock.isa.table import INSTRUCTIONS

ROOT = Path(__file__).parents[2]
PARTS = ("waterclock", "tests")
MNEMONIC, NEIGHBOUR = "vxm.average", "vxm.xor"
LOOPING = (
    "tests/isa/test_assembly.py", "tests/isa/test_encoding.py", "tests/rtl/test_datapaths.py",
    "tests/simulator/machine/test_kernels.py", "tests/simulator/test_semantics.py",
    "tests/simulator/test_stepper_hazards.py",
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A file of the package, and the line that goes behind the one that defines the neighbour."""

    path: str
    line: str


PLACES = (
    Place(
        "waterclock/isa/table.py",
        f'Instruction(0x3F, "{MNEMONIC}", (*_AB, _result()), _simple, "average of a and b, int32, rounded down"),',
    ),
    Place(
        "waterclock/simulator/semantics.py",
        f'"{MNEMONIC}": ValueRow(jitable(lambda a, b: (a & b) + ((a ^ b) >> 1)), (_RAW, _RAW), _RAW),',
    ),
    Place(
        "waterclock/rtl/simple.py",
        f'"{MNEMONIC}": _binary(lambda a, b: (a.as_signed() + b.as_signed()) >> 1),',
    ),
)


def with_line(text: str, line: str) -> str:
    """The text with a line behind the one line that names the neighbour."""
    lines = text.splitlines(keepends=True)
    (place,) = (number for number, old in enumerate(lines) if f'"{NEIGHBOUR}"' in old)
    return "".join([*lines[: place + 1], f"    {line}\n", *lines[place + 1 :]])


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of package and tests in which the three lines have been added."""
    root = tmp_path_factory.mktemp("copy")
    for part in PARTS:
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    for place in PLACES:
        path = root / place.path
        path.write_text(with_line(path.read_text(), place.line))
    return root


def differences(copy: Path) -> Iterator[tuple[str, list[str]]]:
    """The files of the copy that are not as they were, with what is different, without context."""
    files = (path for part in PARTS for path in sorted((copy / part).rglob("*")) if path.is_file())
    for name in (str(path.relative_to(copy)) for path in files if path.suffix != ".pyc"):
        before, after = ((root / name).read_text().splitlines() for root in (ROOT, copy))
        if before != after:
            yield name, list(unified_diff(before, after, n=0, lineterm=""))[2:]


def run(copy: Path, *arguments: str) -> str:
    """Run Python on the copy; what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def check(copy: Path, *names: str) -> None:
    """Run functions of `tests.rtl.made_up`, and make sure that it is the copy that they look at."""
    calls = "; ".join(f"made_up.{name}({MNEMONIC!r})" for name in names)
    where = run(copy, "-c", f"from tests.rtl import made_up; {calls}; import waterclock; print(waterclock.__file__)")
    assert Path(where.strip()).is_relative_to(copy)


def test_it_is_made_up() -> None:
    assert MNEMONIC not in INSTRUCTIONS


def test_the_key_sets_are_equal_as_they_stand() -> None:
    made_up.check_key_sets(NEIGHBOUR)


def test_three_files_have_one_line_more(copy: Path) -> None:
    found = dict(differences(copy))
    assert set(found) == {place.path for place in PLACES}
    for place in PLACES:
        hunk, line = found[place.path]
        assert hunk.startswith("@@") and line == f"+    {place.line}"


def test_key_sets_text_words_page_and_stepper(copy: Path) -> None:
    check(copy, "check_key_sets", "check_text_and_words", "check_stepper")


@pytest.mark.slow
@pytest.mark.parametrize("part", ["machine", "rtl"])
def test_what_is_compiled(copy: Path, part: str) -> None:
    check(copy, f"check_{part}")


@pytest.mark.slow
@pytest.mark.parametrize("tests", LOOPING)
def test_it_is_tested_unasked(copy: Path, tests: str) -> None:
    """These tests loop over the tables; pytest fails where it finds none for the instruction."""
    run(copy, "-m", "pytest", tests, "-k", MNEMONIC.partition(".")[2])
