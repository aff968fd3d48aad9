"""MEM: a slice of single-port SRAM. An access is made in its issue cycle; a read's word is there one cycle later.

Each instruction is a row of `DATAPATHS`: how it makes the byte enables and the data of a write, or picks from the word
read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from waterclock.chip import Chip
from waterclock.isa.table import OPCODES, Area, Width
from waterclock.rtl.cells import CellArray
from waterclock.rtl.clock import DATAPATH, place_while_active
from waterclock.rtl.entry import is_opcode, issue_layout, issuing
from waterclock.rtl.load import LoadBus
from waterclock.rtl.pipeline import delay, latency_of, wire
from waterclock.rtl.streams import (
    BYTE_BITS,
    BYTES_PER_WORD,
    WORD_BITS,
    arrival_layout,
    byte_of,
    log2_streams,
    operands_layout,
    plane,
    vector_bits,
    words_of,
)

SRAM_CYCLES = 1


def _word(address: Value, width: Width) -> Value:
    return address >> log2_streams(Width.WORD) if width is Width.BYTE else address


def _all_bytes(issue: data.View, lanes: int) -> Value:
    return Cat(*([1] * lanes * BYTES_PER_WORD))


def _one_plane(issue: data.View, lanes: int) -> Value:
    return Cat(*(issue.address[:2] == byte for _ in range(lanes) for byte in range(BYTES_PER_WORD)))


def _one_lane(issue: data.View, lanes: int) -> Value:
    return Cat(*(issue.place == lane for lane in range(lanes) for _ in range(BYTES_PER_WORD)))


@dataclass(frozen=True)
class Read:
    """A read: the whole word, or the byte plane that the address names."""

    width: Width


@dataclass(frozen=True)
class Write:
    """A write of an operand: `enables` has a bit for each byte of the word, lane by lane."""

    width: Width
    enables: Callable[[data.View, int], Value]
    address: Width


DATAPATHS: Mapping[str, Read | Write] = MappingProxyType({
    "mem.read8": Read(Width.BYTE),
    "mem.read32": Read(Width.WORD),
    "mem.write8": Write(Width.BYTE, _one_plane, Width.BYTE),
    "mem.write32": Write(Width.WORD, _all_bytes, Width.WORD),
    "mem.write_lane": Write(Width.WORD, _one_lane, Width.WORD),
})  # fmt: skip
MNEMONICS = issuing(Area.MEM, DATAPATHS)
READS = tuple(mnemonic for mnemonic, datapath in DATAPATHS.items() if isinstance(datapath, Read))


def written_layout(chip: Chip) -> data.StructLayout:
    """A write in its cycle: which bytes of which word, lane by lane, become what; each field starts at a 32-bit word.

    Nothing is written where no bit of `enables` is set.
    """
    num_bytes = chip.lanes * BYTES_PER_WORD
    return data.StructLayout({
        "data": vector_bits(chip, Width.WORD), "word": WORD_BITS, "enables": -(-num_bytes // WORD_BITS) * WORD_BITS,
    })  # fmt: skip


class Mem(wiring.Component):
    """A MEM slice. On the load bus a row is a word and a column a lane."""

    num_results = 1

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        super().__init__({
            "load": In(LoadBus()),
            "issues": In(issue_layout(MNEMONICS)).array(1),
            "found": In(operands_layout(chip, issue_layout(MNEMONICS))).array(1),
            "arrivals": Out(arrival_layout(chip.lanes)).array(self.num_results),
            "written": Out(written_layout(chip)),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        begins, latency = self.issues[0].valid | self.load.valid, latency_of(READS[0], self.chip)
        place_while_active(m, platform, DATAPATH, self._datapath(), begins, latency)
        return m

    def _datapath(self) -> Module:
        m = Module()
        bits = vector_bits(self.chip, Width.WORD)
        m.submodules.sram = self.sram = CellArray(bits, self.chip.mem.num_words, bits, BYTE_BITS)
        self._access(m)
        with m.If(self.load.valid):
            self._load(m)
        self._result(m)
        m.d.comb += [
            self.sram.write.eq(self.written.enables), self.sram.write_address.eq(self.written.word),
            self.sram.data.eq(self.written.data),
        ]  # fmt: skip
        return m

    def _access(self, m: Module) -> None:
        """Read, or write an operand; all writes of one width find it in one place."""
        issue = self.issues[0]
        words = self.found[0]["a"]
        value_by_width = {Width.WORD: words, Width.BYTE: wire(m, "bytes", byte_of(words, issue["a.index"]))}
        with m.If(issue.valid), m.Switch(issue.opcode):
            for mnemonic, datapath in DATAPATHS.items():
                with m.Case(OPCODES[mnemonic]):
                    if isinstance(datapath, Read):
                        m.d.comb += [self.sram.read.eq(1), self.sram.address.eq(_word(issue.address, datapath.width))]
                    else:
                        self._write(m, datapath, value_by_width[datapath.width])

    def _write(self, m: Module, datapath: Write, value: Value) -> None:
        issue = self.issues[0]
        m.d.comb += [
            self.written.enables.eq(datapath.enables(issue, self.chip.lanes)),
            self.written.word.eq(_word(issue.address, datapath.address)),
            self.written.data.eq(words_of([value] * BYTES_PER_WORD) if datapath.width is Width.BYTE else value),
        ]

    def _load(self, m: Module) -> None:
        """Between launches the host writes lane by lane."""
        hits = (self.load.column == lane for lane in range(self.chip.lanes) for _ in range(BYTES_PER_WORD))
        m.d.comb += [
            self.written.enables.eq(Cat(*hits)),
            self.written.word.eq(self.load.row),
            self.written.data.eq(self.load.data.replicate(self.chip.lanes)),
        ]

    def _result(self, m: Module) -> None:
        """The word read, one cycle after the issue, and later where the table grants more."""
        issue = self.issues[0]
        extra = {latency_of(mnemonic, self.chip) - 1 - SRAM_CYCLES for mnemonic in READS}.pop()
        is_word, valid = is_opcode(issue.opcode, "mem.read32"), Signal()
        m.d.comb += valid.eq(issue.valid & (is_word | is_opcode(issue.opcode, "mem.read8")))
        at_read = {
            "valid": valid, "is_word": is_word, "plane": Mux(is_word, 0, issue.address[:2]),
            "direction": issue["result.direction"], "stream": issue["result.stream"],
        }  # fmt: skip
        after = delay(m, "read", at_read, SRAM_CYCLES)
        late = delay(m, "late", {**after, "value": self._picked(after["plane"])}, extra)
        m.d.comb += [self.arrivals[0][name].eq(late[name]) for name in arrival_layout(self.chip.lanes).members]

    def _picked(self, number: Value) -> Value:
        """The words read, with the byte plane of this number in their low bytes."""
        lowest, *higher = (plane(self.sram.value, byte) for byte in range(BYTES_PER_WORD))
        picked: Value = lowest
        for byte, value in enumerate(higher, 1):
            picked = Mux(number == byte, value, picked)
        return words_of([picked, *higher])
