"""Tools as processes of their own, as many at a time as there are processors; all end if we are interrupted."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from waterclock.errors import WaterclockError

REASON = re.compile(r"^ERROR: .*$", re.MULTILINE)
"""How Yosys and nextpnr begin the line that says why they gave up."""
INPUT, OUTPUT = "input.txt", "output.txt"
LOOK_SECONDS = 0.05
"""How often to look whether a tool is done."""


@dataclass(frozen=True)
class Job:
    """A command of a tool in a folder of its own, with `given` on its stdin."""

    tool: str
    command: Sequence[str]
    folder: Path
    given: str = ""

    def start(self) -> subprocess.Popen[bytes]:
        """The running process, at the head of a group; all that it and its children write is in the folder."""
        (self.folder / INPUT).write_text(self.given)
        with (self.folder / INPUT).open("rb") as given, (self.folder / OUTPUT).open("wb") as said:
            return subprocess.Popen(
                self.command, cwd=self.folder, stdin=given, stdout=said, stderr=subprocess.STDOUT,
                start_new_session=True, env={**os.environ, "TMPDIR": str(self.folder)},
            )  # fmt: skip

    def check(self, code: int) -> None:
        """WaterclockError, with the tool's reason, if it failed."""
        if code:
            reason = REASON.search((self.folder / OUTPUT).read_text(errors="replace"))
            raise WaterclockError(f"{self.tool} failed: {reason[0] if reason else f'exit code {code}'}")


def run_all(job_by_name: Mapping[str, Job], done: Callable[[str], None] = lambda name: None) -> None:
    """Run jobs side by side and name each that is done. WaterclockError if one fails; the others are then ended."""
    waiting, running = dict(job_by_name), dict[str, subprocess.Popen[bytes]]()
    try:
        while waiting or running:
            while waiting and len(running) < num_processors():
                name = next(iter(waiting))
                running[name] = waiting.pop(name).start()
            for name in [name for name, process in running.items() if process.poll() is not None]:
                job_by_name[name].check(running.pop(name).returncode)
                done(name)
            time.sleep(LOOK_SECONDS)
    finally:
        for process in running.values():
            _end(process)


def counting(phase: Callable[[str], None], what: str, job_by_name: Mapping[str, Job]) -> Callable[[str], None]:
    """What to call when a job is done, so that a phase says how many are."""
    finished: list[str] = []

    def done(name: str) -> None:
        finished.append(name)
        phase(f"{what}: {len(finished)} of {len(job_by_name)} done, {name} last")

    phase(f"{what}: {len(job_by_name)} to do")
    return done


def num_processors() -> int:
    """How many processors we may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
