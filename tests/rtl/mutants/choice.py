"""Which mutants: Yosys's `mutate` chooses among all single faults that it can make in the netlist of the slices."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from waterclock.rtl.synth import yosys
from waterclock.rtl.synth.process import run_all

NUM_MUTANTS, SEED = 200, 1
LEAST = 8
"""Mutants that each kind of slice has at least; the others are shared out by the number of cells."""
CONTROL = "mutant"
"""The input that switches a mutant on, by its number from 1 on; it is led to every module that has one."""
CONTROL_BITS = NUM_MUTANTS.bit_length()
COMPONENTS_BY_KIND: Mapping[str, tuple[str, ...]] = MappingProxyType({
    "icu": ("icu",), "mem": ("mem",), "vxm": ("alu", "holds", "lane", "halving"), "sxm": ("sxm",),
    "mxm": ("mxm", "row"), "params": ("params",), "streams": ("streams",),
})  # fmt: skip
NETLIST, STATISTICS = "netlist.il", "statistics.json"


@dataclass(frozen=True)
class Mutation:
    """One mutant: its number, the kind of slice that it is in, and the command of Yosys that makes it."""

    number: int
    kind: str
    command: str

    def option(self, name: str) -> str:
        """What the command says after `-name`, "" if nothing."""
        found = re.search(rf" -{name} (\S+)", self.command)
        return found[1] if found else ""

    @property
    def name(self) -> str:
        """Module, place and mode: what tells it from the others."""
        return f"{self.module} {self.place} {self.mode}"

    @property
    def module(self) -> str:
        return self.option("module")

    @property
    def place(self) -> str:
        """Cell, port and bit; a bit that is mixed with another one names that too."""
        cell, port, bit, other = (self.option(name) for name in ("cell", "port", "portbit", "ctrlbit"))
        return f"{cell} {port}[{bit}]" + (f" by [{other}]" if other else "")

    @property
    def mode(self) -> str:
        return self.option("mode")


def synthesise(script: Sequence[str], folder: Path) -> None:
    """Let Yosys run a script in a folder; WaterclockError if it fails."""
    run_all({yosys.PACKAGE: yosys.job(script, folder)})


def allotted(num_cells_by_kind: Mapping[str, int]) -> dict[str, int]:
    """How many mutants each kind has: `LEAST`, and its share by cells of the rest; largest remainders round up."""
    rest = NUM_MUTANTS - LEAST * len(num_cells_by_kind)
    total = sum(num_cells_by_kind.values())
    shares = {kind: divmod(rest * cells, total) for kind, cells in num_cells_by_kind.items()}
    missing = rest - sum(whole for whole, _ in shares.values())
    rounded_up = sorted(shares, key=lambda kind: -shares[kind][1])[:missing]
    return {kind: LEAST + whole + (kind in rounded_up) for kind, (whole, _) in shares.items()}


def num_cells_by_kind(folder: Path) -> dict[str, int]:
    """The cells in the modules of each kind, a module counted once however often it is placed."""
    modules = json.loads((folder / STATISTICS).read_text())["modules"]
    found = dict.fromkeys(COMPONENTS_BY_KIND, 0)
    for name, module in modules.items():
        component = re.match(r"\\?([a-z]+)_\d", name)
        for kind, components in COMPONENTS_BY_KIND.items():
            if component and component[1] in components:
                found[kind] += module["num_cells"]
    return found


def choose(folder: Path, seed: int) -> tuple[Mutation, ...]:
    """The mutants of the netlist in a folder that a seed draws, the same every time."""
    script, chosen = [f"read_rtlil {NETLIST}"], allotted(num_cells_by_kind(folder))
    first = 1
    for kind, count in chosen.items():
        modules = " ".join(f"{component}_*" for component in COMPONENTS_BY_KIND[kind])
        control = f"-ctrl {CONTROL} {CONTROL_BITS} {first}"
        script.append(f"mutate -list {count} -seed {seed} {control} -o {kind}.txt {modules}")
        first += count
    synthesise(script, folder)
    lines = [(kind, line) for kind in chosen for line in (folder / f"{kind}.txt").read_text().splitlines()]
    return tuple(Mutation(number, kind, line) for number, (kind, line) in enumerate(lines, 1))
