"""The VXM's lanes with all mutants, taken out of the chip: the vectors of the datapaths go straight to them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tests.numerics.vectors import operands
from tests.rtl import test_datapaths
from tests.rtl.mutants.chip import Mutant, Mutated
from tests.rtl.mutants.choice import CONTROL, CONTROL_BITS, NETLIST, Mutation, synthesise
from waterclock.chip import Chip
from waterclock.isa.table import OPCODES
from waterclock.rtl import lane, vxm
from waterclock.rtl.parts import Parts
from waterclock.rtl.pipeline import latency_of
from waterclock.rtl.verilated import TOP, Design

INPUT_BITS = {"a": 32, "b": 32, "c": 32, "opcode": 8, "chosen": 8, "lane": 32, "upper": 1, "joins": 1,
              CONTROL: CONTROL_BITS}  # fmt: skip
MUTATED = "lanes.v"
Words = Sequence[np.ndarray]
"""An array for each operand, of raw words."""
CASE_BY_SPECIAL = {"vxm.butterfly": "butterfly", "vxm.reduce_add": "halving_add", "vxm.reduce_max": "halving_max"}
"""Cases of the datapath tests that have another name than their instruction."""


@dataclass(frozen=True)
class Placed:
    """An instruction in one of the modules that execute it, and the cycles it is granted there."""

    mnemonic: str
    module: str
    cycles: int

    @property
    def case(self) -> str:
        return CASE_BY_SPECIAL.get(self.mnemonic, self.mnemonic)


def placed(chip: Chip, parts: Parts) -> tuple[Placed, ...]:
    """Every instruction in every lane and halving of a chip that is elaborated into these parts, each module once."""
    found: dict[Placed, None] = {}
    for mnemonics in vxm.mnemonics_by_port(chip):
        cycles = latency_of(mnemonics[0], chip) - vxm.FETCH_CYCLES
        laned = tuple(name for name in mnemonics if name not in lane.HALVINGS)
        stage = cycles // chip.log2_lanes
        ways = [(name, parts.part(lane.Lane, (laned, cycles)), cycles) for name in laned]
        ways += [(name, parts.part(lane.Halving, (name, stage)), stage) for name in set(mnemonics) - set(laned)]
        found |= {Placed(name, part.module, granted): None for name, part, granted in ways if _has_case(name)}
    return tuple(sorted(found, key=lambda one: (one.module, one.mnemonic)))


def _has_case(mnemonic: str) -> bool:
    return CASE_BY_SPECIAL.get(mnemonic, mnemonic) in test_datapaths.CASES


def lanes_with_mutants(where: tuple[Placed, ...], mutations: tuple[Mutation, ...], folder: Path) -> Mutated:
    """One of each module of the netlist in a folder, side by side."""
    commands = (mutation.command for mutation in mutations)
    synthesise(
        (f"read_rtlil {NETLIST}", *commands, "select lane_* halving_*", f"write_verilog -noattr -selected {MUTATED}"),
        folder,
    )
    text = (folder / MUTATED).read_text()
    modules = sorted({one.module for one in where})
    verilog = f"{text}\n{_side_by_side(modules, text)}"
    outputs = {module: Out(32) for module in modules}
    signature = wiring.Signature({**{name: In(bits) for name, bits in INPUT_BITS.items()}, **outputs})
    plain = Design.of(signature, lambda: wiring.Component(signature), verilog)
    return Mutated(plain.make, verilog, plain.inputs, plain.outputs, plain.native)


def _side_by_side(modules: list[str], text: str) -> str:
    inputs = [f"input [{bits - 1}:0] {name}" for name, bits in INPUT_BITS.items()]
    ports = ["input clk", "input rst", *inputs, *(f"output [31:0] {module}" for module in modules)]
    places = "\n".join(_place(module, text) for module in modules)
    return f"module {TOP} ({', '.join(ports)});\n{places}\nendmodule\n"


def _place(module: str, text: str) -> str:
    header = re.search(rf"^module {module}\((.*?)\);", text, re.MULTILINE | re.DOTALL)
    if header is None:
        raise ValueError(f"{module} is not in the netlist")
    ports = (port.strip() for port in header[1].split(","))
    connections = ", ".join(f".{port}({module if port == 'result' else port})" for port in ports)
    return f"  {module} {module}_alone ({connections});"


@cache
def _vectors(case: str) -> list[tuple[Words, np.ndarray]]:
    """Operands, and what is due: those of the datapath tests."""
    expected, some = test_datapaths.CASES[case].expected, [operands(test_datapaths.CASES[case].num_operands)]
    if case in test_datapaths.SIGNIFICANDS:
        some.append((test_datapaths.some_significands(case),))
    return [(words, expected(*words)) for words in some]


def _inputs(simulation: Mutant, one: Placed, words: Words) -> np.ndarray:
    """Operands of an instruction, one a cycle; flags are the lowest bit of c, as in the datapath tests."""
    inputs = simulation.blank(len(words[0]) + one.cycles)
    for name, column in zip(test_datapaths.OPERANDS, words, strict=False):
        simulation.column(inputs, name)[: len(column), 0] = column.view(np.uint32)
    for name in ("opcode", "chosen"):
        simulation.column(inputs, name)[:] = OPCODES[one.mnemonic]
    for name in ("upper", "joins"):
        simulation.column(inputs, name)[:] = simulation.column(inputs, "c") & 1
    return inputs


def results(design: Mutated, one: Placed, number: int, words: Words) -> np.ndarray:
    """What an instruction in a module makes of operands, with the mutant of this number on."""
    simulation = Mutant(design, number)
    outputs = simulation.column(simulation.step(_inputs(simulation, one, words)), one.module)
    return outputs[one.cycles - 1 :, 0].view(np.int32)[: len(words[0])]


def check(design: Mutated, one: Placed, number: int) -> None:
    """An instruction in a module equals the contract with the mutant of this number on; AssertionError if not."""
    for words, expected in _vectors(one.case):
        num_wrong = np.count_nonzero(results(design, one, number, words) != expected)
        assert not num_wrong, f"{one.module}, {one.mnemonic}: {num_wrong} of {len(expected)} results differ"
