"""One lane of `vxm.add` in the cells of a library: how many there are, and those that decide whether to round up.

python examples/lane_gates.py /usr/share/qflow/tech/osu018/osu018_stdcells.lib
"""

import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from waterclock.chip import load
from waterclock.rtl.synth import yosys
from waterclock.rtl.synth.liberty import Library
from waterclock.rtl.synth.netlist import TOP, VERILOG, lane_alone, netlist_of
from waterclock.rtl.synth.process import run_all

# What lies between the sum and the adder that rounds it: everything that follows the sum, but for that adder.
ROUND_UP = ("cd chip.vxm_add", "submod -name round_up w:step_2_total %co* t:$add %d t:* %i", "cd", "cd round_up")
GATE = re.compile(r"^ *(\w+X\d) \w+ \((.*?)\);", re.MULTILINE | re.DOTALL)


def round_up(library: Library, folder: Path) -> str:
    """The gates of the decision, a line each, from the Verilog that the count was made of."""
    liberty = library.path
    made = ("techmap", "opt", f"abc -liberty {liberty}", "opt_clean", "write_verilog -noattr -selected gates.v")
    script = (f"read_verilog {VERILOG}", f"hierarchy -top {TOP}", "proc", *ROUND_UP, *made)
    run_all({"round up": yosys.job(script, folder)})
    gates = GATE.findall(re.sub(r"\\\$\d+ ", "up", (folder / "gates.v").read_text()))
    return "\n".join(f"{cell:8} {' '.join(pins.split())}" for cell, pins in gates)


library = Library.read(Path(sys.argv[1]))
with TemporaryDirectory() as name:
    lane = netlist_of({TOP: lane_alone(load("tiny"), "vxm.add")}, library, Path(name)).of(TOP)
    print(f"{lane.num_cells:,} cells, {lane.num_flip_flops} of them flip-flops; area {lane.area:,.0f}")
    print(round_up(library, Path(name)))
