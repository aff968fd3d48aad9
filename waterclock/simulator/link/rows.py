"""The entries of a program, with the loops around them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from waterclock.isa.record import Records

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Rows:
    """All entries of a program, queue after queue in the order of their numbers; m of them.

    `record` holds INSTRUCTION rows; `queue` and `entry` say where each stands. `start` is the cycle of the first issue.
    For each level (0 the repeat, 1 to 3 the loops around it, innermost first) `runs` counts the runs (1 where there is
    no such level), `period` is the cycles between two and `steered_by` the entry of the repeat or loop (-1: none).
    """

    record: Records
    queue: Longs
    entry: Longs
    start: Longs
    runs: Longs
    period: Longs
    steered_by: Longs
