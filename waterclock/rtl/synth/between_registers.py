"""A component alone on an FPGA: registers at its ports, so that every path that is measured begins and ends in one."""

from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class BetweenRegisters(wiring.Component):
    """A component with a register at each bit of its ports.

    Those at its inputs are a chain that `given` fills; those at its outputs are folded into `seen`, a register later.
    So every bit may be anything, nothing is optimised away, and a component of thousands of ports needs two pins.
    """

    def __init__(self, inner: wiring.Component) -> None:
        self.inner = inner
        super().__init__({"given": In(1), "seen": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = self.inner
        inputs, outputs = (Cat(*self._ports(flow)) for flow in (wiring.In, wiring.Out))
        given = Signal(len(inputs), reset_less=True)
        caught, folded = (Signal(len(outputs), name=name, reset_less=True) for name in ("caught", "folded"))
        m.d.comb += [inputs.eq(given), self.seen.eq(folded[-1])]
        m.d.sync += [given.eq(Cat(self.given, given)), caught.eq(outputs), folded.eq(Cat(0, folded) ^ caught)]
        return m

    def _ports(self, flow: wiring.Flow) -> list[Value]:
        inner: Any = self.inner
        return [Value.cast(port) for _, member, port in inner.signature.flatten(inner) if member.flow == flow]
