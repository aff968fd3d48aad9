"""The stream registers at one position: each takes a result that arrives, else what its upstream neighbour held.

A vector of bytes has lane 0 in its lowest 8 bits, a vector of words lane 0 in its lowest 32.
"""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from waterclock.chip import Chip
from waterclock.isa.record import Direction, OperandKind
from waterclock.isa.table import Width
from waterclock.rtl.pipeline import wire

BYTE_BITS, WORD_BITS = 8, 32
BYTES_PER_WORD = WORD_BITS // BYTE_BITS
WAYS = (Direction.EAST, Direction.WEST)


def vector_bits(chip: Chip, width: Width) -> int:
    """Bits of a vector of bytes or words."""
    return chip.lanes * BYTE_BITS * width.value


def streams_layout(chip: Chip) -> data.ArrayLayout:
    """All streams in one direction at one position."""
    return data.ArrayLayout(vector_bits(chip, Width.BYTE), chip.num_streams)


def arrival_layout(chip: Chip) -> data.StructLayout:
    """A result in the cycle before it arrives: a vector of words, or of bytes in the low byte of each word, whose other
    bytes nobody looks at."""
    return data.StructLayout({
        "value": vector_bits(chip, Width.WORD), "valid": 1, "direction": 2, "stream": 8, "is_word": 1,
    })  # fmt: skip


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


class Streams(wiring.Component):
    """The registers of one position. `widths` says what each port may bring: words, bytes, or both in turn."""

    dissolves = True

    def __init__(self, chip: Chip, widths: tuple[frozenset[Width], ...]) -> None:
        self.chip, self.widths = chip, widths
        streams = streams_layout(chip)
        super().__init__({
            "from_west": In(streams), "from_east": In(streams), "eastward": Out(streams), "westward": Out(streams),
            "arrivals": In(arrival_layout(chip)).array(len(widths)),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        registers = [Signal(streams_layout(self.chip), name=f"flowing_{way.name}", reset_less=True) for way in WAYS]
        m.d.comb += [self.eastward.eq(registers[0]), self.westward.eq(registers[1])]
        m.d.sync += [registers[0].eq(self.from_west), registers[1].eq(self.from_east)]
        for number, arrival in enumerate(self.arrivals):
            word = Cat(*(plane(arrival.value, byte) for byte in range(BYTES_PER_WORD)))
            word = wire(m, f"arrival_{number}", word)
            for way, flowing in zip(WAYS, registers, strict=True):
                with m.If(arrival.valid & (arrival.direction & way.value).any()):
                    self._arrive(m, arrival, self.widths[number], word, flowing)
        return m

    def _arrive(self, m: Module, arrival: data.View, widths: frozenset[Width], word: Value, flowing: data.View) -> None:
        """A word's bytes go to the streams of its group, a byte to its own stream."""
        for width in sorted(widths, key=lambda width: width.value):
            is_it = arrival.is_word == (width is Width.WORD) if len(widths) > 1 else Const(1, 1)
            with m.If(is_it), m.Switch(arrival.stream[log2_streams(width) :]):
                bits = vector_bits(self.chip, width)
                for place in range(self.chip.num_streams // width.value):
                    with m.Case(place):
                        m.d.sync += flowing.as_value()[place * bits : (place + 1) * bits].eq(word[:bits])


def operand(
    m: Module, name: str, eastward: data.View, westward: data.View, kind: Value, index: Value, width: Width
) -> Signal:
    """The vector that an operand finds on the streams at its position."""
    step = width.value
    on_streams = Signal(step * len(eastward[0]), name=f"{name}_on_streams")
    for way, streams in ((OperandKind.EAST, eastward), (OperandKind.WEST, westward)):
        with m.If(kind == way), m.Switch(index[log2_streams(width) :]):
            for place in range(len(streams) // step):
                with m.Case(place):
                    m.d.comb += on_streams.eq(Cat(*(streams[place * step + byte] for byte in range(step))))
    return wire(m, f"{name}_in_lanes", words_of(lanes_of(on_streams, len(eastward[0]))))
