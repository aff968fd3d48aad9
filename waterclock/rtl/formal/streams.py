"""What is proven of the stream registers: no value is lost, doubled, or somewhere it has no business to be.

One bit of one arrival, at any time and place, is marked: it is 1, and that bit is 0 in everything else that arrives. A
tracker says by the rule of the streams alone where its copies must be; they are there and nowhere else. What holds for
each bit with one and the same tracker holds for the value.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import Final

from amaranth.asserts import AnyConst
from amaranth.hdl import Assert, Assume, Cat, Module, Signal, Value

from waterclock.isa.record import Direction
from waterclock.isa.table import Width
from waterclock.rtl.entry import any_of
from waterclock.rtl.formal.proof import Design, Method, Proof
from waterclock.rtl.formal.words import free, implies
from waterclock.rtl.pipeline import wire
from waterclock.rtl.streams import BYTE_BITS, BYTES_PER_WORD, Streams, arrival_layout

NUM_POSITIONS, LANES, NUM_STREAMS = 3, 2, 8
PORTS = (frozenset(Width), frozenset({Width.WORD}))
"""What may arrive at each position: at one port bytes and words, at another words."""
NUM_RESULTS = len(PORTS)
STEP = {Direction.EAST: 1, Direction.WEST: -1}


@dataclass(frozen=True)
class Place:
    """Which arrival is marked: at which position and port, on which stream, in which bit of the vector."""

    x: Value
    port: Value
    stream: Value
    bit: Value


class _Tracker:
    """Where one copy of the marked value must be: nowhere, or at a position."""

    def __init__(self, way: Direction) -> None:
        name = f"{way.name}".lower()
        self.way = way
        self.alive, self.x = Signal(name=f"alive_{name}"), Signal(range(NUM_POSITIONS), name=f"x_{name}")

    def follow(self, m: Module, marked: Value, start: Value, overwritten: list[Value]) -> None:
        """Start at a marked arrival, else go on by one unless off the row or where another result arrives."""
        step = STEP[self.way]
        onward = (self.x != (NUM_POSITIONS - 1 if step > 0 else 0)) & ~any_of(
            hit & (self.x + step == x) for x, hit in enumerate(overwritten)
        )
        m.d.sync += [self.alive.eq(self.alive & onward), self.x.eq(self.x + step)]
        with m.If(marked):
            m.d.sync += [self.alive.eq(1), self.x.eq(start)]


def _harness(design: Design) -> Module:
    m = Module()
    arrivals = [[_free_arrival(m, x, k) for k in range(NUM_RESULTS)] for x in range(NUM_POSITIONS)]
    row = _row(m, design, arrivals)
    place = Place(*(wire(m, name, AnyConst(bits)) for name, bits in (("x", 2), ("port", 1), ("stream", 3), ("bit", 4))))
    m.d.comb += [Assume(place.x < NUM_POSITIONS), Assume(place.bit < LANES * BYTE_BITS)]
    marked, seen = free(m, "marked", 1), Signal()
    m.d.sync += seen.eq(seen | marked)
    m.d.comb += Assume(~(seen & marked))
    marks = [[marked & (place.x == x) & (place.port == k) for k in range(NUM_RESULTS)] for x in range(NUM_POSITIONS)]
    for here, marks_here in zip(arrivals, marks, strict=True):
        _assume_no_hazard(m, here)
        for arrival, mark in zip(here, marks_here, strict=True):
            _assume_marked(m, arrival, mark, place)
    for way in STEP:
        tracker = _Tracker(way)
        leaves = any_of(
            mark & _goes(arrival, way)
            for pair in zip(arrivals, marks, strict=True)
            for arrival, mark in zip(*pair, strict=True)
        )
        overwritten = [any_of(_lands(one, way, place.stream) for one in here) for here in arrivals]
        tracker.follow(m, leaves, place.x, overwritten)
        m.d.comb += Assert(implies(tracker.alive, seen & (tracker.x < NUM_POSITIONS)))
        for x, here in enumerate(row):
            registers = here.eastward if way is Direction.EAST else here.westward
            for number in range(NUM_STREAMS):
                due = tracker.alive & (tracker.x == x) & (place.stream == number)
                m.d.comb += Assert(registers[number].bit_select(place.bit, 1) == due)
    return m


def _free_arrival(m: Module, x: int, number: int) -> Value:
    layout = arrival_layout(LANES)
    arrival = Signal(layout, name=f"arrival_{x}_{number}")
    m.d.comb += arrival.as_value().eq(free(m, f"free_{x}_{number}", layout.size))
    m.d.comb += Assume(any_of(arrival.is_word == (width is Width.WORD) for width in PORTS[number]))
    return arrival


def _row(m: Module, design: Design, arrivals: list[list[Value]]) -> list[Streams]:
    row = [design(LANES, NUM_STREAMS, PORTS, 0) for _ in range(NUM_POSITIONS)]
    for x, here in enumerate(row):
        m.submodules[f"position_{x}"] = here
        m.d.comb += [here.arrivals[k].eq(arrivals[x][k]) for k in range(NUM_RESULTS)]
        if x > 0:
            m.d.comb += [here.from_west.eq(row[x - 1].eastward), row[x - 1].from_east.eq(here.westward)]
    return row


def _goes(arrival: Value, way: Direction) -> Value:
    return arrival.valid & (arrival.direction & way.value).any()


def _lands(arrival: Value, way: Direction, stream: Value | int) -> Value:
    """Whether a result lands on this stream: a byte on its own, a word on the four of its group."""
    same_group = arrival.stream[2:] == stream >> 2
    same = (arrival.stream == stream) | arrival.is_word
    return _goes(arrival, way) & same_group & same


def _byte(arrival: Value, number: int) -> Value:
    """What a result brings to the stream `number` of its group if it is a word."""
    word = BYTES_PER_WORD * BYTE_BITS
    return Cat(*(arrival.value[lane * word + number * BYTE_BITS :][:BYTE_BITS] for lane in range(LANES)))


def _assume_marked(m: Module, arrival: Value, mark: Value, place: Place) -> None:
    """The marked result lands on the stream in question and brings a 1 there; all else that arrives brings a 0."""
    m.d.comb += Assume(implies(mark, any_of(_lands(arrival, way, place.stream) for way in STEP)))
    for number in range(BYTES_PER_WORD):
        here = mark & (~arrival.is_word if number == 0 else 0) | (mark & (place.stream[:2] == number) & arrival.is_word)
        is_used = arrival.valid & (arrival.is_word | (number == 0))
        m.d.comb += Assume(implies(is_used, _byte(arrival, number).bit_select(place.bit, 1) == here))


def _assume_no_hazard(m: Module, here: list[Value]) -> None:
    """No two results on one register in one cycle: the compiler sees to that."""
    for way in STEP:
        for number in range(NUM_STREAMS):
            for one, other in combinations(here, 2):
                m.d.comb += Assume(~(_lands(one, way, number) & _lands(other, way, number)))


PROOFS: Final = (
    Proof(
        "streams.kept",
        f"a value is at x + k after k cycles until overwritten, and nowhere else; {NUM_POSITIONS} positions, "
        f"{NUM_STREAMS} streams each way, {NUM_RESULTS} results a position",
        Streams, _harness, Method.INDUCTION,
    ),
)  # fmt: skip
