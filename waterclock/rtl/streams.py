"""The stream registers at one position: each takes a result that arrives, else what its upstream neighbour held.

A vector of bytes has lane 0 in its lowest 8 bits, a vector of words lane 0 in its lowest 32.
"""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
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
    """A result in the cycle before it arrives: a vector of words, or of bytes in the low byte of each word."""
    return data.StructLayout({
        "valid": 1, "direction": 2, "stream": 8, "is_word": 1, "value": vector_bits(chip, Width.WORD),
    })  # fmt: skip


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
    """The registers of one position, where `num_results` results can arrive in a cycle."""

    def __init__(self, chip: Chip, num_results: int) -> None:
        self.chip, self.num_results = chip, num_results
        streams = streams_layout(chip)
        super().__init__({
            "from_west": In(streams), "from_east": In(streams), "eastward": Out(streams), "westward": Out(streams),
            "arrivals": In(arrival_layout(chip)).array(num_results),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        planes = [self._planes(m, number) for number in range(self.num_results)]
        ways = zip(WAYS, (self.from_west, self.from_east), (self.eastward, self.westward), strict=True)
        for way, upstream, registers in ways:
            for stream in range(self.chip.num_streams):
                m.d.sync += registers[stream].eq(upstream[stream])
                for number in range(self.num_results):
                    self._arrive(m, self.arrivals[number], planes[number], way, registers[stream], stream)
        return m

    def _planes(self, m: Module, number: int) -> list[Signal]:
        """The bytes of a result as they go onto streams, lowest first."""
        value = self.arrivals[number].value
        return [wire(m, f"result_{number}_{byte}", plane(value, byte)) for byte in range(BYTES_PER_WORD)]

    def _arrive(
        self, m: Module, arrival: data.View, planes: list[Signal], way: Direction, register: Value, stream: int
    ) -> None:
        """A word's bytes go to the streams of its group, a byte to its own stream."""
        group, number = divmod(stream, BYTES_PER_WORD)
        goes = arrival.valid & (arrival.direction & way.value).any()
        with m.If(goes & arrival.is_word & (arrival.stream // BYTES_PER_WORD == group)):
            m.d.sync += register.eq(planes[number])
        with m.If(goes & ~arrival.is_word & (arrival.stream == stream)):
            m.d.sync += register.eq(planes[0])


def operand(
    m: Module, name: str, eastward: data.View, westward: data.View, kind: Value, index: Value, width: Width
) -> Signal:
    """The vector that an operand finds on the streams at its position."""
    step, num_streams = width.value, len(eastward)
    value: Value | int = 0
    for way, streams in ((OperandKind.EAST, eastward), (OperandKind.WEST, westward)):
        for first in range(0, num_streams, step):
            hit = (kind == way) & (index // step == first // step)
            value = value | Mux(hit, Cat(*(streams[first + byte] for byte in range(step))), 0)
    planes = lanes_of(wire(m, f"{name}_on_streams", value), len(eastward[0]))
    return wire(m, f"{name}_in_lanes", words_of(planes))
