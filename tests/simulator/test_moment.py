"""A moment shows what the stepper has told of: the machine is built again from its events, in dictionaries."""

from collections import defaultdict

import numpy as np
import pytest

from tests.programs import random_params, random_program, random_state
from waterclock.chip import Chip
from waterclock.isa.record import Direction
from waterclock.simulator.events import Event, Kind
from waterclock.simulator.moment import Moment
from waterclock.simulator.sequencer import issues
from waterclock.simulator.state import State
from waterclock.simulator.stepper import moments, step

SEEDS = (3,)
STEPS = {Direction.EAST: 1, Direction.WEST: -1}


def launched(chip: Chip, seed: int) -> State:
    state = random_state(chip, seed)
    for index, value in random_params(seed).items():
        state.params[index] = value
    return state


class Told:
    """Streams, holds and parameters as the events up to a cycle leave them."""

    def __init__(self, chip: Chip, events: list[Event], state: State) -> None:
        self.num_positions, self.lanes = chip.num_positions, chip.lanes
        self.events_by_cycle: dict[int, list[Event]] = defaultdict(list)
        for event in events:
            self.events_by_cycle[event.cycle].append(event)
        self.streams: dict[tuple[int, int, int], bytes] = {}
        self.holds: dict[int, bytes] = {}
        self.params = {index: int(value) for index, value in enumerate(state.params)}

    def advance(self, cycle: int) -> None:
        moved = {(way, x + STEPS[Direction(way)], s): value for (way, x, s), value in self.streams.items()}
        self.streams = {place: value for place, value in moved.items() if 0 <= place[1] < self.num_positions}
        for event in self.events_by_cycle[cycle]:
            getattr(self, event.kind.value, lambda event: None)(event)

    def stream(self, event: Event) -> None:
        x, direction, first = event.place
        width = len(event.value) // self.lanes
        for way in STEPS:
            for byte in range(width if way in Direction(direction) else 0):
                self.streams[way, x, first + byte] = event.value[byte::width]

    def hold(self, event: Event) -> None:
        self.holds[event.place[0]] = event.value

    def param(self, event: Event) -> None:
        self.params[event.place[0]] = int.from_bytes(event.value, "little", signed=True)


def streams_in(moment: Moment) -> dict[tuple[int, int, int], bytes]:
    return {
        (Direction(1 << way), x, stream): moment.streams[way, x, stream].tobytes()
        for way, x, stream in np.argwhere(moment.written).tolist()
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_every_cycle_shows_what_the_events_say(tiny: Chip, seed: int) -> None:
    program, state, events = random_program(tiny, seed), launched(tiny, seed), []
    length = step(tiny, program, state, events.append).length_cycles
    told = Told(tiny, events, state)
    cycle = 0
    for cycle, moment in enumerate(moments(tiny, program, state)):
        told.advance(cycle)
        assert moment.cycle == cycle
        assert streams_in(moment) == told.streams
        assert {index: words.tobytes() for index, words in moment.hold_by_index.items()} == told.holds
        assert dict(enumerate(moment.params.tolist())) == told.params
    assert cycle >= length - 1 > 200
    assert {event.kind for event in events} >= {Kind.STREAM, Kind.HOLD}


@pytest.mark.parametrize("seed", SEEDS)
def test_the_issues_are_those_of_the_sequencer(tiny: Chip, seed: int) -> None:
    program = random_program(tiny, seed)
    expected = [
        (issue.cycle, queue.number, issue.entry, issue.iteration)
        for queue in tiny.queues
        for issue in issues(queue, program.queues[queue.name])
    ]
    found = [
        (moment.cycle, issue.queue.number, issue.entry, issue.iteration)
        for moment in moments(tiny, program, launched(tiny, seed))
        for issue in moment.issues
    ]
    assert found == sorted(expected)


def test_an_accumulator_shows_what_its_matvec_drove(tiny: Chip) -> None:
    """In the cycle after an issue that emits, its accumulator holds what arrives on the stream later."""
    seen = 0
    for seed in (1, 3):
        program, state, events = random_program(tiny, seed), launched(tiny, seed), []
        step(tiny, program, state, events.append)
        driven = {(e.cycle, e.queue, e.entry): e.value for e in events if e.kind is Kind.STREAM}
        emitted: list[tuple[bytes, tuple[int, int]]] = []
        for moment in moments(tiny, program, state):
            for value, place in emitted:
                assert moment.accumulator_by_place[place].tobytes() == value
                seen += 1
            emitted = [
                (driven[moment.cycle + tiny.latency.matvec, issue.queue.name, issue.entry], place)
                for issue in moment.issues
                if issue.row.field("acc") and issue.record["emit"] and issue.record["result"]["direction"]
                for place in [(issue.queue.slice.index, int(issue.record["acc"]))]
            ]
    assert seen > 5


def test_looking_changes_nothing(tiny: Chip) -> None:
    program, state = random_program(tiny, 1), launched(tiny, 1)
    before = state.copy()
    for _ in moments(tiny, program, state):
        pass
    assert state.equals(before)
