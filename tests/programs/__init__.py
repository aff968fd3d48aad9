"""Random legal programs, for comparing executions with one another.

A program is a chain of parts. Most parts are noise: cycle by cycle, each queue issues something at random whose
operands it can find. `Noise` keeps track of where each result stands (a result on a stream stays on one diagonal of
cycle and x) and of what is taken. The other parts are idioms that noise does not find: repeats, parameters that a
launch sets and then uses, rows that are written and then multiplied. Any part may be in loops, with strides.
"""

from collections.abc import Callable

import numpy as np

from tests.programs.idioms import attention, copies, routing
from tests.programs.noise import SPECIAL_WORDS, noise
from tests.programs.parts import (
    ANY,
    MAX_ROUTED,
    PARAMS,
    POSITION,
    ROUTED,
    SET,
    SMALL_WORD,
    Part,
    Row,
    append,
    row_of,
    stacked,
)
from tests.programs.sweeps import sweeps
from waterclock.chip import Chip, SliceKind
from waterclock.isa.program import Output, Program, empty_flow
from waterclock.simulator.state import State

__all__ = [
    "ANY", "NUM_PARTS", "PARAMS", "POSITION", "ROUTED", "SET", "SPECIAL_WORDS", "random_params", "random_program",
    "random_state",
]  # fmt: skip

NUM_PARTS = 5
_PARTS: tuple[Callable[[Chip, np.random.Generator], Part], ...] = (noise, copies, routing, attention, sweeps)
_ODDS = (0.55, 0.05, 0.1, 0.1, 0.2)


def random_state(chip: Chip, seed: int) -> State:
    """Memories full of ordinary numbers, special ones and random bits; parameters in their ranges."""
    rng, state = np.random.default_rng(seed), State.zero(chip)
    shape = state.mem.shape
    ordinary = rng.normal(0, 8, shape).astype(np.float32).view(np.int32)
    noise = rng.integers(-(1 << 31), 1 << 31, shape).astype(np.int32)
    kinds = [ordinary, rng.integers(-9, 9, shape).astype(np.int32), rng.choice(SPECIAL_WORDS, shape), noise]
    state.mem[:] = np.choose(rng.choice(4, shape, p=[0.6, 0.2, 0.1, 0.1]), kinds)
    state.mem[0, SMALL_WORD, 0] = rng.integers(0, MAX_ROUTED + 1)
    state.reram[:] = rng.integers(-128, 128, state.reram.shape)
    state.sram[:] = rng.integers(-128, 128, state.sram.shape)
    return state


def random_params(seed: int) -> dict[int, int]:
    """What a host may write before a launch."""
    rng = np.random.default_rng(seed)
    return {param.index: int(rng.integers(param.low, param.high, endpoint=True)) for param in PARAMS if param.host}


def random_program(chip: Chip, seed: int, num_parts: int = NUM_PARTS) -> Program:
    """A legal program for `chip` (one with SRAM tiles and at least 4 MEM words), the same for the same seed."""
    rng = np.random.default_rng(seed)
    queues: dict[str, list[Row]] = {queue.name: [row_of("icu.start")] for queue in chip.queues}
    for _ in range(num_parts):
        make = _PARTS[rng.choice(len(_PARTS), p=_ODDS)]
        append(queues, make(chip, rng), rng)
    records = {name: stacked(rows) for name, rows in queues.items()}
    slices = [piece.name for piece in chip.slices_of(SliceKind.MEM)]
    words = tuple((str(rng.choice(slices)), int(rng.integers(chip.mem.num_words))) for _ in range(3))
    return Program(
        name=f"random {seed}",
        chip_sha256=chip.sha256,
        queues=records,
        flow={name: empty_flow(len(rows)) for name, rows in records.items()},
        labels={},
        operations=(),
        objects=(),
        params=PARAMS,
        outputs=(Output("words", words, 3 * chip.lanes - 1, (-1, -1, -1)),),
        length_cycles=0,
    )
