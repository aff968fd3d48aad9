"""Whether a fault in exp2, reciprocal or rsqrt changes anything, decided by all that the operations in them can meet.

Their sequences begin with a number in [1, 2) or [1, 4) and a place in a table; the power of two goes beside them to the
last two steps. What sits in a module inside a sequence therefore sees 2^23 or 2^24 different operands, and no more.
"""

import re
from collections.abc import Iterable

import numpy as np

from tests.rtl.mutants import lanes
from tests.rtl.mutants.chip import Mutated
from tests.rtl.mutants.choice import Mutation
from tests.rtl.test_datapaths import CASES, NUM_SIGNIFICANDS, SIGNIFICANDS

WAY = "no significand gives another result"


def way_of(mutation: Mutation, where: Iterable[lanes.Placed], design: Mutated) -> str:
    """`WAY` if the mutant is in a module inside one of the sequences and no result is another, else ""."""
    found = re.match(r"(lane_\d+)\.(vxm_\w+)\.", mutation.module)
    mnemonic = found[2].replace("_", ".") if found else ""
    if not found or mnemonic not in SIGNIFICANDS:
        return ""
    one = next(one for one in where if (one.module, one.mnemonic) == (found[1], mnemonic))
    return "" if num_different(design, one, mutation.number) else WAY


def num_different(design: Mutated, one: lanes.Placed, number: int) -> int:
    """For how many operands the result is not that of the contract."""
    words = SIGNIFICANDS[one.mnemonic]()
    batches = np.array_split(words, len(words) // NUM_SIGNIFICANDS)
    return sum(
        np.count_nonzero(lanes.results(design, one, number, [some]) != CASES[one.case].expected(some))
        for some in batches
    )
