"""How bugs are planted: one piece of the package stands in for another.

All bugs of the RTL are planted in one design, which is built once: each shows only where it is chosen before the first
cycle, so that the design with none chosen is the one that must be right.
"""

import ctypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import Instance, Module, Mux, Signal, Value

from waterclock.rtl.parts import Parts
from waterclock.rtl.pipeline import Values
from waterclock.rtl.verilated import Design, Simulation

NONE = 0
NUMBER_BITS = 8
MODULE = "planted_bug"
SOURCE = f"""
module {MODULE} (output reg [{NUMBER_BITS - 1}:0] number);
  initial if (!$value$plusargs("bug=%d", number)) number = {NONE};
endmodule
"""
CHOOSE = """
extern "C" uint64_t choose(Simulation* simulation, uint64_t number) {
    const std::string bug = "+bug=" + std::to_string(number);
    const char* arguments[] = {"", bug.c_str()};
    simulation->context.commandArgs(2, arguments);
    return number;
}
"""
"""To be called before the first cycle."""

Chosen = Callable[[Module], Value]
"""Whether a bug is chosen, as a signal of the module that asks."""


@dataclass(frozen=True)
class Bug:
    """`wrong` makes, of the piece `name` of a module or class, what stands there instead."""

    owner: Any
    name: str
    wrong: Callable[[Any], Any]

    def plant(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(self.owner, self.name, self.wrong(getattr(self.owner, self.name)))


@dataclass(frozen=True)
class RtlBug:
    """`wrong` makes, of a piece of the RTL, one that does something else where the bug is chosen."""

    owner: Any
    name: str
    wrong: Callable[[Any, Chosen], Any]

    def numbered(self, number: int) -> Bug:
        return Bug(self.owner, self.name, lambda right: self.wrong(right, lambda m: _is_chosen(m, number)))


def _is_chosen(m: Module, number: int) -> Value:
    chosen = Signal(NUMBER_BITS, name=f"bug_{number}")
    m.submodules += Instance(MODULE, o_number=chosen)
    return chosen == number


def either(chosen: Value, wrong: Values, right: Values) -> Values:
    """The right values; where the bug is chosen, the wrong ones as far as there are any."""
    return {**right, **{name: _like(right[name], Mux(chosen, value, right[name])) for name, value in wrong.items()}}


def _like(value: Value, other: Value) -> Value:
    """The other value in the shape of the first."""
    bits = other[: len(value)]
    return bits.as_signed() if value.shape().signed else bits


@dataclass(frozen=True)
class PlantedDesign(Design):
    """A design in which these bugs are planted, numbered from 1."""

    bugs: tuple[RtlBug, ...] = ()

    def elaborated(self) -> tuple[str, Parts]:
        with pytest.MonkeyPatch.context() as patch:
            for number, bug in enumerate(self.bugs, NONE + 1):
                bug.numbered(number).plant(patch)
            verilog, parts = super().elaborated()
        return SOURCE + verilog, parts


def simulation_with(bugs: Mapping[str, RtlBug], chosen: str | None, table: Path) -> Callable[[Design], Simulation]:
    """What makes a simulation of a design with all these bugs, one of them or none chosen.

    The library is noted under what these files hold, so never in place of the right one or of an older table's.
    """
    identity = "".join(path.read_text() for path in (Path(__file__), table))
    number = NONE if chosen is None else list(bugs).index(chosen) + 1

    def make(design: Design) -> Simulation:
        given = {field.name: getattr(design, field.name) for field in fields(design)}
        given |= {"identity": f"{design.identity}\0{identity}", "native": design.native + CHOOSE}
        simulation = Simulation(PlantedDesign(**given, bugs=tuple(bugs.values())))
        simulation.native("choose")(ctypes.c_uint64(number))
        return simulation

    return make
