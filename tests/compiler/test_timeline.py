"""Timeline: reservations never overlap, and a failed try leaves no trace."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waterclock.chip import load
from waterclock.compiler.timeline import SIDES, Source, Timeline
from waterclock.isa.table import Width

CHIP = load("tiny").with_fields({"num_streams": 8})
CYCLES = st.integers(0, 8)
POSITIONS = st.integers(0, CHIP.num_positions - 1)
DIAGONALS = st.integers(0, 1)
EAST, WEST = range(len(SIDES))


@dataclass
class Run:
    """A timeline and what was reserved on it."""

    timeline: Timeline
    sources: list[Source]
    holds: list[tuple[int, list[int]]]


Request = Callable[[Run], object]


@st.composite
def new_source(draw: st.DrawFn) -> Request:
    x, diagonal, width = draw(POSITIONS), draw(DIAGONALS), draw(st.sampled_from(Width))
    side, far = draw(st.sampled_from([EAST, WEST])), draw(st.integers(0, 3))
    end = max(0, x - far) if side else min(CHIP.num_positions - 1, x + far)
    t = diagonal + (CHIP.num_positions - x if side else x)

    def request(run: Run) -> object:
        source = run.timeline.source(x, t, width, [(side, end)])
        if source is None:
            return None
        run.sources.append(source)
        run.timeline.on_rollback(run.sources.pop)
        return source.track, list(source.reach)

    return request


@st.composite
def extension(draw: st.DrawFn) -> Request:
    which, side, steps = draw(st.integers(0, 9)), draw(st.sampled_from([EAST, WEST])), draw(st.integers(0, 8))

    def request(run: Run) -> object:
        if not run.sources:
            return None
        source = run.sources[which % len(run.sources)]
        x = source.x - steps if side else source.x + steps
        return 0 <= x < CHIP.num_positions and run.timeline.extend(source, side, x)

    return request


@st.composite
def hold(draw: st.DrawFn) -> Request:
    start, length = draw(CYCLES), draw(st.integers(0, 6))

    def request(run: Run) -> object:
        held = run.timeline.hold(start, start + length)
        if held is None:
            return None
        run.holds.append(held)
        run.timeline.on_rollback(run.holds.pop)
        return held[0]

    return request


@st.composite
def longer_hold(draw: st.DrawFn) -> Request:
    which, end = draw(st.integers(0, 9)), draw(st.integers(0, 20))
    return lambda run: bool(run.holds) and run.timeline.keep(*run.holds[which % len(run.holds)], end)


@st.composite
def issue(draw: st.DrawFn) -> Request:
    queue, t = draw(st.integers(0, 2)), draw(CYCLES)
    return lambda run: run.timeline.take(queue, t)


BUSY = {False: CHIP.mxm.sense_cycles, True: CHIP.mxm.write_row_cycles}


@st.composite
def access(draw: st.DrawFn) -> Request:
    sram, t, read = draw(st.booleans()), draw(CYCLES), draw(st.booleans())
    busy_cycles = 1 if sram and read else BUSY[sram]
    return lambda run: run.timeline.take_bank((1, sram, 0), t, busy_cycles)


KINDS = {
    "streams": (new_source(), extension()),
    "holds": (hold(), longer_hold()),
    "issues": (issue(), access()),
}
REQUESTS = {kind: st.lists(st.one_of(*requests), max_size=30) for kind, requests in KINDS.items()}


def execute(run: Run, requests: list[Request]) -> list[object]:
    return [request(run) for request in requests]


def fresh() -> Run:
    return Run(Timeline(CHIP), [], [])


def registers(source: Source) -> set[tuple[int, int, int, int]]:
    """The stream registers (side, stream, position, cycle) that a value is in."""
    streams = range(source.track, source.track + source.width.value)
    return {
        (side, stream, x, source.t + abs(x - source.x))
        for side, reach in enumerate(source.reach)
        if reach is not None
        for x in (range(reach, source.x + 1) if side else range(source.x, reach + 1))
        for stream in streams
    }


@given(REQUESTS["streams"])
def test_no_two_values_are_in_one_stream_register(requests: list[Request]) -> None:
    run = fresh()
    execute(run, requests)
    taken = [register for source in run.sources for register in registers(source)]
    assert len(taken) == len(set(taken))
    assert all(stream < CHIP.num_streams for _, stream, _, _ in taken)


@given(REQUESTS["holds"])
def test_no_two_values_are_in_one_hold_register(requests: list[Request]) -> None:
    run = fresh()
    execute(run, requests)
    cycles = [(number, t) for number, (a, b) in run.holds for t in range(a, b + 1)]
    assert len(cycles) == len(set(cycles))


@pytest.mark.parametrize("kind", REQUESTS)
@given(st.data())
def test_what_is_rolled_back_was_never_there(kind: str, data: st.DataObject) -> None:
    before, failed, after = (data.draw(REQUESTS[kind]) for _ in range(3))
    tried, other = fresh(), fresh()
    assert execute(tried, before) == execute(other, before)
    mark = tried.timeline.mark()
    execute(tried, failed)
    tried.timeline.rollback(mark)
    assert execute(tried, after) == execute(other, after)


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from([1, 2, 5])), max_size=20))
def test_accesses_of_a_bank_are_its_busy_time_apart(accesses: list[tuple[int, int]]) -> None:
    timeline = Timeline(CHIP)
    taken = [(t, busy) for t, busy in accesses if timeline.take_bank((3, True, 0), t, busy)]
    cycles = [c for t, busy in taken for c in range(t, t + busy)]
    assert len(cycles) == len(set(cycles))
    assert len(taken) >= min(1, len(accesses))


def test_an_issue_takes_its_cycle_until_it_is_given_back() -> None:
    timeline = Timeline(CHIP)
    assert timeline.take(0, 4) and not timeline.take(0, 4) and not timeline.take(0, -1)
    timeline.release(0, 4)
    assert timeline.free(0, 4) and timeline.take(0, 4)


def test_what_no_use_needs_is_given_back() -> None:
    timeline, last = Timeline(CHIP), CHIP.num_positions - 1
    word = timeline.source(2, 0, Width.WORD, [(EAST, last)])
    assert word is not None
    assert timeline.source(3, 1, Width.WORD, [(EAST, last)]) is None  # the only group of streams
    word.uses.append((EAST, 4))
    timeline.trim(word)
    assert word.reach[EAST] == 4
    assert timeline.source(4, 2, Width.WORD, [(EAST, last)]) is None
    assert timeline.source(5, 3, Width.WORD, [(EAST, last)]) is not None


@pytest.mark.parametrize("side", [EAST, WEST])
def test_a_value_flows_as_far_as_the_next_on_its_diagonal(side: int) -> None:
    timeline, way = Timeline(CHIP), -1 if side else 1
    start, end = (6, 3) if side else (2, 5)
    first = timeline.source(start, 0, Width.WORD, [(side, start)])
    second = timeline.source(end, 3, Width.WORD, [(side, end)])
    assert first is not None and second is not None and first.track == second.track
    assert not timeline.extend(first, side, end)
    assert timeline.extend(first, side, end - way)
    assert first.reach[side] == end - way


def test_an_extension_is_rolled_back() -> None:
    timeline = Timeline(CHIP)
    source = timeline.source(2, 0, Width.WORD, [(EAST, 2)])
    assert source is not None
    mark = timeline.mark()
    assert timeline.extend(source, EAST, 5) and timeline.extend(source, WEST, 1)
    timeline.rollback(mark)
    assert source.reach == [2, None]
    assert timeline.source(4, 2, Width.WORD, [(EAST, 5)]) is not None
    assert not timeline.extend(source, EAST, 5)
    assert timeline.extend(source, EAST, 3)
