"""Whether a fault in exp2, reciprocal or rsqrt changes anything, decided by all that the operations in them can meet.

Their sequences begin with a number in [1, 2) or [1, 4) and a place in a table; the power of two goes beside them to the
last two steps. What sits in between therefore sees 2^23 or 2^24 different operands, and no more.
"""

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tests.rtl.mutants import lanes
from tests.rtl.mutants.chip import Mutated
from tests.rtl.mutants.choice import NETLIST, Mutation, synthesise
from tests.rtl.test_datapaths import CASES, NUM_SIGNIFICANDS, SIGNIFICANDS
from waterclock.errors import WaterclockError

WAY = "no significand gives another result"
BESIDE = "power", "nan", "infinite", "zero", "sign"


def way_of(mutation: Mutation, folder: Path, where: Iterable[lanes.Placed], design: Mutated) -> str:
    """`WAY` if the mutant of the netlist in a folder is in one of the sequences and no result is another, else ""."""
    found = re.match(r"(lane_\d+)\.(vxm_\w+)", mutation.module)
    mnemonic = found[2].replace("_", ".") if found else ""
    if not found or mnemonic not in SIGNIFICANDS or not _is_inside(mutation, folder):
        return ""
    one = next(one for one in where if (one.module, one.mnemonic) == (found[1], mnemonic))
    return "" if num_different(design, one, mutation.number) else WAY


def _is_inside(mutation: Mutation, folder: Path) -> bool:
    """Whether the operand comes to the faulty cell as a number and a place in a table only, and goes on as that."""
    if mutation.module.count(".") > 1:
        return True
    inside, cell = f"{mutation.module}/", f"{mutation.module}/c:{mutation.option('cell')}"
    beside = " ".join(f"{inside}w:step_{place}_{name}" for name in BESIDE for place in ("?", "??"))
    there, first = f"select -assert-any {cell}", f"select -assert-none {inside}w:a %co1 {cell} %i"
    apart = (f"select -assert-none {cell} %{way}* @beside %i" for way in ("ci", "co"))
    try:
        synthesise((f"read_rtlil {NETLIST}", f"select -set beside {beside}", there, first, *apart), folder)
    except WaterclockError:
        return False
    return True


def num_different(design: Mutated, one: lanes.Placed, number: int) -> int:
    """For how many operands the result is not that of the contract."""
    words = SIGNIFICANDS[one.mnemonic]()
    batches = np.array_split(words, len(words) // NUM_SIGNIFICANDS)
    return sum(
        np.count_nonzero(lanes.results(design, one, number, [some]) != CASES[one.case].expected(some))
        for some in batches
    )
