"""numba's code on disk: found again, checked when read, and done without where nothing can be kept."""

import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
from numba import njit
from waterclock.numerics.native import kept_native

@kept_native
@njit
def doubled(x):
    return 2 * x
"""
SCRIPT = """
import doubling
print(doubling.doubled(21), len(doubling.doubled.stats.cache_hits))
"""


@pytest.fixture
def use(tmp_path: Path):
    """The result of a function in a process of its own, and whether its code was found on disk."""
    (tmp_path / "doubling.py").write_text(MODULE)
    home = tmp_path / "home"
    home.mkdir()

    def run() -> tuple[int, bool]:
        environment = {"PATH": "", "PYTHONPATH": f"{tmp_path}:{Path.cwd()}", "XDG_CACHE_HOME": str(home)}
        done = subprocess.run([sys.executable, "-W", "error", "-c", SCRIPT], env=environment, check=True,
                              capture_output=True, text=True)  # fmt: skip
        assert done.stderr == ""
        result, hits = map(int, done.stdout.split())
        return result, bool(hits)

    return run


def test_code_is_kept_and_checked_when_it_is_read(use, tmp_path: Path) -> None:
    place = tmp_path / "home" / "waterclock" / "numba"
    assert use() == (42, False)
    assert use() == (42, True)
    assert place.stat().st_mode & 0o777 == 0o700
    (folder,) = place.iterdir()
    assert folder.name.startswith("doubled-")
    for name in ("code.nbi", "code.1.nbc"):
        data = bytearray((folder / name).read_bytes())
        data[len(data) // 2] ^= 1
        (folder / name).write_bytes(data)
        assert use() == (42, False), name
        assert use() == (42, True), name
    assert not [path for path in folder.iterdir() if "partial" in path.name or "tmp" in path.name]


def test_where_nothing_can_be_kept_the_result_is_the_same(use, tmp_path: Path) -> None:
    assert use() == (42, False)
    (tmp_path / "home" / "waterclock" / "numba").chmod(0o777)
    assert use() == (42, False)
