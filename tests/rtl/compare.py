"""One launch on the stepper and on the RTL, compared in every cycle: stream registers at every position, and issues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from waterclock.chip import Chip
from waterclock.isa.assembly import assemble
from waterclock.isa.program import Program
from waterclock.isa.record import Direction, Records
from waterclock.simulator.sequencer import issues
from waterclock.simulator.state import State
from waterclock.simulator.stepper import Event, Kind, step

if TYPE_CHECKING:
    from waterclock.rtl.cosim import Issued, Trace

DRAIN_CYCLES = 24
"""Cycles after the last issue in which results still arrive and flow on."""


def program_of(chip: Chip, queues: Mapping[str, Records]) -> Program:
    empty: dict[str, np.ndarray] = {}
    return Program("test", chip.sha256, queues, empty, empty, (), (), (), (), 0)


def assembled(text_by_queue: Mapping[str, str]) -> dict[str, Records]:
    """Queues from their text, without the start and the heading."""
    return assemble("\n".join(f"queue {queue}:\nicu.start\n{text}" for queue, text in text_by_queue.items()))


def issued_by_stepper(chip: Chip, queues: Mapping[str, Records]) -> tuple[Issued, ...]:
    """Every issue of a program in order of cycle and queue."""
    from waterclock.rtl.cosim import Issued

    found = [
        (issue.cycle, issue.queue.number, Issued(issue.cycle, issue.queue.name, issue.entry, issue.iteration))
        for name, records in queues.items()
        for issue in issues(chip.queue_by_name[name], records)
    ]
    return tuple(issued for _, _, issued in sorted(found, key=lambda one: one[:2]))


def shifted(chip: Chip, events: list[Event], num_cycles: int) -> tuple[np.ndarray, np.ndarray]:
    """What the registers hold by the stepper's events, [cycle, way, x, stream, lane], and which hold anything."""
    held = np.zeros((num_cycles, 2, chip.num_positions, chip.num_streams, chip.lanes), np.uint8)
    known = np.zeros(held.shape[:-1], bool)
    arrivals = {cycle: [event for event in events if event.cycle == cycle] for cycle in {e.cycle for e in events}}
    for cycle in range(num_cycles):
        for array in (held, known) if cycle else ():
            array[cycle, 0, 1:], array[cycle, 1, :-1] = array[cycle - 1, 0, :-1], array[cycle - 1, 1, 1:]
        for event in arrivals.get(cycle, ()):
            x, direction, stream = event.place
            planes = np.frombuffer(event.value, np.uint8).reshape(chip.lanes, -1).T
            for way in (way for way, bit in enumerate((Direction.EAST, Direction.WEST)) if direction & bit):
                held[cycle, way, x, stream : stream + len(planes)] = planes
                known[cycle, way, x, stream : stream + len(planes)] = True
    return held, known


def compare(chip: Chip, queues: Mapping[str, Records], state: State) -> tuple[Trace, State]:
    """Run both, assert that they agree in every cycle, and give back the RTL's trace and the stepper's state after."""
    from waterclock.rtl.cosim import Memories, launch

    events: list[Event] = []
    stepped = step(chip, program_of(chip, queues), state, events.append)
    num_cycles = stepped.length_cycles + DRAIN_CYCLES
    trace = launch(chip, queues, Memories(state.mem, state.reram, state.sram, state.params), num_cycles)
    held, known = shifted(chip, [event for event in events if event.kind is Kind.STREAM], num_cycles)
    rtl = np.stack([trace.eastward, trace.westward], axis=1)
    different = np.argwhere(known & (rtl != held).any(axis=-1))
    assert not len(different), f"first difference at (cycle, way, x, stream) {different[0].tolist()}"
    assert known.any()
    assert trace.issued == issued_by_stepper(chip, queues)
    assert trace.frozen is None
    return trace, stepped.state
