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
from waterclock.simulator.machine.kernels.compiled import call_by_number, compiled

_call = call_by_number(kernels.FUNCTIONS)


@cache
def loop() -> Callable[..., int]:
    """`run(memory, ops, terms)` executes a tape and returns -1, or the number of the operation that stopped it.

    numba keeps compiled code under the function's name for as long as the function's own file stays as it is. What is
    compiled in comes from other files too, so the name says what they hold.
    """

    def run(memory: Any, ops: Any, terms: Any) -> int:
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

    run.__qualname__ = f"run-{_definitions()}"
    return compiled(cache=True)(run)


def _definitions() -> str:
    """A hash of the source of all that is compiled into the loop."""
    packages = [package for module in (numerics, kernels) for package in module.__path__]
    files = [Path(semantics.__file__), *(file for package in packages for file in Path(package).glob("*.py"))]
    return sha256(b"\0".join(file.read_bytes() for file in sorted(files))).hexdigest()[:16]
