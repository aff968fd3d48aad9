"""Parts: the tokens of a tape, cut in parts that are small enough for a cache, and shared out among threads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from waterclock.simulator.machine.kernels.barrier import APART
from waterclock.simulator.machine.kernels.chains import COLUMNS, PARTS
from waterclock.simulator.machine.kernels.memory import Memory
from waterclock.simulator.machine.ready import Ready
from waterclock.simulator.machine.run import loop
from waterclock.simulator.machine.tape import Tape
from waterclock.simulator.state import State

MOST_TOKENS = 16
"""Of a part: a hundred values of as many tokens of 64 lanes are 400 KiB, which a core's second cache holds."""

INT32 = np.iinfo(np.int32)
Element = TypeVar("Element", bound=np.generic)


@dataclass(frozen=True)
class Share:
    """What a thread runs: the parts of the tokens from number `first` on. Arrays of `memory` that hold what is a
    token's own have one dimension more, the first, for the parts."""

    thread: int
    first: int
    memory: Memory


def run_share(tape: Tape, share: Share) -> int:
    """Run a tape for a thread's tokens; see `run.loop`."""
    stretch = tape.stretch
    return loop()(
        share.memory,
        tape.ops,
        tape.terms,
        tape.starts,
        share.first,
        stretch.inner_runs,
        stretch.outer_runs,
        share.thread,
    )


def shares(ready: Ready, tape: Tape, state: State, num_threads: int) -> Sequence[Share]:
    """The tokens of a tape, shared out as evenly as equal parts allow. One part where tokens meet."""
    num_tokens = tape.stretch.num_tokens
    size = _size_of_part(num_tokens, num_threads) if tape.stretch.is_apart else num_tokens
    num_parts = num_tokens // size
    num_threads = min(num_threads, num_parts)
    bounds = [num_parts * thread // num_threads for thread in range(num_threads + 1)]
    slots = 1 + tape.num_slots
    shared = {
        "written": np.zeros((slots, 2, num_tokens), np.int32),
        "rows_before": np.zeros((slots, num_tokens, ready.chip.lanes), np.int8),
        "lanes_before": np.zeros((slots, num_tokens), np.int32),
        "counters": np.zeros(APART * num_threads, np.int64),
    }
    return [
        Share(
            thread,
            size * bounds[thread],
            _memory(ready, tape, state, bounds[thread + 1] - bounds[thread], size, shared),
        )
        for thread in range(num_threads)
    ]


def _size_of_part(num_tokens: int, num_threads: int) -> int:
    """The most tokens, up to MOST_TOKENS, with which all parts are alike and every thread has one."""
    most = min(MOST_TOKENS, max(1, num_tokens // num_threads))
    return next(size for size in range(most, 0, -1) if num_tokens % size == 0)


def _memory(
    ready: Ready, tape: Tape, state: State, num_parts: int, num_tokens: int, shared: Mapping[str, npt.NDArray[Any]]
) -> Memory:
    chip = ready.chip
    values = np.zeros((num_parts, tape.num_rows, num_tokens * chip.lanes), np.int32)
    values[:, : len(tape.constants)] = tape.constants[:, None]
    acc = np.zeros((num_parts, chip.num_mxm * chip.mxm.num_accumulators, num_tokens * chip.lanes), np.int32)
    limits = np.full((chip.num_params, 2), (INT32.min, INT32.max), np.int32)
    for param in ready.program.params:
        limits[param.index] = param.low, param.high
    return Memory(
        values=values,
        floats=values.view(np.float32),
        bytes=values.view(np.uint8),
        by_token=values.reshape(*values.shape[:2], num_tokens, chip.lanes),
        mem=_viewed(state.mem, (-1, chip.lanes)),
        reram=_viewed(state.reram, (-1,)),
        sram=_viewed(state.sram, (-1,)),
        acc=acc,
        acc_by_token=acc.reshape(*acc.shape[:2], num_tokens, chip.lanes),
        params=state.params,
        limits=limits,
        operand=np.zeros(chip.lanes, np.int16),
        links=tape.links,
        operands=np.zeros((tape.longest_chain, num_tokens, chip.lanes), np.int8),
        places=np.zeros((2, tape.longest_chain), np.int64),
        beginnings=np.zeros((-(-chip.lanes // COLUMNS), num_tokens, PARTS), np.int32),
        runs=np.zeros(2, np.int32),
        stopped=np.zeros(1, np.bool_),
        at=np.zeros(num_tokens, np.int32),
        place=np.zeros(num_tokens, np.int32),
        shared=np.zeros(2, np.int32),
        **shared,
    )


def _viewed(array: npt.NDArray[Element], shape: tuple[int, ...]) -> npt.NDArray[Element]:
    """The same memory in another shape; ValueError where only a copy could have it."""
    if not array.flags.c_contiguous:
        raise ValueError("the arrays of a state must be contiguous")
    return array.reshape(shape)
