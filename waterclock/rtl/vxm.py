"""The VXM: ALUs that share holds and streams. An instruction fetches its operands in its issue cycle; its lanes take
the cycles that the instruction table grants after that. Instructions of one latency meet in one result port.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from waterclock.chip import Chip
from waterclock.isa.record import OPERAND_NAMES, OperandKind
from waterclock.isa.table import INSTRUCTIONS, Area, Width
from waterclock.isa.validate import alus_of
from waterclock.rtl.clock import gate_clock
from waterclock.rtl.entry import any_of, is_opcode, issue_layout, issuing
from waterclock.rtl.lane import DATAPATHS, HALVINGS, Halving, Lane, label
from waterclock.rtl.load import LoadBus
from waterclock.rtl.parts import place
from waterclock.rtl.pipeline import Values, delay, delays, latency_of, registered, wire
from waterclock.rtl.streams import (
    WORD_BITS,
    arrival_layout,
    byte_of,
    lanes_of,
    of_lanes,
    operands_layout,
    superlanes,
    vector_bits,
    widened,
)

FETCH_CYCLES = 1
MNEMONICS = issuing(Area.VXM, {**DATAPATHS, **HALVINGS})
TRAVELS = ("opcode", "result.direction", "result.stream", "result.hold")
"""What goes along with the operands to the result."""
FETCH = "fetch"
"""The clock domain of the operands."""
HOLD_BITS = issue_layout(MNEMONICS)["result.hold"].width


def executed_by(chip: Chip, alu: int) -> tuple[str, ...]:
    """The instructions that an ALU executes."""
    return tuple(name for name in MNEMONICS if alu in alus_of(INSTRUCTIONS[name].unit, chip))


def mnemonics_by_port(chip: Chip) -> list[list[str]]:
    """The instructions whose results come out of each port of the VXM."""
    alus = (executed_by(chip, alu) for alu in range(chip.vxm.num_alus))
    return [mnemonics for executed in alus for mnemonics in _by_latency(chip, executed).values()]


def _by_latency(chip: Chip, mnemonics: Iterable[str]) -> dict[int, list[str]]:
    groups: dict[int, list[str]] = {}
    for mnemonic in mnemonics:
        groups.setdefault(latency_of(mnemonic, chip), []).append(mnemonic)
    return groups


def crossed(m: Module, name: str, value: Value, code: Value) -> Value:
    """Lane i takes lane i ^ k, where the code is 1 + log2 of k, or 0 for straight."""
    lanes, found = lanes_of(value, WORD_BITS), Signal(value.shape(), name=name)
    with m.Switch(code):
        for log2 in range((len(lanes) - 1).bit_length()):
            with m.Case(1 + log2):
                m.d.comb += found.eq(Cat(*(lanes[lane ^ 1 << log2] for lane in range(len(lanes)))))
        with m.Default():
            m.d.comb += found.eq(value)
    return found


class Alu(wiring.Component):
    """An ALU that executes these instructions. A result goes to streams, and to the hold `to_hold` - 1 if not 0.

    The operands take a clock edge where there is an issue, the lanes of a latency where something is under way in them.
    """

    def __init__(self, chip: Chip, mnemonics: tuple[str, ...]) -> None:
        self.chip, self.mnemonics = chip, mnemonics
        self.mnemonics_by_latency = _by_latency(chip, mnemonics)
        self.num_results = len(self.mnemonics_by_latency)
        super().__init__({
            "issue": In(issue_layout(MNEMONICS)),
            "found": In(operands_layout(chip, issue_layout(MNEMONICS))),
            "holds": In(holds_layout(chip)),
            "arrivals": Out(arrival_layout(chip.lanes)).array(self.num_results),
            "to_hold": Out(HOLD_BITS).array(self.num_results),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        gate_clock(m, platform, FETCH, ~self.issue.valid)
        operands = registered(m, FETCH, self._fetched(m), FETCH)
        for port, (latency, mnemonics) in enumerate(self.mnemonics_by_latency.items()):
            ours = any_of(is_opcode(self.issue.opcode, mnemonic) for mnemonic in mnemonics)
            along = delays(m, f"along_{latency}", self._along(self.issue.valid & ours), latency - 1)
            busy = any_of(stage["valid"] for stage in along[FETCH_CYCLES:-1])
            domain = f"after_{latency}"
            if latency > 1 + FETCH_CYCLES:  # else there is no register behind the operands
                gate_clock(m, platform, domain, ~busy)
            value = self._result(m, platform, mnemonics, operands, along[-1]["opcode"], domain)
            self._arrive(m, port, along[-1], mnemonics, value)
        return m

    def _along(self, valid: Value) -> Values:
        return {"valid": valid, **{name: self.issue[name] for name in TRAVELS}}

    def _fetched(self, m: Module) -> Values:
        """The operands in all lanes. Lane i of a butterfly has lane i ^ k of a as its b."""
        issue = self.issue
        fetched = {name: self._operand(m, name) for name in OPERAND_NAMES}
        with m.If(is_opcode(issue.opcode, "vxm.butterfly")):
            m.d.comb += fetched["b"].eq(crossed(m, "partner", fetched["a"], issue.mask))
        upper = Cat(*(_is_upper(lane, issue.mask) for lane in range(self.chip.lanes)))
        return {**fetched, "upper": upper, "opcode": issue.opcode, "segment": issue.segment}

    def _operand(self, m: Module, name: str) -> Signal:
        """A stream, a byte stream in the low bytes, a hold, or the scalar in every lane; then lane-xor."""
        index, kind = self.issue[f"{name}.index"], self.issue[f"{name}.kind"]
        kind = wire(m, f"{name}_kind", Mux(self.issue.valid, kind, OperandKind.NONE))
        straight = Signal(vector_bits(self.chip, Width.WORD), name=f"{name}_straight")
        m.d.comb += straight.eq(self._from_streams(name, index))
        with m.If(kind == OperandKind.HOLD), m.Switch(index):
            for number in range(self.chip.vxm.num_holds):
                with m.Case(number):
                    m.d.comb += straight.eq(self.holds[number])
        with m.If((kind == OperandKind.IMMEDIATE) | (kind == OperandKind.PARAM)):
            m.d.comb += straight.eq(self.issue.scalar.as_unsigned().replicate(self.chip.lanes))
        return wire(m, name, crossed(m, f"{name}_crossed", straight, self.issue[f"{name}.xor"]))

    def _from_streams(self, name: str, index: Value) -> Value:
        """The words of a group of streams; where a mnemonic takes a byte operand, the bytes of its own stream."""
        words = self.found[name]
        fields = (row for row in (INSTRUCTIONS[mnemonic].field(name) for mnemonic in self.mnemonics) if row)
        if all(field.width is Width.WORD for field in fields):
            return words
        is_byte = any_of(
            is_opcode(self.issue.opcode, mnemonic)
            for mnemonic in self.mnemonics
            if (field := INSTRUCTIONS[mnemonic].field(name)) and field.width is Width.BYTE
        )
        return Mux(is_byte, widened(byte_of(words, index)), words)

    def _result(
        self, m: Module, platform: object, mnemonics: list[str], operands: Values, chosen: Value, domain: str
    ) -> Value:
        """The result of instructions of one latency in its last cycle, where the opcode is `chosen`."""
        laned = tuple(name for name in mnemonics if name not in HALVINGS)
        value = self._lanes(m, platform, laned, operands, chosen, domain) if laned else Const(0)
        for name in mnemonics:
            if name in HALVINGS:
                value = Mux(is_opcode(chosen, name), self._reduced(m, platform, name, operands, domain), value)
        return value

    def _lanes(
        self, m: Module, platform: object, mnemonics: tuple[str, ...], operands: Values, chosen: Value, domain: str
    ) -> Value:
        """The result of instructions that work lane by lane."""
        cycles = latency_of(mnemonics[0], self.chip) - FETCH_CYCLES
        vectors = {name: lanes_of(operands[name], WORD_BITS) for name in OPERAND_NAMES}
        results: list[Value] = []
        for number in range(self.chip.lanes):
            lane = place(m, platform, f"lane_{number}_after_{cycles}", Lane, mnemonics, cycles, domain=domain)
            m.d.comb += [getattr(lane, name).eq(vector[number]) for name, vector in vectors.items()]
            m.d.comb += [
                lane.opcode.eq(operands["opcode"]), lane.chosen.eq(chosen), lane.lane.eq(number),
                lane.upper.eq(operands["upper"][number]),
            ]  # fmt: skip
            results.append(lane.result)
        return Cat(*results)

    def _reduced(self, m: Module, platform: object, mnemonic: str, operands: Values, domain: str) -> Value:
        """Halvings one after another, from lanes half the vector apart to neighbours, the last without a register."""
        cycles = (latency_of(mnemonic, self.chip) - FETCH_CYCLES) // self.chip.log2_lanes
        values = {"vector": operands["a"], "segment": operands["segment"]}
        for log2 in reversed(range(self.chip.log2_lanes)):
            name = f"{label(mnemonic)}_{1 << log2}"
            lanes = lanes_of(values["vector"], WORD_BITS)
            results: list[Value] = []
            for number, a in enumerate(lanes):
                half = place(m, platform, f"{name}_lane_{number}", Halving, mnemonic, cycles, domain=domain)
                joins = values["segment"] > 1 + log2
                m.d.comb += [half.a.eq(a), half.b.eq(lanes[number ^ 1 << log2]), half.joins.eq(joins)]
                results.append(half.result)
            late = delay(m, name, {"segment": values["segment"]}, cycles - 1, domain)
            values = {"vector": Cat(*results), **late}
            if log2:
                values = registered(m, f"{name}_done", values, domain)
        return values["vector"]

    def _arrive(self, m: Module, port: int, along: Values, mnemonics: Sequence[str], value: Value) -> None:
        arrival = self.arrivals[port]
        is_byte = any_of(is_opcode(along["opcode"], name) for name in mnemonics if _is_byte(name))
        m.d.comb += [
            arrival.valid.eq(along["valid"]), arrival.direction.eq(along["result.direction"]), arrival.value.eq(value),
            arrival.stream.eq(along["result.stream"]), arrival.is_word.eq(~is_byte),
            self.to_hold[port].eq(Mux(along["valid"], along["result.hold"], 0)),
        ]  # fmt: skip


def _is_upper(lane: int, code: Value) -> Value:
    """Whether the lane is the upper one of its pair, where the code is 1 + log2 of their distance."""
    return any_of(code == 1 + log2 for log2 in range(lane.bit_length()) if lane >> log2 & 1)


def _is_byte(mnemonic: str) -> bool:
    result = INSTRUCTIONS[mnemonic].result
    return result is not None and result.width is Width.BYTE


def holds_layout(chip: Chip) -> data.ArrayLayout:
    """All hold registers."""
    return data.ArrayLayout(vector_bits(chip, Width.WORD), chip.vxm.num_holds)


class Holds(wiring.Component):
    """The hold registers of some lanes, of which `arrives` says which take a new value at the end of a cycle.

    The value at port n goes to the hold `to_hold[n]` - 1 if not 0.
    """

    dissolves = True

    def __init__(self, lanes: int, num_holds: int, num_ports: int) -> None:
        vector = lanes * WORD_BITS
        super().__init__({
            "values": In(vector).array(num_ports), "to_hold": In(HOLD_BITS).array(num_ports),
            "holds": Out(data.ArrayLayout(vector, num_holds)), "arrives": Out(num_holds),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for value, to_hold in zip(self.values, self.to_hold, strict=True):
            self._arrive(m, value, to_hold)
        return m

    def _arrive(self, m: Module, value: Value, to_hold: Value) -> None:
        with m.Switch(to_hold):
            for number in range(len(self.holds)):
                with m.Case(1 + number):
                    m.d.sync += self.holds[number].eq(value)
                    m.d.comb += self.arrives[number].eq(1)


class Vxm(wiring.Component):
    """The VXM with all its ALUs. Hold n takes a new value at the end of a cycle in which `hold_arrives[n]` is set."""

    def __init__(self, chip: Chip, mnemonics: Sequence[tuple[str, ...]] = ()) -> None:
        """`mnemonics` says what each ALU executes where that is not what the chip says."""
        self.chip = chip
        self.mnemonics = mnemonics or [executed_by(chip, alu) for alu in range(chip.vxm.num_alus)]
        self.num_results = sum(len(_by_latency(chip, executed)) for executed in self.mnemonics)
        super().__init__({
            "load": In(LoadBus()),
            "issues": In(issue_layout(MNEMONICS)).array(chip.vxm.num_alus),
            "found": In(operands_layout(chip, issue_layout(MNEMONICS))).array(chip.vxm.num_alus),
            "arrivals": Out(arrival_layout(chip.lanes)).array(self.num_results),
            "holds": Out(holds_layout(chip)),
            "hold_arrives": Out(chip.vxm.num_holds),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        arrivals, to_hold = list[data.View](), list[Value]()
        for number, mnemonics in enumerate(self.mnemonics):
            alu = place(m, platform, f"alu{number}", Alu, self.chip, mnemonics)
            m.d.comb += [
                alu.issue.eq(self.issues[number]), alu.found.eq(self.found[number]), alu.holds.eq(self.holds),
            ]  # fmt: skip
            arrivals += alu.arrivals
            to_hold += alu.to_hold
        m.d.comb += [port.eq(arrival) for port, arrival in zip(self.arrivals, arrivals, strict=True)]
        self._hold(m, platform, arrivals, to_hold)
        return m

    def _hold(self, m: Module, platform: object, arrivals: Sequence[data.View], to_hold: Sequence[Value]) -> None:
        """The hold registers, superlane by superlane, and what comes to them."""
        placed: list[Any] = []
        for lanes in superlanes(self.chip.lanes):
            holds = self.chip.vxm.num_holds
            here = place(m, platform, f"holds_{lanes.start}", Holds, len(lanes), holds, self.num_results)
            values = (of_lanes(arrival.value, lanes, WORD_BITS) for arrival in arrivals)
            m.d.comb += [port.eq(value) for port, value in zip(here.values, values, strict=True)]
            m.d.comb += [port.eq(code) for port, code in zip(here.to_hold, to_hold, strict=True)]
            placed.append(here)
        for number, hold in enumerate(self.holds):
            m.d.comb += hold.eq(Cat(*(here.holds[number] for here in placed)))
        m.d.comb += self.hold_arrives.eq(placed[0].arrives)
