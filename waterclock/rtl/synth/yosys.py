"""Yosys, run as a process of its own on a script: what it builds is large, and a crash is then only its own."""

import sys
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from waterclock.errors import WaterclockError
from waterclock.rtl.synth.process import Job
from waterclock.rtl.tools import extra

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
    return None if find_spec(PACKAGE) else f"synthesis needs {extra('synth')}; missing: Python package {PACKAGE}"


def tool_version() -> str:
    """The version of Yosys."""
    return version(PACKAGE)


def job(script: Sequence[str], folder: Path) -> Job:
    """A script, one command a line, to run in a folder. WaterclockError if Yosys is missing."""
    missing = missing_tools()
    if missing:
        raise WaterclockError(missing)
    return Job("Yosys", (sys.executable, "-c", RUNNER), folder, "\n".join(script))
