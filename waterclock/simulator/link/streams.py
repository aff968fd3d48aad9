"""Streams: which result passes a slice in the cycle of a read.

A result flows one slice a cycle, so cycle - x is the same all along its way east and cycle + x all along its way west.
Of all results on one byte stream and one such diagonal a reader sees the one that joined last, upstream or at itself.
"""

import numpy as np

from waterclock.isa.record import OPERAND_NAMES, Direction, OperandKind
from waterclock.isa.table import Width
from waterclock.simulator.link.anatomy import Anatomy
from waterclock.simulator.link.errors import Cause
from waterclock.simulator.link.linked import Bools, Longs
from waterclock.simulator.link.timeline import Timeline

_EASTWARD, _WESTWARD = 0, 1
_BIT_BY_WAY = {_EASTWARD: Direction.EAST, _WESTWARD: Direction.WEST}


def resolve_streams(anatomy: Anatomy) -> Longs:
    """[n, 3]: the event whose result operands a, b, c find on their streams; -1 for operands that are no streams.

    LinkError for two results on one register, a stream that is not written, and a word that is not one result.
    """
    events = anatomy.events
    timeline = _arrivals(anatomy)
    events.refuse(
        events.marked(timeline.doubles()),
        Cause.DOUBLE_ARRIVAL,
        lambda event: f"another result arrives with it on stream {anatomy.field('result', 'stream')[event]}",
    )
    event, operand = np.nonzero(anatomy.operand_bytes)
    width = anatomy.operand_bytes[event, operand]
    found = _found(anatomy, timeline, event, operand)
    missing = np.asarray(((found < 0) & (np.arange(Width.WORD.value) < width[:, None])).any(axis=1))
    events.refuse(
        events.marked(event[missing]),
        Cause.UNWRITTEN,
        lambda reader: f"{_names(anatomy, reader, event, operand, missing)}: no result has reached it",
    )
    one_result = (found == found[:, :1]).all(axis=1) & (anatomy.result_bytes[found[:, 0]] == Width.WORD.value)
    mixed = np.equal(width, Width.WORD.value) & ~one_result
    events.refuse(
        events.marked(event[mixed]),
        Cause.MIXED_WORD,
        lambda reader: f"{_names(anatomy, reader, event, operand, mixed)}: its bytes are not one 32-bit result",
    )
    producer = np.full((len(events), len(OPERAND_NAMES)), -1, np.int64)
    producer[event, operand] = found[:, 0]
    return producer


def _arrivals(anatomy: Anatomy) -> Timeline:
    """Every byte of every result, in each direction that it leaves in."""
    direction = anatomy.field("result", "direction")
    copies = [
        (np.flatnonzero((direction & bit > 0) & (anatomy.result_bytes > byte)), way, byte)
        for way, bit in _BIT_BY_WAY.items()
        for byte in range(Width.WORD.value)
    ]
    event = np.concatenate([events for events, _, _ in copies])
    way = np.concatenate([np.full(len(events), way) for events, way, _ in copies])
    byte = np.concatenate([np.full(len(events), byte) for events, _, byte in copies])
    stream = anatomy.field("result", "stream")[event] + byte
    register, time = _on_diagonal(anatomy, event, way, stream, anatomy.latency[event])
    return Timeline(register, time, event)


def _found(anatomy: Anatomy, timeline: Timeline, event: Longs, operand: Longs) -> Longs:
    """[k, 4]: the event that each byte of each operand finds."""
    index = np.stack([anatomy.field(name, "index") for name in OPERAND_NAMES], axis=1)[event, operand]
    kind = np.stack([anatomy.field(name, "kind") for name in OPERAND_NAMES], axis=1)[event, operand]
    way = np.where(kind == OperandKind.EAST, _EASTWARD, _WESTWARD)
    width = anatomy.operand_bytes[event, operand]
    found = np.full((len(event), Width.WORD.value), -1, np.int64)
    for byte in range(Width.WORD.value):
        wide = width > byte
        stream = index[wide] + byte
        found[wide, byte] = timeline.latest(*_on_diagonal(anatomy, event[wide], way[wide], stream, 0))
    return found


def _on_diagonal(anatomy: Anatomy, event: Longs, way: Longs, stream: Longs, delay: Longs | int) -> tuple[Longs, Longs]:
    """The diagonal that a byte stream at an event's slice is on, `delay` cycles after its issue; and how far along."""
    chip, x, cycle = anatomy.chip, anatomy.x[event], anatomy.cycle[event] + delay
    along = np.where(way == _EASTWARD, x, chip.num_positions - 1 - x)
    diagonal = cycle - along + chip.num_positions
    return (diagonal * 2 + way) * chip.num_streams + stream, along


def _names(anatomy: Anatomy, reader: int, event: Longs, operand: Longs, chosen: Bools) -> str:
    """The first chosen operand of a reader, in words."""
    name = OPERAND_NAMES[int(operand[chosen & (event == reader)][0])]
    kind = OperandKind(anatomy.field(name, "kind")[reader]).name.lower()
    return f"operand {name}, {kind} stream {anatomy.field(name, 'index')[reader]}"
