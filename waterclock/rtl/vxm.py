"""The VXM: ALUs that share holds and streams. An instruction fetches its operands in its issue cycle.

`DATAPATHS` gives one lane of each instruction as steps from values a, b, c to `result`; the cycles that the instruction
table grants after the fetch are shared out among the steps. Instructions of one latency meet in one result port.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from waterclock.chip import Chip
from waterclock.isa.record import OperandKind
from waterclock.isa.table import Area, Width
from waterclock.rtl import fp32
from waterclock.rtl.entry import is_opcode, issue_layout, issuing
from waterclock.rtl.load import LoadBus
from waterclock.rtl.pipeline import Step, Values, chain, delay, latency_of, registered, wire
from waterclock.rtl.streams import WORD_BITS, arrival_layout, lanes_of, operand, streams_layout, vector_bits

FETCH_CYCLES = 1
DATAPATHS: Mapping[str, tuple[Step, ...]] = MappingProxyType({"vxm.add": fp32.ADD, "vxm.sub": fp32.SUBTRACT})
MNEMONICS = issuing(Area.VXM, DATAPATHS)
OPERANDS = ("a", "b")
TRAVELS = ("valid", "opcode", "result.direction", "result.stream", "result.hold")
"""What goes along with the operands to the result."""

LANE = wiring.Signature({"a": In(WORD_BITS), "b": In(WORD_BITS), "result": Out(WORD_BITS)})


class Lane(wiring.Component):
    """One lane of one instruction: operands of this cycle in, the result `cycles` - 1 cycles later."""

    def __init__(self, steps: Sequence[Step], cycles: int) -> None:
        self.steps, self.cycles = steps, cycles
        super().__init__(LANE)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        out = chain(m, "step", self.steps, self.cycles, {"a": self.a, "b": self.b})
        m.d.comb += self.result.eq(out["result"])
        return m


class Vxm(wiring.Component):
    """The VXM with all its ALUs."""

    def __init__(self, chip: Chip, target: int) -> None:
        self.chip = chip
        self.mnemonics_by_latency = self._by_latency()
        self.num_results = chip.vxm.num_alus * len(self.mnemonics_by_latency)
        super().__init__({
            "load": In(LoadBus()),
            "issues": In(issue_layout(MNEMONICS)).array(chip.vxm.num_alus),
            "eastward": In(streams_layout(chip)),
            "westward": In(streams_layout(chip)),
            "arrivals": Out(arrival_layout(chip)).array(self.num_results),
        })  # fmt: skip

    def _by_latency(self) -> dict[int, list[str]]:
        groups: dict[int, list[str]] = {}
        for mnemonic in MNEMONICS:
            groups.setdefault(latency_of(mnemonic, self.chip), []).append(mnemonic)
        return groups

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = vector_bits(self.chip, Width.WORD)
        holds = [Signal(bits, name=f"hold_{number}") for number in range(self.chip.vxm.num_holds)]
        ports = iter(range(self.num_results))
        for alu in range(self.chip.vxm.num_alus):
            issue = self.issues[alu]
            fetched = {name: self._operand(m, f"alu{alu}_{name}", issue, name, holds) for name in OPERANDS}
            fetched |= {name: issue[name] for name in TRAVELS}
            operands = registered(m, f"alu{alu}_fetch", fetched)
            for latency, mnemonics in self.mnemonics_by_latency.items():
                self._compute(m, f"alu{alu}", operands, latency, mnemonics, next(ports), holds)
        return m

    def _operand(self, m: Module, label: str, issue: data.View, name: str, holds: list[Signal]) -> Value:
        """A stream, a hold, or the scalar in every lane; then lane-xor."""
        kind, index = issue[f"{name}.kind"], issue[f"{name}.index"]
        value: Value = operand(m, label, self.eastward, self.westward, kind, index, Width.WORD)
        for number, hold in enumerate(holds):
            value = value | Mux((kind == OperandKind.HOLD) & (index == number), hold, 0)
        is_scalar = (kind == OperandKind.IMMEDIATE) | (kind == OperandKind.PARAM)
        value = value | Mux(is_scalar, issue.scalar.as_unsigned().replicate(self.chip.lanes), 0)
        return self._crossed(wire(m, f"{label}_straight", value), issue[f"{name}.xor"])

    def _crossed(self, value: Value, code: Value) -> Value:
        """Lane i takes lane i ^ k, where the code is 1 + log2 of k, or 0 for straight."""
        lanes = lanes_of(value, WORD_BITS)
        crossed = value
        for log2 in range(self.chip.log2_lanes):
            swapped = Cat(*(lanes[lane ^ 1 << log2] for lane in range(len(lanes))))
            crossed = Mux(code == 1 + log2, swapped, crossed)
        return crossed

    def _compute(
        self, m: Module, name: str, operands: Values, latency: int, mnemonics: list[str], port: int, holds: list[Signal]
    ) -> None:
        """All instructions of one latency: their lanes, and the one result port that they share."""
        cycles = latency - FETCH_CYCLES
        along = delay(m, f"{name}_along_{latency}", {key: operands[key] for key in TRAVELS}, cycles - 1)
        value: Value | int = 0
        hits: Value | int = 0
        for mnemonic in mnemonics:
            hit = along["valid"] & is_opcode(along["opcode"], mnemonic)
            lanes = self._lanes(m, f"{name}_{mnemonic.replace('.', '_')}", mnemonic, operands, cycles)
            value, hits = value | Mux(hit, Cat(*lanes), 0), hits | hit
        arrival = self.arrivals[port]
        m.d.comb += [
            arrival.valid.eq(hits), arrival.direction.eq(along["result.direction"]),
            arrival.stream.eq(along["result.stream"]), arrival.is_word.eq(1), arrival.value.eq(value),
        ]  # fmt: skip
        for number, hold in enumerate(holds):
            with m.If(arrival.valid & (along["result.hold"] == number + 1)):
                m.d.sync += hold.eq(arrival.value)

    def _lanes(self, m: Module, name: str, mnemonic: str, operands: Values, cycles: int) -> list[Value]:
        results: list[Value] = []
        for number, (a, b) in enumerate(zip(*(lanes_of(operands[key], WORD_BITS) for key in OPERANDS), strict=True)):
            m.submodules[f"{name}_{number}"] = lane = Lane(DATAPATHS[mnemonic], cycles)
            m.d.comb += [lane.a.eq(a), lane.b.eq(b)]
            results.append(lane.result)
        return results
