"""The MXM: resident tiles, multipliers, adder trees and accumulators.

An access starts in its issue cycle and holds its bank for `sense_cycles`; then the tile meets the operand, and the
cycles that remain of the latency are shared out: products and tree levels first, the accumulator and the way to the
streams in the last one. SRAM tiles, which take one cycle, are read in the last cycle of a sense, so that all accesses
meet the multipliers at one distance from their issue; rows are written at that distance and `write_row_cycles` - 1
more. That no two accesses meet in a bank is proven before a program runs, and not checked here.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from waterclock.chip import Chip
from waterclock.errors import InputError
from waterclock.isa.table import Area
from waterclock.rtl.cells import CellArray
from waterclock.rtl.clock import DATAPATH, place_while_active
from waterclock.rtl.entry import any_of, is_opcode, issue_layout, issuing
from waterclock.rtl.load import WORD_BITS as LOAD_BITS
from waterclock.rtl.load import LoadBus
from waterclock.rtl.parts import check_bits, place
from waterclock.rtl.pipeline import Step, Values, chain, delay, latency_of, wire
from waterclock.rtl.streams import BYTE_BITS, WORD_BITS, arrival_layout, byte_of, lanes_of, operands_layout, widened

ACCUMULATE_CYCLES = 1
RERAM, SRAM = range(2)
"""The stores of a slice on the load bus: a row is a tile, a column 4 weights."""


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


def straight(tile: Value, lanes: int) -> Value:
    """The tile as it is: row j has the weights of output lane j."""
    return tile


def transposed(tile: Value, lanes: int) -> Value:
    """The tile with rows and columns exchanged."""
    weights = lanes_of(tile, BYTE_BITS)
    return Cat(*(weights[column * lanes + row] for row in range(lanes) for column in range(lanes)))


PRODUCTS: Mapping[str, Callable[[Value, int], Value]] = MappingProxyType({
    "mxm.matvec": straight,
    "mxm.matvec_t": transposed,
})  # fmt: skip
"""How the tile meets the multipliers."""
READ_ROW, WRITE_ROW = "mxm.read_row", "mxm.write_row"
DATAPATHS = frozenset({*PRODUCTS, READ_ROW, WRITE_ROW})
MNEMONICS = issuing(Area.MXM, DATAPATHS)
ALWAYS_SRAM = ("mxm.matvec_t", WRITE_ROW)
TRAVELS = ("multiplies", "acc", "first", "emit", "result.direction", "result.stream")


class Row(wiring.Component):
    """One row of multipliers and its adder tree: an output lane, its sum `cycles` - 1 cycles later."""

    def __init__(self, chip: Chip, cycles: int) -> None:
        self.chip, self.cycles = chip, cycles
        vector = chip.lanes * BYTE_BITS
        super().__init__({"row": In(vector), "a": In(vector), "unsigned": In(1), "total": Out(signed(WORD_BITS))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        values = {"row": self.row, "a": self.a, "unsigned": self.unsigned}
        m.d.comb += self.total.eq(chain(m, "step", dot_product(self.chip), self.cycles, values)["sum_0"])
        return m


def written_layout(chip: Chip) -> data.StructLayout:
    """A row that is written to an SRAM tile, if `valid`; each field starts at a 32-bit word."""
    row = -(-chip.lanes * BYTE_BITS // WORD_BITS) * WORD_BITS
    return data.StructLayout({"data": row, "tile": WORD_BITS, "place": WORD_BITS, "valid": WORD_BITS})


class Cells(wiring.Component):
    """Tiles of one kind of cell in banks: a tile is there `cycles` cycles after its access, of whichever bank.

    Between launches `load` writes 4 weights; `written` writes a row, and takes one cycle.
    """

    def __init__(self, chip: Chip, num_tiles: int, num_banks: int, cycles: int) -> None:
        if num_banks.bit_count() != 1:
            raise InputError(f"num_banks = {num_banks}: the RTL needs a power of two")
        self.chip, self.num_banks, self.cycles = chip, num_banks, cycles
        self.num_rows = -(-num_tiles // num_banks)
        self.tile_bits, self.row_bits = chip.lanes * chip.lanes * BYTE_BITS, chip.lanes * BYTE_BITS
        super().__init__({
            "load": In(LoadBus()), "valid": In(1), "tile": In(24), "written": In(written_layout(chip)),
            "value": Out(self.tile_bits),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        log2 = self.num_banks.bit_length() - 1
        access, write = Signal(24), self._write(m)
        m.d.comb += access.eq(self.tile)
        chosen: Values = {"bank": access[:log2]} if log2 else {}
        latched = delay(m, "chosen", chosen, max(1, self.cycles - 1))
        value = Signal(self.tile_bits)
        for bank in range(self.num_banks):
            m.submodules[f"bank_{bank}"] = cells = CellArray(self.tile_bits, self.num_rows, self.row_bits, LOAD_BITS)
            m.d.comb += [
                cells.read.eq(self.valid & (access[:log2] == bank)), cells.address.eq(access[log2:]),
                cells.write.eq(Mux(write["tile"][:log2] == bank, write["pieces"], 0)),
                cells.write_address.eq(write["tile"][log2:]), cells.place.eq(write["place"]),
                cells.data.eq(write["data"]),
            ]  # fmt: skip
            with m.If(latched["bank"] == bank if log2 else 1):
                m.d.comb += value.eq(cells.value)
        if self.cycles == 1:
            m.d.comb += self.value.eq(value)
        else:  # sensed over all these cycles, caught at the end of the last
            m.d.sync += self.value.eq(value)
        return m

    def _write(self, m: Module) -> Values:
        """What is written in this cycle: pieces of a row that the host or an instruction gives."""
        pieces = self.row_bits // LOAD_BITS
        log2 = pieces.bit_length() - 1
        hit = Cat(*(self.load.column[:log2] == piece for piece in range(pieces))) if log2 else 1
        values = {
            "tile": Signal(24),
            "place": Signal(WORD_BITS),
            "pieces": Signal(pieces),
            "data": Signal(self.row_bits),
        }
        with m.If(self.load.valid):
            m.d.comb += [
                values["tile"].eq(self.load.row), values["place"].eq(self.load.column[log2:]),
                values["pieces"].eq(hit), values["data"].eq(self.load.data.replicate(pieces)),
            ]  # fmt: skip
        with m.Elif(self.written.valid[0]):
            m.d.comb += [
                values["tile"].eq(self.written.tile), values["place"].eq(self.written.place),
                values["pieces"].eq(~0), values["data"].eq(self.written.data),
            ]  # fmt: skip
        return values


def check(chip: Chip) -> None:
    """InputError where no RTL of a chip's MXM can be made."""
    if chip.lanes * BYTE_BITS < LOAD_BITS:
        raise InputError(f"lanes = {chip.lanes}: the RTL needs at least {LOAD_BITS // BYTE_BITS}")
    check_bits(f"lanes = {chip.lanes} would make a tile", chip.lanes * chip.lanes * BYTE_BITS)


