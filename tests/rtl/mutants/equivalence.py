"""Whether a mutant changes anything at all, proven by Yosys in one of four ways.

It is constant: with and without the fault, the same constant comes of folding constants in its module.
Nothing reads it: in the flat chip, what the fault is in leads to no output, memory or clock, and is removed as unused.
Or its module is the same: with and without the fault, equal inputs give equal outputs in every cycle from a reset on.
What modules inside it answer counts as input there, what they are asked as output. Or it is in a sequencer, and only a
dead level is another (`coupling`).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from tests.rtl.mutants import coupling
from tests.rtl.mutants.choice import CONTROL, CONTROL_BITS, NETLIST, Mutation
from waterclock.errors import WaterclockError
from waterclock.rtl import cells, ram
from waterclock.rtl.synth import yosys

SECONDS = 120
STEPS = 8
"""Cycles that the induction may look back: as many as registers lie behind one another in the deepest pipeline."""
GOLD, GATE, MITER = "gold", "gate", "miter"
BOTH = f"{GOLD} {GATE}"
AROUND = "coupled.v"


def proof_of(mutation: Mutation, folder: Path) -> str:
    """The way in which the mutant of the netlist in a folder is proven equivalent to none, "" if in no way."""
    return next((way for way, script in WAYS.items() if _succeeds(script(mutation, folder), folder)), "")


def _succeeds(script: tuple[str, ...], folder: Path) -> bool:
    try:
        yosys.run((f"read_rtlil {NETLIST}", *script), folder)
    except WaterclockError:
        return False
    return bool(script)


SWITCHED = f"w:{CONTROL} %co1 c:* %i"
"""The cells at the input that switches the mutant on."""


def _constant(mutation: Mutation, folder: Path) -> tuple[str, ...]:
    """Folding leaves no cell of its module at the switch, where there were some."""
    fold = ("opt_expr -fine -full", "opt_clean", "opt_expr -fine -full", "opt_clean")
    there = f"select -assert-any {SWITCHED}"
    return mutation.command, f"cd {mutation.module}", there, *fold, f"select -assert-none {SWITCHED}"


def _unread(mutation: Mutation, folder: Path) -> tuple[str, ...]:
    """Removing what is unused from the flat chip leaves no cell at the switch, where there were some."""
    there = f"select -assert-any {SWITCHED}"
    return mutation.command, "flatten", there, "opt_clean -purge", f"select -assert-none {SWITCHED}"


def _same(mutation: Mutation, folder: Path) -> tuple[str, ...]:
    """Yosys knows no width of a memory's ports: a module that has one directly inside is refused."""
    refuse = (f"select -assert-none {mutation.module}/t:{macro}" for macro in (cells.NAME, ram.NAME))
    return (
        *refuse, *_two(mutation), f"expose -evert {BOTH}", f"miter -equiv -flatten {BOTH} {MITER}",
        f"opt_clean {MITER}", _induction(STEPS, MITER),
    )  # fmt: skip


def _dead(mutation: Mutation, folder: Path) -> tuple[str, ...]:
    """Nothing to be done where it is no sequencer."""
    if not mutation.module.endswith(coupling.SEQUENCER):
        return ()
    registers = coupling.registers((folder / NETLIST).read_text(), mutation.module)
    (folder / AROUND).write_text(coupling.around(GOLD, GATE, registers))
    expose = (f"expose {side}/w:* {coupling.exposing(registers)} %i" for side in (GOLD, GATE))
    return (
        *_two(mutation), *expose, f"read_verilog {AROUND}", f"hierarchy -top {coupling.MODULE}", "proc", "flatten",
        "opt_clean", _induction(1, coupling.MODULE),
    )  # fmt: skip


def _two(mutation: Mutation) -> Iterator[str]:
    """The module twice, with the fault in one of them."""
    fault = mutation.command.replace(f" -ctrl {CONTROL} {CONTROL_BITS} {mutation.number}", "")
    yield from (f"copy {mutation.module} {name}" for name in (GOLD, GATE))
    yield re.sub(r" -module \S+", f" -module {GATE}", fault)
    yield from (f"async2sync {BOTH}", f"dffunmap {BOTH}")


def _induction(steps: int, module: str) -> str:
    options = f"-tempinduct -seq 1 -maxsteps {steps} -set-init-zero"
    return f"sat -verify -prove trigger 0 -timeout {SECONDS} {options} {module}"


WAYS: Mapping[str, Callable[[Mutation, Path], tuple[str, ...]]] = MappingProxyType({
    "it is constant": _constant,
    "nothing reads it": _unread,
    "its module is the same": _same,
    "only a dead level is another": _dead,
})  # fmt: skip
