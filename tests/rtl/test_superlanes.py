"""Vectors that are wider than a superlane: a slice finds and gives all lanes, its holds keep all lanes."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

pytest.importorskip("amaranth", reason="the RTL needs the Python package amaranth")

from amaranth.hdl import Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from waterclock.chip import SliceKind, load
from waterclock.isa.record import Direction, OperandKind
from waterclock.isa.table import OPCODES, Width
from waterclock.rtl.core import widths_by_port
from waterclock.rtl.entry import issue_layout
from waterclock.rtl.pipeline import latency_of
from waterclock.rtl.streams import SUPERLANE, superlanes
from waterclock.rtl.sxm import MNEMONICS as SXM_MNEMONICS
from waterclock.rtl.sxm import Sxm
from waterclock.rtl.synth.units import OnStreams, on_streams_members
from waterclock.rtl.verilated import Design, Simulation, Words
from waterclock.rtl.vxm import MNEMONICS as VXM_MNEMONICS
from waterclock.rtl.vxm import Vxm

CHIP = load("tiny").with_fields({
    "lanes": 2 * SUPERLANE, "num_streams": 12, "vxm.num_alus": 1, "vxm.num_holds": 2,
})  # fmt: skip
NUM_CYCLES = 16
A, B, RESULT = 0, 4, 8
"""The first streams of what is read and of what is made."""


def sxm() -> OnStreams:
    return OnStreams(CHIP, Sxm(CHIP), widths_by_port(CHIP, SliceKind.SXM))


def vxm() -> OnStreams:
    return OnStreams(CHIP, Vxm(CHIP, (("vxm.iadd", "vxm.move"),)), (frozenset({Width.WORD}),))


def stepped(
    make: Callable[[], OnStreams], mnemonics: tuple[str, ...], issues: Mapping[int, Mapping[str, int]], seed: int
) -> dict[str, np.ndarray]:
    """What all streams hold around a slice that issues these, [cycle, stream, lane], where random bytes flow by."""
    layout = issue_layout(mnemonics)
    ports = wiring.Signature(on_streams_members(CHIP, In(layout).array(1)))
    simulation = Simulation(Design.of(ports, make, f"{make.__name__} of {CHIP.sha256}"))
    inputs = simulation.blank(NUM_CYCLES)
    random = np.random.default_rng(seed)
    for name in ("from_west", "from_east"):
        column = simulation.column(inputs, name)
        column[:] = random.integers(0, 1 << 32, column.shape, np.uint32)
    for cycle, fields in issues.items():
        word = Value.cast(layout.const({"valid": 1, **fields})).value
        simulation.column(inputs, "issues")[cycle] = words(word, layout)
    outputs = simulation.step(inputs)
    shape = (NUM_CYCLES, CHIP.num_streams, CHIP.lanes)
    ways = ("eastward", "westward")
    return {way: np.ascontiguousarray(simulation.column(outputs, way)).view(np.uint8).reshape(shape) for way in ways}


def words(value: int, layout: data.Layout) -> Words:
    num_words = -(-layout.size // 32)
    return np.frombuffer(value.to_bytes(4 * num_words, "little"), np.uint32)


def vector(streams: np.ndarray, first: int) -> np.ndarray:
    """The words of a group of streams, by lane."""
    return np.ascontiguousarray(streams[first : first + 4].T).view(np.int32)[:, 0]


def test_a_wide_chip_has_several_superlanes() -> None:
    assert superlanes(CHIP.lanes) == [range(SUPERLANE), range(SUPERLANE, 2 * SUPERLANE)]
    assert superlanes(SUPERLANE // 2) == [range(SUPERLANE // 2)]
    assert superlanes(64)[-1] == range(48, 64)


@pytest.mark.parametrize("amount", [1, SUPERLANE, CHIP.lanes - 1])
def test_lanes_move_from_superlane_to_superlane(amount: int) -> None:
    """What is read flows west, what is made leaves east."""
    cycle, arrives = 5, 5 + latency_of("sxm.rotate", CHIP)
    found = stepped(sxm, SXM_MNEMONICS, {cycle: {
        "opcode": OPCODES["sxm.rotate"], "a.kind": OperandKind.WEST, "a.index": A, "address": amount,
        "result.direction": Direction.EAST, "result.stream": RESULT,
    }}, seed=amount)  # fmt: skip
    read = vector(found["westward"][cycle], A)
    assert (vector(found["eastward"][arrives], RESULT) == np.roll(read, -amount)).all()
    assert (vector(found["westward"][arrives], RESULT) != np.roll(read, -amount)).any()


def test_both_operands_and_the_holds_have_all_lanes() -> None:
    """A sum goes to a hold and nowhere else; then the hold leaves both ways."""
    add, move = 3, 3 + latency_of("vxm.iadd", CHIP)
    found = stepped(vxm, VXM_MNEMONICS, {
        add: {"opcode": OPCODES["vxm.iadd"], "a.kind": OperandKind.EAST, "a.index": A, "b.kind": OperandKind.WEST,
              "b.index": B, "result.hold": 2},
        move: {"opcode": OPCODES["vxm.move"], "a.kind": OperandKind.HOLD, "a.index": 1,
               "result.direction": Direction.BOTH, "result.stream": RESULT},
    }, seed=0)  # fmt: skip
    due = vector(found["eastward"][add], A) + vector(found["westward"][add], B)
    arrives = move + latency_of("vxm.move", CHIP)
    for streams in found.values():
        assert (vector(streams[arrives], RESULT) == due).all()
        assert (vector(streams[arrives - 1], RESULT) != due).any()


def test_what_no_result_takes_flows_on_in_all_lanes() -> None:
    found = stepped(sxm, SXM_MNEMONICS, {}, seed=3)
    given = np.random.default_rng(3)
    for way in ("eastward", "westward"):
        flowing = given.integers(0, 1 << 32, (NUM_CYCLES, found[way][0].size // 4), np.uint32)
        assert (found[way][1:].reshape(NUM_CYCLES - 1, -1) == flowing[:-1].view(np.uint8)).all()