class Mxm(wiring.Component):
    """An MXM slice. `written` is a row that `mxm.write_row` writes, `sense_cycles` - 2 cycles after it may be seen."""

    num_results = 2

    def __init__(self, chip: Chip) -> None:
        self.chip, self.sense = chip, chip.mxm.sense_cycles
        super().__init__({
            "load": In(LoadBus()),
            "issues": In(issue_layout(MNEMONICS)).array(1),
            "found": In(operands_layout(chip, issue_layout(MNEMONICS))).array(1),
            "arrivals": Out(arrival_layout(chip.lanes)).array(self.num_results),
            "written": Out(written_layout(chip)),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        begins = self.issues[0].valid | self.load.valid
        place_while_active(m, platform, DATAPATH, self._datapath(platform), begins, self._num_cycles())
        return m

    def _num_cycles(self) -> int:
        """In which an issue is through, whichever it is."""
        latencies = (latency_of(mnemonic, self.chip) for mnemonic in (*PRODUCTS, READ_ROW))
        return max(*latencies, self.sense + self.chip.mxm.write_row_cycles)

    def _datapath(self, platform: object) -> Module:
        m = Module()
        issue = self.issues[0]
        fetched = self._fetched(m)
        sensed = delay(m, "sensed", fetched, self.sense)
        reads = {"valid": issue.valid & ~fetched["writes"], "tile": issue.address}
        in_sram = {**reads, "valid": reads["valid"] & fetched["sram"]}
        in_reram = {**reads, "valid": reads["valid"] & ~fetched["sram"]}
        mxm = self.chip.mxm
        reram = self._cells(m, "reram", RERAM, mxm.num_reram_tiles, mxm.num_reram_banks, self.sense, in_reram)
        late = delay(m, "in_sram", in_sram, self.sense - 1)
        sram = self._cells(m, "sram", SRAM, mxm.num_sram_tiles, mxm.num_sram_banks, 1, late)
        tile = wire(m, "tile", Mux(sensed["sram"], sram, reram))
        cycles = latency_of("mxm.matvec", self.chip) - self.sense - ACCUMULATE_CYCLES
        totals = self._rows(m, platform, self._met(m, tile, sensed), sensed, cycles)
        self._accumulate(m, delay(m, "along", {name: sensed[name] for name in TRAVELS}, cycles), totals)
        self._read_row(m, tile, sensed)
        self._write_row(m, delay(m, "write", self._row(issue, fetched), self.sense + mxm.write_row_cycles - 2))
        return m

    def _fetched(self, m: Module) -> dict[str, Value]:
        """What an issue is, and its operand."""
        issue = self.issues[0]
        fetched: dict[str, Value] = {name: issue[name] for name in TRAVELS[1:]}
        for name, mnemonics in {"multiplies": PRODUCTS, "reads": (READ_ROW,), "writes": (WRITE_ROW,)}.items():
            hit = any_of(is_opcode(issue.opcode, mnemonic) for mnemonic in mnemonics)
            fetched[name] = wire(m, name, issue.valid & hit)
        always = any_of(is_opcode(issue.opcode, mnemonic) for mnemonic in ALWAYS_SRAM)
        return fetched | {
            "opcode": issue.opcode, "unsigned": issue.unsigned, "sram": wire(m, "in_sram", issue.sram | always),
            "place": issue.place[: self.chip.log2_lanes],
            "a": wire(m, "a", byte_of(self.found[0]["a"], issue["a.index"])),
        }  # fmt: skip

    def _cells(
        self, m: Module, name: str, store: int, num_tiles: int, num_banks: int, cycles: int, access: Values
    ) -> Value:
        """The tiles of one kind of cell; only SRAM takes rows."""
        if not num_tiles:
            return Signal(self.chip.lanes * self.chip.lanes * BYTE_BITS, name=f"no_{name}")
        m.submodules[name] = cells = Cells(self.chip, num_tiles, num_banks, cycles)
        wiring.connect(m, wiring.flipped(self.load), cells.load)
        m.d.comb += [
            cells.load.valid.eq(self.load.valid & (self.load.target == store)),
            cells.valid.eq(access["valid"]), cells.tile.eq(access["tile"]),
        ]  # fmt: skip
        if store == SRAM:
            m.d.comb += cells.written.eq(self.written)
        return cells.value

    def _met(self, m: Module, tile: Value, sensed: Values) -> Value:
        """The tile as it meets the multipliers, output lane by output lane."""
        met = Signal(tile.shape(), name="met")
        for mnemonic, turned in PRODUCTS.items():
            with m.If(sensed["multiplies"] & is_opcode(sensed["opcode"], mnemonic)):
                m.d.comb += met.eq(turned(tile, self.chip.lanes))
        return met

    def _rows(self, m: Module, platform: object, tile: Value, sensed: Values, cycles: int) -> list[Value]:
        """The sum of each output lane, `cycles` cycles later."""
        totals: list[Value] = []
        for number, weights in enumerate(lanes_of(tile, self.chip.lanes * BYTE_BITS)):
            row = place(m, platform, f"row_{number}", Row, self.chip, cycles)
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
        with m.If(along["multiplies"]):
            m.d.sync += accumulators[along["acc"]].eq(after)
        self._arrive(m, 0, along, along["multiplies"] & along["emit"], after, is_word=1)

    def _read_row(self, m: Module, tile: Value, sensed: Values) -> None:
        """One row of the tile, as bytes."""
        row = Signal(self.chip.lanes * BYTE_BITS, name="row")
        with m.Switch(sensed["place"]):
            for number, weights in enumerate(lanes_of(tile, len(row))):
                with m.Case(number):
                    m.d.comb += row.eq(weights)
        names = ("reads", "result.direction", "result.stream")
        cycles = latency_of(READ_ROW, self.chip) - 1 - self.sense
        late = delay(m, "row", {**{name: sensed[name] for name in names}, "row": row}, cycles)
        self._arrive(m, 1, late, late["reads"], widened(late["row"]), is_word=0)

    def _arrive(self, m: Module, port: int, along: Values, valid: Value, value: Value, is_word: int) -> None:
        arrival = self.arrivals[port]
        m.d.comb += [
            arrival.valid.eq(valid), arrival.direction.eq(along["result.direction"]),
            arrival.stream.eq(along["result.stream"]), arrival.is_word.eq(is_word), arrival.value.eq(value),
        ]  # fmt: skip

    def _row(self, issue: data.View, fetched: Values) -> Values:
        """The row that an issue writes, if it does."""
        return {"valid": fetched["writes"], "tile": issue.address, "place": fetched["place"], "data": fetched["a"]}

    def _write_row(self, m: Module, row: Values) -> None:
        m.d.comb += [self.written[name].eq(row[name]) for name in written_layout(self.chip).members]
