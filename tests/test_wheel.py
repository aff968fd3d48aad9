"""The wheel holds all that the package needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.slow
def test_the_wheel_works_away_from_the_checkout(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(tmp_path), str(ROOT)], check=True)
    (wheel,) = tmp_path.glob("waterclock-*.whl")
    site = tmp_path / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True)
    script = "from waterclock.silicon.macros import macros; from waterclock.silicon.market import accelerators\n"
    script += "from waterclock.silicon.constants import load_constants\n"
    script += "assert macros() and accelerators() and load_constants().by_name\n"
    script += "import waterclock, sys; sys.argv = ['waterclock', 'chip', 'show', 'demonstrator']\n"
    script += "from waterclock import cli; print(waterclock.__file__); cli.main()"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(str(site))
    assert "65,536,000,000,000 (65.54 TOPS)" in done.stdout
