"""The stream registers at one position: each takes a result that arrives, else what its upstream neighbour held.

A vector of bytes has lane 0 in its lowest 8 bits, a vector of words lane 0 in its lowest 32. Lanes have nothing to do
with one another here, so registers come by the superlane, as in Groq's chip: a module would get too large otherwise.
"""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from waterclock.chip import Chip
from waterclock.isa.record import OPERAND_NAMES, Direction, OperandKind
from waterclock.isa.table import Width
from waterclock.rtl.parts import place
from waterclock.rtl.pipeline import wire

BYTE_BITS, WORD_BITS = 8, 32
BYTES_PER_WORD = WORD_BITS // BYTE_BITS
WAYS = (Direction.EAST, Direction.WEST)
SUPERLANE = 16
"""Lanes whose stream or hold registers are one module, where a chip has so many."""
READ = data.StructLayout({"kind": 3, "index": 8})
"""An operand that is looked for: where from, and on which stream."""


def vector_bits(chip: Chip, width: Width) -> int:
    """Bits of a vector of bytes or words."""
    return chip.lanes * BYTE_BITS * width.value


def streams_layout(lanes: int, num_streams: int) -> data.ArrayLayout:
    """All streams in one direction at one position, as far as they belong to these lanes."""
    return data.ArrayLayout(lanes * BYTE_BITS, num_streams)


def arrival_layout(lanes: int) -> data.StructLayout:
    """A result in the cycle before it arrives: a vector of words, or of bytes in the low byte of each word, whose other
    bytes nobody looks at."""
    return data.StructLayout({
        "value": lanes * WORD_BITS, "valid": 1, "direction": 2, "stream": 8, "is_word": 1,
    })  # fmt: skip


def superlanes(lanes: int) -> list[range]:
    """The lanes in groups of a module each."""
    step = min(SUPERLANE, lanes)
    return [range(first, first + step) for first in range(0, lanes, step)]


def of_lanes(vector: Value, lanes: range, bits: int) -> Value:
    """The elements of these lanes, of so many bits each."""
    return vector[lanes.start * bits : lanes.stop * bits]


def operands_layout(chip: Chip, issue: data.StructLayout) -> data.StructLayout:
    """What an issue finds on the streams: for each of its operands the vector of words of the group that it names."""
    return data.StructLayout({name: vector_bits(chip, Width.WORD) for name in operand_names(issue)})


def operand_names(issue: data.StructLayout) -> tuple[str, ...]:
    """The operands that an issue of this layout has."""
    return tuple(name for name in OPERAND_NAMES if f"{name}.kind" in issue.members)


def log2_streams(width: Width) -> int:
    """Log2 of the streams that a vector travels on: what lies below in a stream's number, or a byte's in a word's."""
    return (width.value - 1).bit_length()


def lanes_of(vector: Value, bits: int) -> list[Value]:
    """The elements of a vector, lane 0 first."""
    return [vector[start : start + bits] for start in range(0, len(vector), bits)]


def plane(words: Value, number: int) -> Value:
    """Byte `number` of every word, as a vector of bytes."""
    low = number * BYTE_BITS
    return Cat(*(word[low : low + BYTE_BITS] for word in lanes_of(words, WORD_BITS)))


def words_of(planes: Sequence[Value]) -> Value:
    """The vector of words whose bytes are these vectors of bytes, lowest first."""
    return Cat(*(Cat(*lane) for lane in zip(*(lanes_of(one, BYTE_BITS) for one in planes), strict=True)))


def widened(vector: Value) -> Value:
    """A vector of bytes in the low bytes of words."""
    return Cat(*(Cat(byte, Const(0, WORD_BITS - BYTE_BITS)) for byte in lanes_of(vector, BYTE_BITS)))


def byte_of(words: Value, index: Value) -> Value:
    """The vector of bytes of stream `index`, out of the words of its group."""
    number = index[: log2_streams(Width.WORD)]
    return Cat(*(word.word_select(number, BYTE_BITS) for word in lanes_of(words, WORD_BITS)))


