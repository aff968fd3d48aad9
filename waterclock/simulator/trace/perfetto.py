"""A timeline as a Perfetto trace: a track for each instruction queue, a slice of one cycle for each issue.

Perfetto (https://perfetto.dev) counts nanoseconds as whole numbers, and few clocks have a cycle of whole nanoseconds.
So that cycles stay exact, 1 ns in a trace *is* 1 cycle, at any clock; the top track says which clock that is.

A trace is a sequence of packets. The first ones describe the tracks and name what the others refer to by number. The
numbers of fields are those of perfetto/trace/perfetto_trace.proto; tests compare them with the published descriptors.
"""

from collections.abc import Iterator
from enum import IntEnum
from itertools import groupby
from typing import BinaryIO

import numpy as np

from waterclock.isa.record import LEVEL_NAMES
from waterclock.simulator.trace.protobuf import message, number, text
from waterclock.simulator.trace.timeline import Launch, Name, Script, Timeline

SEQUENCE = 1
ROOT, LAUNCHES, FIRST_QUEUE = 1, 2, 3
"""Numbers of tracks; a queue's is FIRST_QUEUE plus its own."""
ENTRY = "entry"
ANNOTATIONS = (ENTRY, *LEVEL_NAMES)
"""What is noted at a slice: the entry of the queue, and the iteration of each repeat or loop that it is in."""


class Packet(IntEnum):
    """Fields of TracePacket; `packet` is of Trace."""

    TIMESTAMP = 8
    TRUSTED_PACKET_SEQUENCE_ID = 10
    TRACK_EVENT = 11
    INTERNED_DATA = 12
    SEQUENCE_FLAGS = 13
    TRACK_DESCRIPTOR = 60


class Event(IntEnum):
    """Fields of TrackEvent."""

    CATEGORY_IIDS = 3
    DEBUG_ANNOTATIONS = 4
    TYPE = 9
    NAME_IID = 10
    TRACK_UUID = 11


class Track(IntEnum):
    """Fields of TrackDescriptor."""

    UUID = 1
    NAME = 2
    PARENT_UUID = 5
    CHILD_ORDERING = 11
    SIBLING_ORDER_RANK = 12
    DESCRIPTION = 14


class Interned(IntEnum):
    """Fields of InternedData; in each of them, IID and NAME are fields 1 and 2."""

    EVENT_CATEGORIES = 1
    EVENT_NAMES = 2
    DEBUG_ANNOTATION_NAMES = 3


class Annotation(IntEnum):
    """Fields of DebugAnnotation."""

    NAME_IID = 1
    UINT_VALUE = 3


class Type(IntEnum):
    """Values of TrackEvent.Type."""

    TYPE_SLICE_BEGIN = 1
    TYPE_SLICE_END = 2


class Flags(IntEnum):
    """Values of TracePacket.SequenceFlags."""

    SEQ_INCREMENTAL_STATE_CLEARED = 1
    SEQ_NEEDS_INCREMENTAL_STATE = 2


PACKET, IID, NAME, EXPLICIT = 1, 1, 2, 3
_MINE = number(Packet.TRUSTED_PACKET_SEQUENCE_ID, SEQUENCE)
_BEGIN = _MINE + number(Packet.SEQUENCE_FLAGS, Flags.SEQ_NEEDS_INCREMENTAL_STATE)


def write_perfetto(file: BinaryIO, line: Timeline, title: str) -> None:
    """Write the trace, packet by packet; the same timeline gives the same bytes."""
    for packets in trace_packets(line, title):
        file.write(packets)


def trace_packets(line: Timeline, title: str) -> Iterator[bytes]:
    """The packets of a trace in order of time, several at once."""
    iids = _Interner(line)
    yield b"".join(_descriptors(line, title))
    yield _packet(_MINE, number(Packet.SEQUENCE_FLAGS, Flags.SEQ_INCREMENTAL_STATE_CLEARED), iids.data())
    for launch in line.shown:
        yield from _launch(line, launch, iids)


