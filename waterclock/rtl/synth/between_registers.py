"""A component alone on an FPGA: registers at its ports, so that every path that is measured begins and ends in one."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class BetweenRegisters(wiring.Component):
    """A component with a register at each bit of its ports.

    Those at its inputs are a chain that `given` fills; those at its outputs are folded into `seen`, a register later.
    So every bit may be anything, nothing is optimised away, and a component of thousands of ports needs two pins. The
    chain inverts at each bit: else a register inside, behind an input, would be taken for the next one of the chain.
    """

    def __init__(self, inner: wiring.Component) -> None:
        self.inner = inner
        super().__init__({"given": In(1), "seen": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = self.inner
        inputs = Cat(*self._ports(wiring.In).values())
        given, caught = Signal(len(inputs), reset_less=True), self._caught(m)
        folded = Signal(len(caught), reset_less=True)
        m.d.comb += [inputs.eq(given), self.seen.eq(folded[-1])]
        m.d.sync += [given.eq(~Cat(self.given, given)), folded.eq(Cat(Const(0, 1), folded) ^ caught)]
        return m

    def _caught(self, m: Module) -> Value:
        """The registers behind the outputs, named after them."""
        caught: list[Value] = []
        for name, port in self._ports(wiring.Out).items():
            register = Signal(len(port), name=f"caught_{name}", reset_less=True)
            m.d.sync += register.eq(port)
            caught.append(register)
        return Cat(*caught)

    def _ports(self, flow: wiring.Flow) -> dict[str, Value]:
        inner: Any = self.inner
        members = inner.signature.flatten(inner)
        return {"__".join(map(str, path)): Value.cast(port) for path, member, port in members if member.flow == flow}
