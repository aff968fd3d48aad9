"""A chip with all mutants in it: one library, in which a number at run time says which mutant is on."""

from dataclasses import dataclass, field
from pathlib import Path

from amaranth.lib import wiring
from amaranth.lib.wiring import In

from tests.rtl.mutants.choice import CONTROL, CONTROL_BITS, NETLIST, STATISTICS, Mutation, synthesise
from waterclock.chip import Chip
from waterclock.rtl import cells, clock, ram
from waterclock.rtl.core import Core
from waterclock.rtl.cosim import design_of
from waterclock.rtl.parts import Parts
from waterclock.rtl.synth.netlist import Shells
from waterclock.rtl.verilated import TOP, Design, Simulation, Words

MACROS = "\n".join((cells.SOURCE, ram.SOURCE, clock.SOURCE))
"""Memories and clock gates are no netlist: they stay as they are written, and have no mutants inside."""
VERILOG, MUTATED = "chip.v", "mutated.v"


def prepare(chip: Chip, folder: Path) -> Parts:
    """Put the chip's netlist, as Yosys's `prep` makes it, and the numbers of its cells into a folder."""
    parts = Shells()
    top = parts.module_text(Core(chip), TOP)
    (folder / VERILOG).write_text(f"{parts.verilog}\n{top}")
    synthesise(
        (f"read_verilog {VERILOG}", f"prep -top {TOP}", f"write_rtlil {NETLIST}",
         f"tee -q -o {STATISTICS} stat -json"), folder,
    )  # fmt: skip
    return parts


def mutated(mutations: tuple[Mutation, ...], folder: Path) -> str:
    """The Verilog of the netlist in a folder with these mutants."""
    commands = (mutation.command for mutation in mutations)
    synthesise((f"read_rtlil {NETLIST}", *commands, f"write_verilog -noattr {MUTATED}"), folder)
    return f"{MACROS}\n{(folder / MUTATED).read_text()}"


@dataclass(frozen=True)
class Mutated(Design):
    """The design of a chip with all mutants, each off while its number is not on the input `mutant`."""

    parts: Parts = field(default_factory=Parts)

    def elaborated(self) -> tuple[str, Parts]:
        return self.identity, self.parts


def with_mutants(chip: Chip, verilog: str, parts: Parts) -> Mutated:
    """The chip that this Verilog describes."""
    plain = design_of(chip)
    ports = wiring.Signature({CONTROL: In(CONTROL_BITS)})
    control = Design.of(ports, plain.make, verilog).inputs[CONTROL]
    first = sum(port.num_words for port in plain.inputs.values())
    inputs = {**plain.inputs, CONTROL: type(control)(CONTROL, CONTROL_BITS, first)}
    return Mutated(plain.make, verilog, inputs, plain.outputs, plain.native, parts)


class Mutant(Simulation):
    """A chip in which the mutant of this number is on, from the first write on the load bus; 0 is none."""

    def __init__(self, design: Design, number: int) -> None:
        self.number = number
        super().__init__(design)

    def blank(self, num_cycles: int) -> Words:
        words = super().blank(num_cycles)
        self.column(words, CONTROL)[:] = self.number
        return words
