"""The MXM: resident tiles, multipliers, adder trees and accumulators.

An access starts in its issue cycle and holds its bank for `sense_cycles`; then the tile meets the operand, and the
cycles that remain of the latency are shared out: products and tree levels first, the accumulator and the way to the
streams in the last one. SRAM tiles, which take one cycle, are read in the last cycle of a sense, so that all accesses
meet the multipliers at one distance from their issue.
"""

from collections.abc import Mapping
from types import MappingProxyType

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from waterclock.chip import Chip
from waterclock.errors import InputError
from waterclock.isa.table import Area, Width
from waterclock.rtl.entry import issue_layout, issuing
from waterclock.rtl.load import WORD_BITS as LOAD_BITS
from waterclock.rtl.load import LoadBus
from waterclock.rtl.pipeline import Step, Values, chain, delay, latency_of, wire
from waterclock.rtl.streams import BYTE_BITS, WORD_BITS, arrival_layout, lanes_of, operand, streams_layout

ACCUMULATE_CYCLES = 1
WEIGHTS_PER_LOAD = LOAD_BITS // BYTE_BITS


def multiply(m: Module, values: Values) -> Values:
    """The products of one row of the tile with the operand, whose bytes are signed or not."""
    rows, a = lanes_of(values["row"], BYTE_BITS), lanes_of(values["a"], BYTE_BITS)
    signs = ~values["unsigned"]
    products = [w.as_signed() * Cat(x, x[-1] & signs).as_signed() for w, x in zip(rows, a, strict=True)]
    return {f"sum_{lane}": product for lane, product in enumerate(products)}


def halve(m: Module, values: Values) -> Values:
    """One level of the adder tree."""
    half = len(values) // 2
    return {f"sum_{lane}": values[f"sum_{lane}"] + values[f"sum_{lane + half}"] for lane in range(half)}


def dot_product(chip: Chip) -> tuple[Step, ...]:
    """The steps from a row of the tile and the operand to one sum."""
    return (multiply, *[halve] * chip.log2_lanes)


DATAPATHS: Mapping[str, object] = MappingProxyType({"mxm.matvec": dot_product})
MNEMONICS = issuing(Area.MXM, DATAPATHS)
TRAVELS = ("valid", "acc", "first", "emit", "result.direction", "result.stream")
ACCESS = ("sram", "unsigned", "a")


