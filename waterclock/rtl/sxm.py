"""The SXM: lanes moved in ways that are no exclusive or. An instruction fetches its operands in its issue cycle.

`DATAPATHS` gives each instruction as a function of two vectors of words, as lists of lanes, and an amount.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from waterclock.chip import Chip
from waterclock.isa.table import OPCODES, Area, Width
from waterclock.rtl.clock import DATAPATH, place_while_active
from waterclock.rtl.entry import any_of, is_opcode, issue_layout, issuing
from waterclock.rtl.load import LoadBus
from waterclock.rtl.pipeline import delay, latency_of, registered
from waterclock.rtl.streams import (
    BYTES_PER_WORD,
    WORD_BITS,
    arrival_layout,
    lanes_of,
    operands_layout,
    plane,
    vector_bits,
)

FETCH_CYCLES = 1
Lanes = Sequence[Value]
Movement = Callable[[Lanes, Lanes, Value], Lanes]


def _rotate(a: Lanes, b: Lanes, amount: Value) -> Lanes:
    """Lane i takes lane i + amount, modulo the lanes: a rotation by 1, 2, 4 .. for each bit that is set."""
    for log2 in range((len(a) - 1).bit_length()):
        a = [Mux(amount[log2], a[(lane + (1 << log2)) % len(a)], a[lane]) for lane in range(len(a))]
    return a


def _permute(a: Lanes, b: Lanes, amount: Value) -> Lanes:
    bits = (len(a) - 1).bit_length()
    return [Mux(index[bits:].any(), 0, Array(a)[index[:bits]])[:WORD_BITS] for index in b]


def _broadcast(a: Lanes, b: Lanes, amount: Value) -> Lanes:
    return [Array(a)[amount[: (len(a) - 1).bit_length()]]] * len(a)


def _mask(a: Lanes, b: Lanes, amount: Value) -> Lanes:
    return [Mux(lane < amount, word, 0) for lane, word in enumerate(a)]


def _transpose(a: Lanes, b: Lanes, amount: Value) -> Lanes:
    """Byte s of lane 4b + l is byte l of lane 4b + s."""
    blocks = [Cat(*a[first : first + BYTES_PER_WORD]) for first in range(0, len(a), BYTES_PER_WORD)]
    return [word for block in blocks for word in (plane(block, byte) for byte in range(BYTES_PER_WORD))]


DATAPATHS: Mapping[str, Movement] = MappingProxyType({
    "sxm.rotate": _rotate,
    "sxm.permute": _permute,
    "sxm.broadcast": _broadcast,
    "sxm.mask": _mask,
    "sxm.transpose": _transpose,
})  # fmt: skip
MNEMONICS = issuing(Area.SXM, DATAPATHS)


class Sxm(wiring.Component):
    """An SXM slice."""

    num_results = 1

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        super().__init__({
            "load": In(LoadBus()),
            "issues": In(issue_layout(MNEMONICS)).array(1),
            "found": In(operands_layout(chip, issue_layout(MNEMONICS))).array(1),
            "arrivals": Out(arrival_layout(chip.lanes)).array(self.num_results),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        latency = latency_of(MNEMONICS[0], self.chip)
        place_while_active(m, platform, DATAPATH, self._datapath(), self.issues[0].valid, latency)
        return m

    def _datapath(self) -> Module:
        m = Module()
        issue = self.issues[0]
        kept = ("valid", "opcode", "address", "result.direction", "result.stream")
        found = {name: self.found[0][name] for name in ("a", "b")}
        operands = registered(m, "fetch", {name: issue[name] for name in kept} | found)
        a, b = lanes_of(operands["a"], WORD_BITS), lanes_of(operands["b"], WORD_BITS)
        value = Signal(vector_bits(self.chip, Width.WORD))
        with m.Switch(operands["opcode"]):
            for mnemonic, move in DATAPATHS.items():
                with m.Case(OPCODES[mnemonic]):
                    m.d.comb += value.eq(Cat(*move(a, b, operands["address"])))
        ours = any_of(is_opcode(operands["opcode"], mnemonic) for mnemonic in MNEMONICS)
        moved = {"value": value, "valid": operands["valid"] & ours}
        moved |= {name: operands[f"result.{name}"] for name in ("direction", "stream")}
        self._arrive(m, delay(m, "moved", moved, latency_of(MNEMONICS[0], self.chip) - FETCH_CYCLES - 1))
        return m

    def _arrive(self, m: Module, moved: Mapping[str, Value]) -> None:
        arrival = self.arrivals[0]
        m.d.comb += [arrival[name].eq(value) for name, value in moved.items()]
        m.d.comb += arrival.is_word.eq(1)
