"""Whether a mutant changes anything at all: its module with and without the fault, compared by Yosys's SAT solver.

All that the module meets is free: its inputs, and what the modules inside it answer. Equal outputs and equal questions
to those modules, in every cycle from a reset on, then mean that no chip can tell the two apart.
"""

import re
from pathlib import Path

from tests.rtl.mutants.choice import CONTROL, CONTROL_BITS, NETLIST, Mutation
from waterclock.errors import WaterclockError
from waterclock.rtl import cells, ram
from waterclock.rtl.synth import yosys

SECONDS = 120
STEPS = 8
"""Cycles that the induction may look back: as many as registers lie behind one another in the deepest pipeline."""
GOLD, GATE, MITER, PAIRED = "gold", "gate", "miter", "paired"
BOTH = f"{GOLD} {GATE}"
PREPARE = (f"async2sync {BOTH}", f"dffunmap {BOTH}")
WAYS = {
    "by induction over outputs": (
        f"expose -evert {BOTH}", f"miter -equiv -flatten {BOTH} {MITER}", f"opt_clean {MITER}",
        f"sat -verify -prove trigger 0 -timeout {SECONDS} -tempinduct -seq 1 -maxsteps {STEPS} -set-init-zero {MITER}",
    ),
    "register by register": (
        f"expose -evert {BOTH}", f"equiv_make {BOTH} {PAIRED}", f"equiv_simple {PAIRED}", f"equiv_induct {PAIRED}",
        f"equiv_status -assert {PAIRED}",
    ),
}  # fmt: skip


def proof_of(mutation: Mutation, folder: Path) -> str:
    """The way in which the mutant of the netlist in a folder is proven equivalent to none, "" if in no way."""
    return next((way for way in WAYS if _is_proven(mutation, folder, way)), "")


def _is_proven(mutation: Mutation, folder: Path, way: str) -> bool:
    try:
        yosys.run(_script(mutation, way), folder)
    except WaterclockError:
        return False
    return True


def _script(mutation: Mutation, way: str) -> tuple[str, ...]:
    """Yosys knows no width of a memory's ports: a module that has one directly inside is not for these proofs."""
    fault = mutation.command.replace(f" -ctrl {CONTROL} {CONTROL_BITS} {mutation.number}", "")
    fault = re.sub(r" -module \S+", f" -module {GATE}", fault)
    refuse = (f"select -assert-none {mutation.module}/t:{macro}" for macro in (cells.NAME, ram.NAME))
    copies = (f"copy {mutation.module} {name}" for name in (GOLD, GATE))
    return f"read_rtlil {NETLIST}", *refuse, *copies, fault, *PREPARE, *WAYS[way]
