"""Launch parameters in gates: each takes any value of its own range and no other, and is seen when it arrives."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.programs.walks import wide
from tests.rtl.compare import assembled
from waterclock.chip import Chip
from waterclock.isa.causes import Cause
from waterclock.isa.program import Param, Program
from waterclock.simulator.events import Event, Kind
from waterclock.simulator.state import State
from waterclock.simulator.stepper import step

WORD_BITS, LEAST, MOST = 32, -(1 << 31), (1 << 31) - 1
SET_ENTRY = 2
NUM_ROUNDS = 4
MAX_ALUS = 4


def arrival(chip: Chip) -> int:
    return chip.latency.mem_read + chip.slice_by_name["mem1"].x - chip.slice_by_name["mem0"].x


def around_ranges(rng: np.random.Generator) -> Iterator[tuple[int, int, int]]:
    """A range of any width, and a value at an end of it, just outside, a power of two away, or anywhere."""
    low, high = sorted(wide(rng, WORD_BITS) for _ in range(2))
    away = 1 << int(rng.integers(WORD_BITS))
    for value in (low, high, low - 1, high + 1, low - away, low + away, high - away, high + away):
        if LEAST <= value <= MOST:
            yield low, high, value


@pytest.mark.parametrize("seed", range(NUM_ROUNDS))
def test_every_parameter_has_a_range_of_its_own(tiny: Chip, seed: int) -> None:
    from waterclock.rtl.cosim import Frozen, Memories, launch

    rng, arrives = np.random.default_rng(seed), arrival(tiny)
    for param in range(tiny.num_params):
        queues = assembled({
            "mem0": "mem.read32 word[7] -> s4e",
            "mem1": f"icu.nop n={arrives}\nicu.set_param s4e, param={param}",
        })  # fmt: skip
        for low, high, value in around_ranges(rng):
            ranges = rng.integers(LEAST, MOST, (tiny.num_params, 2)).astype(np.int32)
            mem = np.zeros((tiny.num_mem, tiny.mem.num_words, tiny.lanes), np.int32)
            ranges[param], mem[0, 7, 0] = (low, high), value
            frozen = launch(tiny, queues, Memories(mem=mem, ranges=ranges), arrives + 2).frozen
            assert frozen == (None if low <= value <= high else Frozen(arrives, "mem1", SET_ENTRY, Cause.PARAM))


def program_that_sets(chip: Chip, params: list[int]) -> Program:
    """Words 0, 1, ... of MEM slice 0 become these parameters in turn, while all ALUs look at each in every cycle."""
    gap = chip.param_latency_cycles + 2
    before = f"icu.nop n={arrival(chip)}"
    stream_by_alu = {f"vxm.alu{number}": 8 + 4 * number for number in range(min(chip.vxm.num_alus, MAX_ALUS))}
    texts: dict[str, list[str]] = {"mem0": [], "mem1": [before], **{name: [before] for name in stream_by_alu}}
    for number, param in enumerate(params):
        texts["mem0"] += [f"mem.read32 word[{number}] -> s4e", f"icu.nop n={gap - 1}"]
        texts["mem1"] += [f"icu.set_param s4e, param={param}", f"icu.nop n={gap - 1}"]
        for name, stream in stream_by_alu.items():
            texts[name] += [f"vxm.move p{param}+0 -> s{stream}ew", f"icu.repeat n={gap - 1}, distance=1"]
    declared = tuple(Param(f"p{param}", param, LEAST, MOST, host=False) for param in sorted(set(params)))
    empty: dict[str, np.ndarray] = {}
    queues = assembled({name: "\n".join(lines) for name, lines in texts.items()})
    return Program("sets", chip.sha256, queues, empty, empty, (), (), declared, (), 0)


def test_every_parameter_takes_any_value(tiny: Chip) -> None:
    from waterclock.rtl.cosim import Memories
    from waterclock.rtl.lockstep import Lockstep

    rng, state, events = np.random.default_rng(50), State.zero(tiny), list[Event]()
    params = [int(param) for _ in range(NUM_ROUNDS) for param in rng.permutation(tiny.num_params)]
    state.mem[:] = rng.integers(LEAST, MOST, state.mem.shape)
    state.params[:] = rng.integers(LEAST, MOST, tiny.num_params)
    program = program_that_sets(tiny, params)
    lockstep = Lockstep(tiny, program, Memories(mem=state.mem, params=state.params))
    stepped = step(tiny, program, state, events.append)
    checked = lockstep.launch({}, events, stepped.length_cycles)
    assert checked.difference is None
    assert {event.place for event in events if event.kind is Kind.PARAM} == {(param,) for param in params}
