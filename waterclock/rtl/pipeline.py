"""Pipelines: how the steps of a datapath are spread over the cycles that the instruction table grants."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from amaranth.hdl import Module, Signal, Value

from waterclock.chip import Chip
from waterclock.isa.table import INSTRUCTIONS

Values = Mapping[str, Value]
Step = Callable[[Module, Values], Values]
"""A piece of combinational logic of a module: named values in, named values out, those that pass untouched included."""


@dataclass(frozen=True)
class Prepared:
    """A step behind wiring that makes its values: datapaths that differ in that alone can share everything else."""

    prepare: Callable[[Values], Values]
    step: Step

    def __call__(self, m: Module, values: Values) -> Values:
        return self.step(m, self.prepare(values))


def latency_of(mnemonic: str, chip: Chip) -> int:
    """Cycles from the issue of an instruction that has a result to its arrival."""
    latency = INSTRUCTIONS[mnemonic].latency
    if latency is None:
        raise ValueError(f"{mnemonic} has no result")
    return latency(chip)


def pack(steps: Sequence[Step], cycles: int) -> list[list[Step]]:
    """The steps in `cycles` groups, in order, as even as can be; groups are empty where there are more cycles."""
    if cycles < 1:
        raise ValueError("a datapath takes at least one cycle")
    bounds = [len(steps) * cycle // cycles for cycle in range(cycles + 1)]
    return [list(steps[low:high]) for low, high in pairwise(bounds)]


def chain(m: Module, name: str, steps: Sequence[Step], cycles: int, values: Values) -> Values:
    """The steps over `cycles` cycles: values of this cycle in, and out in the last of them.

    There are `cycles` - 1 registers on the way; the one after the last cycle is the caller's.
    """
    groups = pack(steps, cycles)
    for number, group in enumerate(groups):
        for step in group:
            values = step(m, values)
        if number < len(groups) - 1:
            values = registered(m, f"{name}_{number + 1}", values)
    return values


def wire(m: Module, name: str, value: Value) -> Signal:
    """The value as a signal of its own, built once however often it is used."""
    named = Signal(value.shape(), name=name)
    m.d.comb += named.eq(value)
    return named


def registered(m: Module, name: str, values: Values, domain: str = "sync") -> Values:
    """The values, one cycle later. They are not reset: a reset lasts until what was under way has run out."""
    later = {key: Signal(value.shape(), name=f"{name}_{key}", reset_less=True) for key, value in values.items()}
    m.d[domain] += [later[key].eq(value) for key, value in values.items()]
    return later


def delay(m: Module, name: str, values: Values, cycles: int, domain: str = "sync") -> Values:
    """The values, `cycles` cycles later."""
    return delays(m, name, values, cycles, domain)[-1]


def delays(m: Module, name: str, values: Values, cycles: int, domain: str = "sync") -> list[Values]:
    """The values, 0 to `cycles` cycles later."""
    found = [values]
    for cycle in range(1, cycles + 1):
        found.append(registered(m, f"{name}_{cycle}", found[-1], domain))
    return found
