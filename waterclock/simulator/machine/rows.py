"""Where values live: rows of one small array that are used again as soon as nobody will read them."""

from typing import Any

import numpy as np
import numpy.typing as npt

from waterclock.simulator.machine.kernels.compiled import compiled

Ints = npt.NDArray[np.int32]

NO_VALUE = -1


def assign_rows(ops: Ints, also: Ints, num_constants: int, num_values: int) -> int:
    """Replace values by rows, in place; returns the number of rows.

    `ops` is [num_ops, 4], in order of execution: the value that the operation makes and the three that it takes, or
    NO_VALUE. `also` is [n, 2], in the same order: an operation and a further value that it takes. Values
    0 .. num_constants - 1 exist from the start, keep the rows of the same numbers and are not made.
    The row of a result is never one of its operation's operands. What has no value gets row 0.
    """
    last_use = np.full(num_values, NO_VALUE, np.int32)
    for operand in ops.T[1:]:
        used = operand != NO_VALUE
        np.maximum.at(last_use, operand[used], np.flatnonzero(used).astype(np.int32))
    np.maximum.at(last_use, also[:, 1], also[:, 0])
    last_use[:num_constants] = len(ops)
    row, free = np.arange(num_values), np.empty(num_values + 1, np.int64)
    return _scan(ops, also, last_use, row, free, num_constants)


@compiled(cache=True)
def _scan(ops: Any, also: Any, last_use: Any, row: Any, free: Any, num_constants: Any) -> int:
    """`row` and `free` are scratch: the row of each value, and a stack of rows that nobody needs."""
    num_free, num_rows, further = 0, num_constants, 0
    for number in range(len(ops)):
        made = ops[number, 0]
        if made >= 0:
            if num_free:
                num_free -= 1
                row[made] = free[num_free]
            else:
                row[made] = num_rows
                num_rows += 1
        for place in range(1, 4):
            value = ops[number, place]
            if value >= 0 and last_use[value] == number:
                last_use[value] = -1
                free[num_free] = row[value]
                num_free += 1
        while further < len(also) and also[further, 0] == number:
            value = also[further, 1]
            also[further, 1] = row[value]
            further += 1
            if last_use[value] == number:
                last_use[value] = -1
                free[num_free] = row[value]
                num_free += 1
        if made >= 0 and last_use[made] < 0:
            free[num_free] = row[made]
            num_free += 1
        for place in range(4):
            value = ops[number, place]
            ops[number, place] = row[value] if value >= 0 else 0
    return max(num_rows, 1)
