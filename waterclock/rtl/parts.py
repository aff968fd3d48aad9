"""Parts: components that a design has many of, each made into Verilog once and placed as often as it is needed."""

import re
import warnings
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from amaranth.back import verilog
from amaranth.hdl import ClockDomain, ClockSignal, Instance, Module, ResetSignal, UnusedElaboratable, Value
from amaranth.lib import wiring

from waterclock.errors import InputError, WaterclockError

CLOCK, RESET = "clk", "rst"
MAX_BITS = (1 << 16) - 4
"""Of the inputs of a module, of its outputs, and of one value: Amaranth numbers them with 16 bits, inputs from 2 on;
clock and reset are two of those."""
LONG_LINE, SPACE_IN_LINE = 2_000, re.compile(r"(.{100}\S*) ")
"""Verilator takes at most 40,000 words on a line: longer lines than these characters are broken at spaces."""


@dataclass(frozen=True)
class Part:
    """A component as a Verilog module: its name, its ports, which of clock and reset it has, and whether its places
    should share its code in a simulation: not if it moves much and computes little (a component says `dissolves`)."""

    module: str
    signature: wiring.Signature
    clocking: tuple[str, ...]
    is_shared: bool


class Parts:
    """The Verilog of the parts of a design, collected while it is elaborated: what Amaranth calls a platform."""

    def __init__(self) -> None:
        self._verilog_by_name: dict[str, str] = {}
        self._part_by_key: dict[Hashable, Part] = {}
        self._num_places: Counter[str] = Counter()

    @property
    def verilog(self) -> str:
        """Every module, those that others are made of first."""
        return "\n".join(self._verilog_by_name.values())

    @property
    def shared(self) -> tuple[Part, ...]:
        """The components that are placed more than once, but for those that are quicker where they are placed."""
        parts = self._part_by_key.values()
        return tuple(part for part in parts if part.is_shared and self._num_places[part.module] > 1)

    def add(self, name: str, source: str) -> None:
        """Have a module that is written in Verilog."""
        self._verilog_by_name[name] = source

    def module_text(self, component: wiring.Component, name: str) -> str:
        """The Verilog of a component that is placed as it is; its parts are added. Resets are asynchronous: a
        synchronous one would be an operand of every next state. WaterclockError where Yosys fails, on a full disk."""
        try:
            text = verilog.convert(component, name, self, emit_src=False, missing_domain=_domain)
        except BaseException as error:
            # What was begun stays unused, of which Amaranth would warn beside the error, or beside an interrupt.
            warnings.simplefilter("ignore", UnusedElaboratable)
            if isinstance(error, verilog.YosysError):
                raise WaterclockError(f"Yosys failed: {str(error).strip().splitlines()[-1]}") from error
            raise
        return "".join(_broken(line) for line in text.splitlines(keepends=True))

    def part(self, make: Callable[..., wiring.Component], arguments: tuple[Hashable, ...]) -> Part:
        """The component `make(*arguments)` as a module, which is made only once, for one more place."""
        key = (make, arguments)
        if key not in self._part_by_key:
            component = make(*arguments)
            kind = type(component).__name__.lower()
            number = sum(part.module.startswith(f"{kind}_") for part in self._part_by_key.values())
            name = f"{kind}_{number}"
            _check_ports(name, component)
            text = self.module_text(component, name)
            clocking = tuple(port for port in (CLOCK, RESET) if f"\n  input {port};" in text)
            self.add(name, text)
            dissolves = getattr(component, "dissolves", False)
            self._part_by_key[key] = Part(name, component.signature, clocking, not dissolves)
        part = self._part_by_key[key]
        self._num_places[part.module] += 1
        return part


def _broken(line: str) -> str:
    return SPACE_IN_LINE.sub(r"\1\n", line) if len(line) > LONG_LINE else line


def check_bits(what: str, bits: int) -> None:
    """InputError where something would have more bits than can be made."""
    if bits > MAX_BITS:
        raise InputError(
            f"the chip is too large for the RTL: {what} of {bits:,} bits, at most {MAX_BITS:,} can be made"
        )


def _check_ports(name: str, component: wiring.Component) -> None:
    bits_by_flow: Counter[wiring.Flow] = Counter()
    for _, port, value in component.signature.flatten(component):
        bits_by_flow[port.flow] += len(Value.cast(value))
    for flow, ways in ((wiring.In, "inputs"), (wiring.Out, "outputs")):
        check_bits(f"module {name} would have {ways}", bits_by_flow[flow])


def _domain(name: str) -> ClockDomain:
    return ClockDomain(name, async_reset=True)


def parts_of(platform: object) -> Parts:
    """The parts of the design that is being elaborated; TypeError where it is elaborated without any."""
    if not isinstance(platform, Parts):
        raise TypeError("elaborate with Parts as the platform")
    return platform


def place(
    m: Module,
    platform: object,
    name: str,
    make: Callable[..., wiring.Component],
    *arguments: Hashable,
    domain: str = "sync",
) -> Any:
    """Place the component `make(*arguments)`, clocked by a domain; the answer has its ports."""
    part = parts_of(platform).part(make, arguments)
    ports: Any = part.signature.create(path=(name,))
    connections: list[tuple[str, str, Value]] = []
    for path, member, value in part.signature.flatten(ports):
        way = "i" if member.flow == wiring.In else "o"
        connections.append((way, "__".join(map(str, path)), Value.cast(value)))
    signal_by_port = {CLOCK: ClockSignal(domain), RESET: ResetSignal(domain)}
    connections += [("i", port, signal_by_port[port]) for port in part.clocking]
    m.submodules[name] = Instance(part.module, *connections)
    return ports
