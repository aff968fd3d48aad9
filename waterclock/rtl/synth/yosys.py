"""Yosys, run as a process of its own on a script: what it builds is large, and a crash is then only its own."""

import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from waterclock.errors import WaterclockError

PACKAGE = "pyosys"
RUNNER = """
import sys
from pyosys import libyosys
design = libyosys.Design()
for line in sys.stdin.read().splitlines():
    libyosys.run_pass(line, design)
"""


def missing_tools() -> str | None:
    """One line that says what is missing to synthesise; None if it is there."""
    return None if find_spec(PACKAGE) else f"synthesis needs the extra `synth`; missing: Python package {PACKAGE}"


def tool_version() -> str:
    """The version of Yosys."""
    return version(PACKAGE)


def run(script: Sequence[str], folder: Path) -> str:
    """Run a script, one command a line, in a folder; what Yosys said. WaterclockError if it is missing or fails."""
    missing = missing_tools()
    if missing:
        raise WaterclockError(missing)
    done = subprocess.run(
        (sys.executable, "-c", RUNNER), input="\n".join(script), cwd=folder, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    if done.returncode:
        reason = re.search(r"^ERROR: .*$", done.stdout, re.MULTILINE)
        raise WaterclockError(f"Yosys failed: {reason[0] if reason else f'exit code {done.returncode}'}")
    return done.stdout
