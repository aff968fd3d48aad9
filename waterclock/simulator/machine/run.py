"""The loop that runs a tape: one compiled function, kept on disk between processes."""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from waterclock import numerics
from waterclock.simulator import semantics
from waterclock.simulator.machine import kernels
from waterclock.simulator.machine.kernels.barrier import APART, wait_for_all
from waterclock.simulator.machine.kernels.compiled import call_by_number, compiled
from waterclock.simulator.machine.kernels.memory import part_of

_call = call_by_number(kernels.FUNCTIONS)


@compiled(inline=True)
def _run_section(
    memory: Any, ops: Any, terms: Any, start: Any, stop: int, inner: int, outer: int, is_last: bool
) -> int:
    """Operations start[0] .. stop - 1, whose terms begin with number start[1], for one part of the tokens. Returns -1,
    or the number of the operation that stopped it."""
    term, num_tokens = start[1], len(memory.at)
    memory.runs[0], memory.runs[1] = inner, outer
    for number in range(start[0], stop):
        op = ops[number]
        for t in range(num_tokens):
            memory.at[t] = np.int32(op[5] + (inner + t) * op[8] + outer * op[10])
            memory.place[t] = np.int32(op[6] + (inner + t) * op[9] + outer * op[11])
        while terms[term, 0] == number:
            row = terms[term]
            target = memory.place if row[1] else memory.at
            for t in range(num_tokens):
                param = np.int32(memory.params[row[2]] + row[3] + (inner + t) * row[7] + outer * row[8])
                target[t] = np.int32(target[t] + row[6] * ((param >> row[4]) & row[5]))
            term += 1
        if op[14] and not is_last:
            continue
        memory.shared[0], memory.shared[1] = op[12], op[13]
        _call(op[0], (memory, op[1], op[2], op[3], op[4], memory.at[0], memory.place[0], op[7]))
        if memory.stopped[0]:
            return number
    return -1


@compiled(inline=True)
def _run_once(parts: Any, ops: Any, terms: Any, starts: Any, inner: int, outer: int, thread: int) -> int:
    """One run of the loops: section after section, each for all parts, once all threads are through the one before."""
    num_threads, num_parts = len(parts.counters) // APART, len(parts.values)
    for section in range(len(starts) - 1):
        if num_threads > 1:
            wait_for_all(parts.counters, thread)
        for number in range(num_parts):
            is_last = thread == num_threads - 1 and number == num_parts - 1
            first = inner + number * len(parts.at)
            stopped = _run_section(
                part_of(parts, number), ops, terms, starts[section], starts[section + 1, 0], first, outer, is_last
            )
            if stopped >= 0:
                return stopped
    return -1


@cache
def loop() -> Callable[..., int]:
    """`run(parts, ops, terms, starts, first, inner_runs, outer_runs, thread)` executes a tape in all runs of its loops,
    inner ones from `first` on, and returns -1, or which operation stopped it, counted through all runs.

    A thread runs some parts of the tokens, each on a memory of its own; threads share what is not a token's own.

    numba keeps compiled code under the function's name for as long as the function's own file stays as it is. What is
    compiled in comes from other files too, so the name says what they hold.
    """

    def run(
        parts: Any, ops: Any, terms: Any, starts: Any, first: int, inner_runs: int, outer_runs: int, thread: int
    ) -> int:
        for outer in range(outer_runs):
            for inner in range(inner_runs):
                stopped = _run_once(parts, ops, terms, starts, first + inner, outer, thread)
                if stopped >= 0:
                    return (outer * inner_runs + inner) * len(ops) + stopped
        return -1

    run.__qualname__ = f"run-{_definitions()}"
    return compiled(cache=True)(run)


def _definitions() -> str:
    """A hash of the source of all that is compiled into the loop."""
    packages = [package for module in (numerics, kernels) for package in module.__path__]
    files = [Path(semantics.__file__), *(file for package in packages for file in Path(package).glob("*.py"))]
    return sha256(b"\0".join(file.read_bytes() for file in sorted(files))).hexdigest()[:16]
