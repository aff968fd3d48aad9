"""Lockstep itself: differences that are planted are found and named, and launches follow one another."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count

import numpy as np
import pytest

from tests.programs import random_params, random_program, random_state
from tests.rtl.compare import assembled, program_of
from waterclock.chip import Chip
from waterclock.errors import InputError
from waterclock.simulator.events import Event, Kind
from waterclock.simulator.state import State
from waterclock.simulator.stepper import step


@pytest.fixture(scope="module")
def traced(tiny: Chip) -> tuple[object, State, tuple[Event, ...], int]:
    """A random program with changes of every kind, the state before it, and what is due."""
    for seed in count():
        program, state, events = random_program(tiny, seed), random_state(tiny, seed), []
        state.params[list(random_params(seed))] = list(random_params(seed).values())
        length_cycles = step(tiny, program, state, events.append).length_cycles
        if {event.kind for event in events if event.cycle < length_cycles} == set(Kind):
            return program, state, tuple(events), length_cycles
    raise AssertionError


def with_bit(event: Event) -> list[Event]:
    value = bytearray(event.value)
    value[-1] ^= 0x80
    return [replace(event, value=bytes(value))]


CHANGES: dict[str, Callable[[Event], list[Event]]] = {
    "a bit": with_bit,
    "a cycle late": lambda event: [replace(event, cycle=event.cycle + 1)],
    "missing": lambda event: [],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("kind", Kind)
def test_a_planted_difference_is_named(tiny: Chip, traced: tuple, kind: Kind, change: str) -> None:
    """In the cycle of the event that is changed, whatever follows. A result on a stream can't be one too many: nothing
    on a stream says that it is a result."""
    from waterclock.rtl.cosim import Memories
    from waterclock.rtl.lockstep import Lockstep

    program, state, events, length_cycles = traced
    places = [place for place, event in enumerate(events) if event.kind is kind and event.cycle < length_cycles - 1]
    place = places[len(places) // 2]
    event = events[place]
    planted = [*events[:place], *CHANGES[change](event), *events[place + 1 :]]
    lockstep = Lockstep(tiny, program, Memories(state.mem, state.reram, state.sram, state.params))
    checked = lockstep.launch({}, planted, length_cycles)
    if kind is Kind.STREAM and change == "missing":
        assert checked.difference is None
        return
    lag = tiny.mxm.sense_cycles - 2 if kind is Kind.TILE else 0
    late = kind is Kind.STREAM and change == "a cycle late"
    difference = checked.difference
    assert difference is not None
    assert difference.cycle == checked.num_cycles == event.cycle + lag + late
    if change == "a bit":
        assert difference.instruction.startswith(f"{event.queue}, entry {event.entry}: ")
        assert difference.lane == (0 if kind is Kind.PARAM else tiny.lanes - 1)
        assert int(difference.expected, 16) ^ int(difference.got, 16) == 0x80 << 4 * (len(difference.got) - 4)


def test_a_freeze_is_a_difference(tiny: Chip) -> None:
    from waterclock.rtl.cosim import Memories
    from waterclock.rtl.lockstep import Lockstep

    program = program_of(tiny, assembled({"mem0": f"icu.nop n=7\nmem.read32 word[{tiny.mem.num_words}] -> s0e"}))
    checked = Lockstep(tiny, program, Memories()).launch({}, [], 20)
    assert str(checked.difference) == (
        f"launch 0, cycle 7: chip: expected nothing of mem0, entry 2: mem.read32 word[{tiny.mem.num_words}] -> s0e, "
        "got a freeze, cause address"
    )


def test_a_write_outside_the_memory_is_a_difference(tiny: Chip) -> None:
    """The comparison keeps a copy of MEM and must not write beyond it, wherever the RTL writes."""
    from waterclock.rtl.cosim import Memories
    from waterclock.rtl.lockstep import Lockstep

    text = {"mem0": "mem.read32 word[0] -> s0ew\nicu.nop n=1\nmem.write32 s0e, word[9]"}
    program = program_of(tiny, assembled(text))
    mem = np.zeros((tiny.num_mem, tiny.mem.num_words, tiny.lanes), np.int32)
    mem[0, 0] = 5
    lockstep = Lockstep(tiny, program, Memories(mem=mem))
    lockstep.chip = tiny.with_fields({"mem.num_words": 9})
    difference = lockstep.launch({}, [], 20).difference
    assert difference is not None
    assert (difference.cycle, difference.place, difference.expected) == (2, "mem0, word 9", "nothing")
    assert (lockstep.mem == mem).all()


def test_a_program_for_another_chip_is_refused(tiny: Chip) -> None:
    from waterclock.rtl.cosim import Memories
    from waterclock.rtl.lockstep import Lockstep

    program = replace(program_of(tiny, {}), chip_sha256="0" * 64)
    with pytest.raises(InputError, match="another chip"):
        Lockstep(tiny, program, Memories())


def test_launches_follow_one_another_at_the_period(tiny: Chip) -> None:
    """What one launch leaves in memory, tiles and parameters is there in the next."""
    from waterclock.rtl.core import LAUNCH_CYCLES
    from waterclock.rtl.cosim import Memories
    from waterclock.rtl.lockstep import Lockstep

    state = random_state(tiny, 7)
    program = random_program(tiny, 7)
    lockstep = Lockstep(tiny, program, Memories(state.mem, state.reram, state.sram, state.params))
    for number in range(6):
        params = random_params(number)
        state.params[list(params)] = np.array(list(params.values()), np.int32)
        events: list[Event] = []
        stepped = step(tiny, program, state, events.append)
        checked = lockstep.launch(params, events, stepped.length_cycles)
        assert checked.difference is None
        preparing = len(params) + LAUNCH_CYCLES
        assert checked.num_cycles + preparing == stepped.length_cycles + tiny.launch_gap_cycles
        state = stepped.state
    first, outputs = lockstep.outputs_around(100, 5, 3)
    assert first == 95
    assert {len(words) for words in outputs.values()} == {8}
    stored = np.ascontiguousarray(outputs["params"]).view(np.int32)
    assert (stored[:, list(params)] == list(params.values())).all()
