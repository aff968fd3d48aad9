"""The instruction record: one numpy structured row holds any entry of any instruction queue.

A queue is a one-dimensional array of `INSTRUCTION` rows. Fields that a mnemonic does not use are zero; which ones it
uses is said by its row of the instruction table (`waterclock.isa.table`).
"""

from collections.abc import Mapping
from enum import IntEnum, IntFlag
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

Records = npt.NDArray[np.void]

NUM_LEVELS = 4
"""Nesting levels with a stride of their own: 0 is `icu.repeat`, 1 to 3 are `icu.loop`s, innermost first."""
LEVEL_NAMES = ("r", "l1", "l2", "l3")
NUM_TERMS = 2
_NONE: Mapping[int, int] = MappingProxyType({})


class OperandKind(IntEnum):
    """Where a vector operand comes from."""

    NONE = 0
    EAST = 1  # stream `index`, flowing east
    WEST = 2  # stream `index`, flowing west
    HOLD = 3  # hold register `index` (VXM only)
    IMMEDIATE = 4  # the record's `scalar`, the same 32 bits in every lane (VXM only)
    PARAM = 5  # launch parameter `index` + `scalar` + sum of `scalar_step` * iteration, int32 in every lane (VXM only)


class Direction(IntFlag):
    """Which way(s) a result leaves its slice."""

    NONE = 0
    EAST = 1
    WEST = 2
    BOTH = 3


# stride * (((param + const + sum(step[level] * iteration[level])) >> shift) & mask); absent where `used` is 0.
TERM = np.dtype([
    ("used", "u1"), ("param", "u1"), ("shift", "u1"), ("stride", "<i4"), ("const", "<i4"), ("mask", "<i4"),
    ("step", "<i4", (NUM_LEVELS,)),
])  # fmt: skip

# base + sum(stride[level] * iteration[level]) + the terms
ADDRESS = np.dtype([("base", "<i4"), ("stride", "<i4", (NUM_LEVELS,)), ("term", TERM, (NUM_TERMS,))])

# `xor` k reads lane i ^ k into lane i; 0 reads straight.
OPERAND = np.dtype([("kind", "u1"), ("index", "u1"), ("xor", "<u2")])

# `stream` leaves in `direction`; `hold` is 0 for none, else the hold register's number plus 1.
RESULT = np.dtype([("stream", "u1"), ("direction", "u1"), ("hold", "u1"), ("discard", "u1")])

INSTRUCTION = np.dtype([
    ("op", "<u2"),
    ("a", OPERAND), ("b", OPERAND), ("c", OPERAND),
    ("scalar", "<i4"), ("scalar_step", "<i4", (NUM_LEVELS,)),
    ("result", RESULT),
    ("address", ADDRESS),  # MEM word or byte, MXM tile, SXM amount
    ("place", ADDRESS),  # lane of a MEM word, row of an MXM tile
    ("mask", "<u2"),  # vxm.butterfly: the power of two k
    ("segment", "<u2"),  # vxm.reduce_*: the segment length
    ("acc", "u1"), ("first", "u1"), ("emit", "u1"), ("unsigned", "u1"), ("sram", "u1"),
    ("param", "u1"),  # icu.set_param
    ("n", "<i4"), ("distance", "<i4"), ("body", "<i4"),  # icu.nop, icu.repeat, icu.loop
])  # fmt: skip

OPERAND_NAMES = ("a", "b", "c")


def address(
    base: int = 0,
    *terms: tuple[int, int, int, int, int],
    strides: Mapping[int, int] = _NONE,
    steps: Mapping[int, int] = _NONE,
) -> Records:
    """A scalar `ADDRESS`: base + terms (stride, param, const, shift, mask), a stride for each level, and a step for
    each level in all of the terms."""
    row = np.zeros((), ADDRESS)
    row["base"] = base
    for level, stride in strides.items():
        row["stride"][level] = stride
    for i, (stride, param, const, shift, mask) in enumerate(terms):
        term = row["term"][i]
        term["used"], term["stride"], term["param"] = 1, stride, param
        term["const"], term["shift"], term["mask"] = const, shift, mask
        for level, step in steps.items():
            term["step"][level] = step
    return row
