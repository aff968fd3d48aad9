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
    """`run(memory, ops, terms, inner, outer)` executes a tape in these runs of its loops and returns -1, or the number
    of the operation that stopped it.

    numba keeps compiled code under the function's name for as long as the function's own file stays as it is. What is
    compiled in comes from other files too, so the name says what they hold.
    """

    def run(memory: Any, ops: Any, terms: Any, inner: int, outer: int) -> int:
        term, num_tokens = 0, len(memory.at)
        for number in range(len(ops)):
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
            memory.shared[0], memory.shared[1] = op[12] + outer * op[14], op[13]
            _call(op[0], (memory, op[1], op[2], op[3], op[4], memory.at[0], memory.place[0], op[7]))
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
