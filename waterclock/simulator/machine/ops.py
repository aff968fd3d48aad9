"""The columns of a tape's operations: a kernel's number, its arguments, and how they change from run to run."""

import numpy as np
import numpy.typing as npt

from waterclock.isa.record import OPERAND_NAMES
from waterclock.simulator.link.rolled import INNER, OUTER

Ints = npt.NDArray[np.int32]

COLUMNS = (
    "kernel", "result", "a", "b", "c", "at", "place", "extra",
    "at_inner", "place_inner", "at_outer", "place_outer", "slot", "ahead", "is_last",
)  # fmt: skip
"""The columns of `Tape.ops`: a kernel's number and its arguments; what each run of the loops adds to `at` and `place`;
the number (1 and on) of the write of parts that the operation is or reads, with the tokens that it is ahead; and
whether all tokens write in one place, where the last one's write is enough."""
RESULT, A, AT, PLACE, EXTRA = (COLUMNS.index(name) for name in ("result", "a", "at", "place", "extra"))
STEPS = {INNER: COLUMNS.index("at_inner"), OUTER: COLUMNS.index("at_outer")}
SLOT, AHEAD, IS_LAST = (COLUMNS.index(name) for name in ("slot", "ahead", "is_last"))
VALUES = slice(RESULT, A + len(OPERAND_NAMES))
