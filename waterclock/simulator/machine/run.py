"""The loop that runs a tape: one compiled function, kept on disk between processes."""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from waterclock import numerics
from waterclock.simulator import semantics
from waterclock.simulator.machine.compiled import call_by_number, compiled
from waterclock.simulator.machine.kernels import FUNCTIONS

Run = Callable[..., int]

_call = call_by_number(FUNCTIONS)


def _definitions() -> str:
    """A hash of the source of everything that is compiled in: numba itself looks only at the file of the loop."""
    files = [Path(semantics.__file__), *Path(__file__).parent.glob("*.py"), *Path(numerics.__path__[0]).glob("*.py")]
    return sha256(b"\0".join(file.read_bytes() for file in sorted(files))).hexdigest()


def _loop(definitions: str) -> Run:
    @compiled(cache=True)
    def run(memory: Any, ops: Any, terms: Any) -> int:
        _ = definitions  # part of the key under which numba keeps the compiled loop
        term = 0
        for number in range(len(ops)):
            op = ops[number]
            at, place = op[5], op[6]
            while terms[term, 0] == number:
                param = np.int32(memory.params[terms[term, 2]] + terms[term, 3])
                delta = terms[term, 6] * ((param >> terms[term, 4]) & terms[term, 5])
                if terms[term, 1]:
                    place = np.int32(place + delta)
                else:
                    at = np.int32(at + delta)
                term += 1
            _call(op[0], (memory, op[1], op[2], op[3], op[4], at, place, op[7]))
            if memory.stopped[0]:
                return number
        return -1

    return run


@cache
def loop() -> Run:
    """`run(memory, ops, terms)` executes a tape and returns -1, or the number of the operation that stopped it."""
    return _loop(_definitions())
