"""One lane of the VXM: a module for all its instructions of one latency, and one for each halving of a reduction.

`DATAPATHS` gives one lane of each instruction as steps from the values a, b, c, the number of the lane and whether it
is the upper one of a pair to `result`; the cycles that the instruction table grants after the fetch are shared out
among the steps. `HALVINGS` gives one halving of each reduction.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from amaranth.hdl import Module, Mux, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from waterclock.isa.layout import OPCODE_BITS
from waterclock.isa.record import OPERAND_NAMES
from waterclock.isa.table import OPCODES
from waterclock.rtl import across_lanes, convert, fp32, fp32_mul, simple, special
from waterclock.rtl.entry import is_opcode
from waterclock.rtl.pipeline import Prepared, Step, Values, chain, wire
from waterclock.rtl.streams import WORD_BITS

DATAPATHS: Mapping[str, tuple[Step, ...]] = MappingProxyType({
    **fp32.DATAPATHS, **fp32_mul.DATAPATHS, **simple.DATAPATHS, **across_lanes.DATAPATHS, **special.DATAPATHS,
    **convert.DATAPATHS,
})  # fmt: skip
HALVINGS = across_lanes.HALVINGS
LANE_BITS = {"opcode": OPCODE_BITS, **dict.fromkeys(OPERAND_NAMES, WORD_BITS), "lane": WORD_BITS, "upper": 1}
"""What a lane is given in the first cycle after the fetch."""


class Lane(wiring.Component):
    """One lane of instructions of one latency, `cycles` after the fetch: `chosen` is the opcode in the last of them.

    Instructions whose steps differ only in how their values are prepared share them.
    """

    def __init__(self, mnemonics: tuple[str, ...], cycles: int) -> None:
        self.mnemonics, self.cycles = mnemonics, cycles
        inputs = {name: In(bits) for name, bits in LANE_BITS.items()}
        super().__init__({**inputs, "chosen": In(OPCODE_BITS), "result": Out(WORD_BITS)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        results: dict[str, Value] = {}
        for mnemonics in _sharing(self.mnemonics):
            m.submodules[label(mnemonics[0])] = inner = Module()
            steps = _bare(DATAPATHS[mnemonics[0]])
            out = chain(inner, "step", steps, self.cycles, self._prepared(inner, mnemonics))
            results |= dict.fromkeys(mnemonics, out["result"])
        with m.Switch(self.chosen):
            for mnemonic, result in results.items():
                with m.Case(OPCODES[mnemonic]):
                    m.d.comb += self.result.eq(result)
        return m

    def _prepared(self, m: Module, mnemonics: Sequence[str]) -> Values:
        """The values of the steps that these instructions share."""
        given = {name: getattr(self, name) for name in LANE_BITS}
        first, *others = (_prepared(DATAPATHS[mnemonic], given) for mnemonic in mnemonics)
        if not others:
            return first
        values = dict(first)
        for mnemonic, other in zip(mnemonics[1:], others, strict=True):
            hit = is_opcode(self.opcode, mnemonic)
            values |= {name: Mux(hit, other[name], values[name]) for name in other}
        return {name: wire(m, f"shared_{name}", values[name]) for name in OPERAND_NAMES if name in values}


def _bare(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps without the preparation of the first."""
    first = steps[0]
    return (first.step if isinstance(first, Prepared) else first, *steps[1:])


def _prepared(steps: Sequence[Step], values: Values) -> Values:
    first = steps[0]
    return first.prepare(values) if isinstance(first, Prepared) else values


def _sharing(mnemonics: Sequence[str]) -> list[list[str]]:
    """The mnemonics in groups of the same steps, but for preparation."""
    groups: dict[tuple[Step, ...], list[str]] = {}
    for mnemonic in mnemonics:
        groups.setdefault(_bare(DATAPATHS[mnemonic]), []).append(mnemonic)
    return list(groups.values())


class Halving(wiring.Component):
    """One lane of one halving of a reduction: a and b combined where it joins lanes of one segment, else a."""

    def __init__(self, mnemonic: str, cycles: int) -> None:
        self.mnemonic, self.cycles = mnemonic, cycles
        super().__init__({"a": In(WORD_BITS), "b": In(WORD_BITS), "joins": In(1), "result": Out(WORD_BITS)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        values = {"a": self.a, "b": self.b, "joins": self.joins}
        m.d.comb += self.result.eq(chain(m, "step", HALVINGS[self.mnemonic], self.cycles, values)["result"])
        return m


def label(mnemonic: str) -> str:
    """The mnemonic as a name in Verilog."""
    return mnemonic.replace(".", "_")