class Streams(wiring.Component):
    """The registers of these lanes at one position. `widths` says what each port may bring: words, bytes, or both in
    turn; `found` has for each of `reads` the words of the group of streams that is looked for, else 0."""

    dissolves = True

    def __init__(self, lanes: int, num_streams: int, widths: tuple[frozenset[Width], ...], num_reads: int) -> None:
        self.lanes, self.widths = lanes, widths
        streams = self.streams = streams_layout(lanes, num_streams)
        super().__init__({
            "from_west": In(streams), "from_east": In(streams), "eastward": Out(streams), "westward": Out(streams),
            "arrivals": In(arrival_layout(lanes)).array(len(widths)),
            "reads": In(READ).array(num_reads), "found": Out(lanes * WORD_BITS).array(num_reads),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        east, west = (Signal(self.streams, name=f"flowing_{way.name}", reset_less=True) for way in WAYS)
        m.d.comb += [self.eastward.eq(east), self.westward.eq(west)]
        m.d.sync += [east.eq(self.from_west), west.eq(self.from_east)]
        for number, arrival in enumerate(self.arrivals):
            word = Cat(*(plane(arrival.value, byte) for byte in range(BYTES_PER_WORD)))
            word = wire(m, f"arrival_{number}", word)
            for way, flowing in zip(WAYS, (east, west), strict=True):
                with m.If(arrival.valid & (arrival.direction & way.value).any()):
                    self._arrive(m, arrival, self.widths[number], word, flowing)
        for number, (read, found) in enumerate(zip(self.reads, self.found, strict=True)):
            m.d.comb += found.eq(operand(m, f"read_{number}", east, west, read.kind, read.index))
        return m

    def _arrive(self, m: Module, arrival: data.View, widths: frozenset[Width], word: Value, flowing: data.View) -> None:
        """A word's bytes go to the streams of its group, a byte to its own stream."""
        for width in sorted(widths, key=lambda width: width.value):
            is_it = arrival.is_word == (width is Width.WORD) if len(widths) > 1 else Const(1, 1)
            with m.If(is_it), m.Switch(arrival.stream[log2_streams(width) :]):
                bits = self.lanes * BYTE_BITS * width.value
                for place in range(self.streams.length // width.value):
                    with m.Case(place):
                        m.d.sync += flowing.as_value()[place * bits : (place + 1) * bits].eq(word[:bits])


def operand(
    m: Module, name: str, eastward: Sequence[Value], westward: Sequence[Value], kind: Value, index: Value
) -> Signal:
    """The words of the group of streams that an operand's stream is in, at its position."""
    step = BYTES_PER_WORD
    on_streams = Signal(step * len(eastward[0]), name=f"{name}_on_streams")
    for way, streams in ((OperandKind.EAST, eastward), (OperandKind.WEST, westward)):
        with m.If(kind == way), m.Switch(index[log2_streams(Width.WORD) :]):
            for place in range(len(streams) // step):
                with m.Case(place):
                    m.d.comb += on_streams.eq(Cat(*(streams[place * step + byte] for byte in range(step))))
    return wire(m, f"{name}_in_lanes", words_of(lanes_of(on_streams, len(eastward[0]))))


def place_streams(
    m: Module, platform: object, name: str, chip: Chip, unit: Any | None, widths: tuple[frozenset[Width], ...],
    from_west: Value, from_east: Value,
) -> tuple[Value, Value]:  # fmt: skip
    """Place the stream registers of all lanes at a slice, if there is one, superlane by superlane: what they hold.

    They and what comes from the neighbours are laid out as `streams_layout` says; `widths` is for the slice's results.
    """
    placed: list[Any] = []
    for lanes in superlanes(chip.lanes):
        arguments = (len(lanes), chip.num_streams, widths, _num_reads(unit) if unit else 0)
        here = place(m, platform, f"{name}_{lanes.start}", Streams, *arguments)
        m.d.comb += here.from_west.eq(_streams_of(lanes, from_west, chip))
        m.d.comb += here.from_east.eq(_streams_of(lanes, from_east, chip))
        if unit:
            _connect(m, here, unit, lanes)
        placed.append(here)
    numbers = range(chip.num_streams)
    eastward = Cat(*(here.eastward[number] for number in numbers for here in placed))
    return eastward, Cat(*(here.westward[number] for number in numbers for here in placed))


def _streams_of(lanes: range, streams: Value, chip: Chip) -> Value:
    return Cat(*(of_lanes(vector, lanes, BYTE_BITS) for vector in lanes_of(streams, chip.lanes * BYTE_BITS)))


def _num_reads(unit: Any) -> int:
    """For how many operands a slice looks at a time."""
    return sum(len(operand_names(issue.shape())) for issue in unit.issues)


def _connect(m: Module, here: Any, unit: Any, lanes: range) -> None:
    """What a slice looks for on the streams of these lanes, `here`, what it finds, and what it puts on them."""
    wanted = ((issue, name) for issue in unit.issues for name in operand_names(issue.shape()))
    for read, (issue, name) in zip(here.reads, wanted, strict=True):
        kind = Mux(issue.valid, issue[f"{name}.kind"], OperandKind.NONE)
        m.d.comb += [read.kind.eq(kind), read.index.eq(issue[f"{name}.index"])]
    vectors = (found[name] for found in unit.found for name in found.shape().members)
    for vector, found in zip(vectors, here.found, strict=True):
        m.d.comb += of_lanes(vector, lanes, WORD_BITS).eq(found)
    for port, arrival in zip(here.arrivals, unit.arrivals, strict=True):
        m.d.comb += [port[name].eq(arrival[name]) for name in port.shape().members if name != "value"]
        m.d.comb += port.value.eq(of_lanes(arrival.value, lanes, WORD_BITS))
