"""A tool as a process of its own, which ends with all that it started if we are interrupted."""

import os
import re
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from waterclock.errors import WaterclockError

REASON = re.compile(r"^ERROR: .*$", re.MULTILINE)
"""How Yosys and nextpnr begin the line that says why they gave up."""


def run_tool(name: str, command: Sequence[str], folder: Path, given: str = "") -> None:
    """Run a command in a folder, with `given` on its stdin. WaterclockError with its reason if it fails."""
    process = subprocess.Popen(
        command, cwd=folder, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = process.communicate(given)
    finally:
        if process.poll() is None:
            _kill_group(process)
    if process.returncode:
        reason = REASON.search(said)
        raise WaterclockError(f"{name} failed: {reason[0] if reason else f'exit code {process.returncode}'}")


def _kill_group(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
