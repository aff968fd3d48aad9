"""Whether a mutant changes anything at all, proven by Yosys in one of six ways.

It is constant: with and without the fault, the same constant comes of folding constants in its module.
Nothing reads it: in the flat chip, what the fault is in leads to no output, memory or clock, and is removed as unused.
Or its module is the same: with and without the fault, equal inputs give equal outputs in every cycle from a reset on.
What modules inside it answer counts as input there, what they are asked as output. Or it is in a lane of the VXM, and
the whole lane is the same. Or it is in a sequencer, and only what nobody looks at is another (`coupling`); or behind
one, and no legal entry issues as another (`legal_entries`).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

from tests.rtl.mutants import beside, coupling, legal_entries
from tests.rtl.mutants.beside import GATE, GOLD
from tests.rtl.mutants.choice import CONTROL, CONTROL_BITS, NETLIST, Mutation, synthesise
from waterclock.errors import WaterclockError
from waterclock.rtl.synth.black_boxes import BOX_BY_KIND

SECONDS = 60
STEPS = 8
"""Cycles that the induction may look back: as many as registers lie behind one another in the deepest pipeline."""
MITER = "miter"
BOTH = f"{GOLD} {GATE}"
AROUND = "around.v"


def proof_of(mutation: Mutation, folder: Path) -> str:
    """The way in which the mutant of the netlist in a folder is proven equivalent to none, "" if in no way."""
    own = folder / f"mutant_{mutation.number}"
    own.mkdir()
    return next((way for way, script in WAYS.items() if _succeeds(script(mutation, own), own)), "")


def _succeeds(script: tuple[str, ...], folder: Path) -> bool:
    if not script:
        return False
    try:
        synthesise((f"read_rtlil ../{NETLIST}", *script), folder)
    except WaterclockError:
        return False
    return True


SWITCHED = f"w:{CONTROL} %co1 c:* %i"
"""The cells at the input that switches the mutant on."""


def _constant(mutation: Mutation, folder: Path) -> tuple[str, ...]:
    """Folding leaves no cell of its module at the switch, where there were some."""
    fold = ("opt_expr -fine -full", "opt_clean", "opt_expr -fine -full", "opt_clean")
    there = f"select -assert-any {SWITCHED}"
    return mutation.command, f"cd {mutation.module}", there, *fold, f"select -assert-none {SWITCHED}"


def _unread(mutation: Mutation, folder: Path) -> tuple[str, ...]:
    """Removing what is unused from the flat chip, bit by bit, leaves no cell at the switch, where there were some."""
    there = f"select -assert-any {mutation.module}/{SWITCHED}"
    return mutation.command, there, "flatten", "simplemap", "opt_clean -purge", f"select -assert-none {SWITCHED}"


def _same(mutation: Mutation, folder: Path) -> tuple[str, ...]:
    """Yosys knows no width of a memory's ports, and takes all clocks for one: a module that has a memory or a clock
    gate directly inside is refused. No other has two clocks."""
    refuse = (f"select -assert-none {mutation.module}/t:{macro}" for macro in BOX_BY_KIND)
    return (
        *refuse, *_two(mutation), f"expose -evert {BOTH}", f"miter -equiv -flatten {BOTH} {MITER}",
        f"opt_clean {MITER}", _induction(STEPS, MITER),
    )  # fmt: skip


def _unlooked(mutation: Mutation, folder: Path) -> tuple[str, ...]:
    """Nothing to be done where it is no sequencer."""
    if not mutation.module.endswith(coupling.SEQUENCER):
        return ()
    registers = coupling.registers((folder.parent / NETLIST).read_text(), mutation.module)
    (folder / AROUND).write_text(coupling.around(registers))
    expose = (f"expose {side}/w:* {coupling.exposing(registers)} %i" for side in (GOLD, GATE))
    return (
        *_two(mutation), *expose, f"read_verilog {AROUND}", f"hierarchy -top {beside.MODULE}", "proc", "flatten",
        "opt_clean", _induction(1, beside.MODULE),
    )  # fmt: skip


def _lane(mutation: Mutation, folder: Path) -> tuple[str, ...]:
    """The whole lane that it is in, with all modules inside, once as it is and once with the fault."""
    lane = mutation.module.partition(".")[0]
    if not lane.startswith("lane_"):
        return ()
    flat = (f"hierarchy -top {lane}", "flatten", "memory_map", "opt_clean")
    return (
        *flat, f"rename {lane} {GOLD}", f"design -stash {GOLD}",
        f"read_rtlil ../{NETLIST}", _fault(mutation), *flat, f"rename {lane} {GATE}", f"design -stash {GATE}",
        *(f"design -copy-from {side} -as {side} {side}" for side in (GOLD, GATE)), "async2sync", "dffunmap",
        f"miter -equiv -flatten {BOTH} {MITER}", f"hierarchy -top {MITER}", "opt_merge", "opt_clean",
        _induction(STEPS, MITER),
    )  # fmt: skip


def _legal(mutation: Mutation, folder: Path) -> tuple[str, ...]:
    """Nothing to be done where it is no lead."""
    legality = legal_entries.legality_of(mutation.module, folder.parent)
    if not legality.exists():
        return ()
    around = legal_entries.around((folder.parent / NETLIST).read_text(), mutation.module)
    (folder / AROUND).write_text(f"{legality.read_text()}\n{around}")
    return (
        *_two(mutation), f"read_verilog -formal {AROUND}", f"hierarchy -top {beside.MODULE}", "proc", "flatten",
        "async2sync", "dffunmap", "opt_merge", "opt_clean",
        _induction(STEPS, beside.MODULE, "-set-assumes"),
    )  # fmt: skip


def _fault(mutation: Mutation) -> str:
    """The command that makes the mutant for good."""
    return mutation.command.replace(f" -ctrl {CONTROL} {CONTROL_BITS} {mutation.number}", "")


def _two(mutation: Mutation) -> Iterator[str]:
    """The module twice, with the fault in one of them."""
    yield from (f"copy {mutation.module} {name}" for name in (GOLD, GATE))
    yield re.sub(r" -module \S+", f" -module {GATE}", _fault(mutation))
    yield from (f"async2sync {BOTH}", f"dffunmap {BOTH}")


def _induction(steps: int, module: str, assuming: str = "") -> str:
    options = f"{assuming} -tempinduct -seq 1 -maxsteps {steps} -set-init-zero"
    return f"sat -verify -prove trigger 0 -timeout {SECONDS} {options} {module}"


WAYS: Mapping[str, Callable[[Mutation, Path], tuple[str, ...]]] = MappingProxyType({
    "it is constant": _constant,
    "nothing reads it": _unread,
    "its module is the same": _same,
    "its lane is the same": _lane,
    "only what nobody looks at is another": _unlooked,
    "no legal entry issues as another": _legal,
})  # fmt: skip