class Row(wiring.Component):
    """One row of multipliers and its adder tree: an output lane."""

    def __init__(self, chip: Chip, cycles: int) -> None:
        self.chip, self.cycles = chip, cycles
        vector = chip.lanes * BYTE_BITS
        super().__init__({"row": In(vector), "a": In(vector), "unsigned": In(1), "total": Out(signed(WORD_BITS))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        values = {"row": self.row, "a": self.a, "unsigned": self.unsigned}
        m.d.comb += self.total.eq(chain(m, "step", dot_product(self.chip), self.cycles, values)["sum_0"])
        return m


class Cells(wiring.Component):
    """Tiles of one kind of cell in banks: a tile is there `cycles` cycles after its access, of whichever bank."""

    def __init__(self, chip: Chip, num_tiles: int, num_banks: int, cycles: int, target: int) -> None:
        if num_banks.bit_count() != 1:
            raise InputError(f"num_banks = {num_banks}: the RTL needs a power of two")
        self.chip, self.num_banks, self.cycles, self.target = chip, num_banks, cycles, target
        self.num_rows = -(-num_tiles // num_banks)
        self.tile_bits = chip.lanes * chip.lanes * BYTE_BITS
        super().__init__({
            "load": In(LoadBus()), "valid": In(1), "tile": In(24), "value": Out(self.tile_bits),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        log2 = self.num_banks.bit_length() - 1
        number = self.tile[:log2]
        latched = delay(m, "bank", {"number": number}, max(1, self.cycles - 1))["number"] if log2 else number
        value: Value | int = 0
        for bank in range(self.num_banks):
            value = value | Mux(latched == bank, self._bank(m, bank, number == bank, self.tile[log2:]), 0)
        if self.cycles > 1:  # sensed over all these cycles, caught at the end of the last
            caught = Signal(self.tile_bits)
            m.d.sync += caught.eq(value)
            value = caught
        m.d.comb += self.value.eq(value)
        return m

    def _bank(self, m: Module, bank: int, chosen: Value, row: Value) -> Value:
        """One bank: it holds what it last read until it is read again."""
        m.submodules[f"bank_{bank}"] = cells = memory.Memory(shape=self.tile_bits, depth=self.num_rows, init=[])
        read, write = cells.read_port(), cells.write_port(granularity=LOAD_BITS)
        loads = self.load.valid & (self.load.target == self.target)
        log2 = self.num_banks.bit_length() - 1
        loads = loads & (self.load.row[:log2] == bank)
        words = self.tile_bits // LOAD_BITS
        m.d.comb += [
            read.en.eq(self.valid & chosen), read.addr.eq(row), write.addr.eq(self.load.row[log2:]),
            write.data.eq(self.load.data.replicate(words)),
            write.en.eq(Mux(loads, Cat(*(self.load.column == word for word in range(words))), 0)),
        ]  # fmt: skip
        return read.data


class Mxm(wiring.Component):
    """An MXM slice. On the load bus `target` is its ReRAM, `target` + 1 its SRAM; rows are tiles, columns 4 weights."""

    num_results = 1

    def __init__(self, chip: Chip, target: int) -> None:
        self.chip, self.target = chip, target
        super().__init__({
            "load": In(LoadBus()),
            "issues": In(issue_layout(MNEMONICS)).array(1),
            "eastward": In(streams_layout(chip)),
            "westward": In(streams_layout(chip)),
            "arrivals": Out(arrival_layout(chip)).array(self.num_results),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        issue, mxm, sense = self.issues[0], self.chip.mxm, self.chip.mxm.sense_cycles
        fetched = {name: issue[name] for name in (*TRAVELS, "sram", "unsigned")}
        kind, index = issue["a.kind"], issue["a.index"]
        fetched["a"] = operand(m, "a", self.eastward, self.westward, kind, index, Width.BYTE)
        reram_access = {"valid": issue.valid & ~issue.sram, "tile": issue.address}
        sram_access = delay(m, "sram", {"valid": issue.valid & issue.sram, "tile": issue.address}, sense - 1)
        reram = self._cells(m, "reram", mxm.num_reram_tiles, mxm.num_reram_banks, sense, self.target, reram_access)
        sram = self._cells(m, "sram", mxm.num_sram_tiles, mxm.num_sram_banks, 1, self.target + 1, sram_access)
        sensed = delay(m, "sensed", fetched, sense)
        cycles = latency_of("mxm.matvec", self.chip) - sense - ACCUMULATE_CYCLES
        totals = self._rows(m, wire(m, "tile", Mux(sensed["sram"], sram, reram)), sensed, cycles)
        self._accumulate(m, delay(m, "along", {name: sensed[name] for name in TRAVELS}, cycles), totals)
        return m

    def _cells(
        self, m: Module, name: str, num_tiles: int, num_banks: int, cycles: int, target: int, access: Values
    ) -> Value:
        if not num_tiles:
            return Signal(self.chip.lanes * self.chip.lanes * BYTE_BITS, name=f"no_{name}")
        m.submodules[name] = cells = Cells(self.chip, num_tiles, num_banks, cycles, target)
        wiring.connect(m, wiring.flipped(self.load), cells.load)
        m.d.comb += [cells.valid.eq(access["valid"]), cells.tile.eq(access["tile"])]
        return cells.value

    def _rows(self, m: Module, tile: Value, sensed: Values, cycles: int) -> list[Value]:
        """The sum of each output lane, `cycles` cycles later."""
        totals: list[Value] = []
        for number, weights in enumerate(lanes_of(tile, self.chip.lanes * BYTE_BITS)):
            m.submodules[f"row_{number}"] = row = Row(self.chip, cycles)
            m.d.comb += [row.row.eq(weights), row.a.eq(sensed["a"]), row.unsigned.eq(sensed["unsigned"])]
            total = Signal(signed(WORD_BITS), name=f"total_{number}")
            m.d.sync += total.eq(row.total)
            totals.append(total)
        return totals

    def _accumulate(self, m: Module, along: Values, totals: list[Value]) -> None:
        """Add to the accumulator that is named, or replace it, and send the sum off if it is to be emitted."""
        layout = data.ArrayLayout(WORD_BITS * self.chip.lanes, self.chip.mxm.num_accumulators)
        accumulators = Signal(layout)
        before = lanes_of(wire(m, "before", Mux(along["first"], 0, accumulators[along["acc"]])), WORD_BITS)
        after = Signal(WORD_BITS * self.chip.lanes)
        m.d.comb += after.eq(Cat(*((old + new)[:WORD_BITS] for old, new in zip(before, totals, strict=True))))
        with m.If(along["valid"]):
            m.d.sync += accumulators[along["acc"]].eq(after)
        arrival = self.arrivals[0]
        m.d.comb += [
            arrival.valid.eq(along["valid"] & along["emit"]), arrival.direction.eq(along["result.direction"]),
            arrival.stream.eq(along["result.stream"]), arrival.is_word.eq(1), arrival.value.eq(after),
        ]  # fmt: skip