class _Interner:
    """The numbers (from 1) by which packets refer to names, categories and annotations."""

    def __init__(self, line: Timeline) -> None:
        scripts = dict.fromkeys(launch.script for launch in line.shown)
        names = [name for script in scripts for name in script.names]
        programs = [script.linked.program.name for script in scripts]
        self.names = _numbered([*programs, *(name.text for name in names)])
        self.categories = _numbered([name.operation for name in names if name.operation])
        self.annotations = _numbered(ANNOTATIONS)

    def data(self) -> bytes:
        tables = (self.categories, self.names, self.annotations)
        entries = [
            message(field, number(IID, iid), text(NAME, name))
            for field, table in zip(Interned, tables, strict=True)
            for name, iid in table.items()
        ]
        return message(Packet.INTERNED_DATA, *entries)

    def name(self, name: Name) -> bytes:
        """The fields that say what a slice is called."""
        iid = number(Event.NAME_IID, self.names[name.text])
        return iid + number(Event.CATEGORY_IIDS, self.categories[name.operation]) if name.operation else iid

    def note(self, name: str, value: int) -> bytes:
        """The field of an annotation."""
        iid = number(Annotation.NAME_IID, self.annotations[name])
        return message(Event.DEBUG_ANNOTATIONS, iid, number(Annotation.UINT_VALUE, value))


def _numbered(names: "list[str] | tuple[str, ...]") -> dict[str, int]:
    return {name: iid for iid, name in enumerate(dict.fromkeys(names), start=1)}


def _descriptors(line: Timeline, title: str) -> Iterator[bytes]:
    """A track for the whole, and below it one for the launches and one for each queue, in the order of the chip."""
    chip = line.chip
    about = f"{chip.name}: 1 ns in this trace is 1 cycle of a clock of {chip.clock_mhz:,} MHz"
    yield _track(ROOT, f"{title}, 1 ns is 1 cycle of {chip.clock_mhz:,} MHz", number(Track.CHILD_ORDERING, EXPLICIT),
                 text(Track.DESCRIPTION, about))  # fmt: skip
    names = ["launches", *(queue.name for queue in chip.queues)]
    for rank, name in enumerate(names):
        child = number(Track.PARENT_UUID, ROOT), number(Track.SIBLING_ORDER_RANK, rank)
        yield _track(LAUNCHES + rank, name, *child)


def _track(uuid: int, name: str, *fields: bytes) -> bytes:
    return _packet(_MINE, message(Packet.TRACK_DESCRIPTOR, number(Track.UUID, uuid), text(Track.NAME, name), *fields))


def _launch(line: Timeline, launch: Launch, iids: _Interner) -> Iterator[bytes]:
    """A slice for the launch, as far as it is looked at, and one for each of its issues."""
    script = launch.script
    first, end = max(launch.start_cycle, line.first_cycle), min(launch.end_cycle, line.last_cycle + 1)
    name = number(Event.NAME_IID, iids.names[script.linked.program.name])
    yield _begin(first, _event(Type.TYPE_SLICE_BEGIN, LAUNCHES, name))
    yield from _issues(script, np.flatnonzero(line.within(launch)).tolist(), launch.start_cycle, iids)
    yield _end(end, LAUNCHES)


def _issues(script: Script, events: list[int], start_cycle: int, iids: _Interner) -> Iterator[bytes]:
    """Cycle by cycle: what begins in it, then the ends of that in the next."""
    linked, name_fields = script.linked, [iids.name(name) for name in script.names]
    cycles: list[int] = linked.cycle.tolist()
    for cycle, group in groupby(events, key=lambda event: cycles[event]):
        begins, ends = bytearray(), bytearray()
        for event in group:
            track, name = FIRST_QUEUE + int(linked.queue[event]), name_fields[int(script.name[event])]
            notes = [(ENTRY, int(linked.entry[event])), *script.repeats(event)]
            fields = [name, *(iids.note(*note) for note in notes)]
            begins += _begin(start_cycle + cycle, _event(Type.TYPE_SLICE_BEGIN, track, *fields))
            ends += _end(start_cycle + cycle + 1, track)
        yield bytes(begins + ends)


def _event(kind: Type, track: int, *fields: bytes) -> bytes:
    return message(Packet.TRACK_EVENT, number(Event.TYPE, kind), number(Event.TRACK_UUID, track), *fields)


def _begin(cycle: int, event: bytes) -> bytes:
    return _packet(number(Packet.TIMESTAMP, cycle), _BEGIN, event)


def _end(cycle: int, track: int) -> bytes:
    return _packet(number(Packet.TIMESTAMP, cycle), _MINE, _event(Type.TYPE_SLICE_END, track))


def _packet(*fields: bytes) -> bytes:
    return message(PACKET, *fields)
