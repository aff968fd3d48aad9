"""Program: one instruction queue per ICU queue, and the dataflow its compiler meant.

The queues are what the chip obeys. The flow is what the compiler meant by them: for each operand the instruction that
produces it, for each address the logical object, and what is computed. `waterclock.simulator.link` rebuilds the first
from the second's absence, from instructions and timing alone, and refuses any difference.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from waterclock.isa.record import ADDRESS, INSTRUCTION, NUM_LEVELS, OPERAND_NAMES, OperandKind, Records

COMPUTED_FIELDS = ("mask", "segment", "first", "emit", "unsigned", "sram", "param")
"""Fields of an instruction record that say what it computes."""
NO_PRODUCER = -1
"""The operand is not there, or holds what the host wrote (memories, parameters)."""
QUEUE_SHIFT = 16
"""An instruction's id is queue number << QUEUE_SHIFT | entry index."""

# Which instruction produced what an operand finds. `first` is the producer. If `carried` is not NO_PRODUCER, the
# operand is carried around a loop that holds the reader, the innermost or one `around` further out: `first` produces it
# for iteration 0, `carried`, in the iteration before, for all others. A producer in a loop that does not hold the
# reader counts with its last iteration. In the innermost loop that holds both the producer is `ahead` iterations
# further than the reader, or in the last one.
PRODUCER = np.dtype([("first", "<i4"), ("carried", "<i4"), ("around", "i1"), ("ahead", "<i2")])

# What an instruction computes, whatever comes to it: its opcode, and the numbers of its record that are no register, no
# address and no time. Of operands a, b, c: lane-xor, launch parameter plus 1 (0: none), and which byte of a 32-bit
# result a byte operand takes. All zero for what only steers the queue.
COMPUTATION = np.dtype([
    ("op", "<u2"), ("xor", "<u2", (3,)), ("from_param", "u1", (3,)), ("byte", "u1", (3,)), ("scalar", "<i4"),
    ("scalar_step", "<i4", (NUM_LEVELS,)), *((name, INSTRUCTION[name]) for name in COMPUTED_FIELDS),
])  # fmt: skip

# One row for each entry of a queue. Operands a, b, c; `memory`: the last instruction of this launch that wrote any of
# the MEM word or tile that is read; `acc`: the accumulator's matvec before a matvec that is not `first`. `object` is
# the index of the Object that the record's `address` lies in (-1 where it has none), `address` what is added to the
# object's base (times 4 for byte addresses), `place` the lane or row meant.
# Where iterations of a loop overlap, an entry in the loop begins with iteration `token`, not 0, and what is written out
# before and after the loop is iteration `token` of the instruction that it `stands_for` (NO_PRODUCER: none but itself).
FLOW = np.dtype([
    ("a", PRODUCER), ("b", PRODUCER), ("c", PRODUCER), ("memory", PRODUCER), ("acc", PRODUCER),
    ("object", "<i4"), ("address", ADDRESS), ("place", ADDRESS), ("stands_for", "<i4"), ("token", "<i4"),
    ("computes", COMPUTATION),
])  # fmt: skip


def empty_instructions(count: int) -> Records:
    """`count` zeroed INSTRUCTION rows."""
    return np.zeros(count, INSTRUCTION)


def empty_flow(count: int) -> Records:
    """`count` FLOW rows that mean nothing: no producers, no object."""
    rows = np.zeros(count, FLOW)
    for name in ("a", "b", "c", "memory", "acc"):
        rows[name]["first"] = rows[name]["carried"] = NO_PRODUCER
    rows["object"] = rows["stands_for"] = -1
    return rows


def computations(records: Records, byte: npt.NDArray[np.integer[Any]] | int = 0) -> Records:
    """COMPUTATION rows of INSTRUCTION rows that issue; `byte` [n, 3] says which byte each operand takes."""
    rows = np.zeros(records.shape, COMPUTATION)
    rows["op"], rows["scalar"], rows["scalar_step"] = records["op"], records["scalar"], records["scalar_step"]
    for place, name in enumerate(OPERAND_NAMES):
        rows["xor"][..., place] = records[name]["xor"]
        from_param = records[name]["kind"] == OperandKind.PARAM
        rows["from_param"][..., place] = np.where(from_param, records[name]["index"] + 1, 0)
    for name in COMPUTED_FIELDS:
        rows[name] = records[name]
    rows["byte"] = byte
    return rows


def instruction_id(queue_number: int, entry: int) -> int:
    """The id by which flow rows name an instruction."""
    return queue_number << QUEUE_SHIFT | entry


class Space(Enum):
    """An addressed memory of a slice. MEM objects count words, tile objects count tiles."""

    MEM = "mem"
    RERAM = "reram"
    SRAM = "sram"


class Role(Enum):
    """Who writes an object: the loader once, launches and hosts over time, or one launch for itself."""

    CONSTANT = "constant"
    STATE = "state"
    TEMPORARY = "temporary"
    OUTPUT = "output"


@dataclass(frozen=True)
class Object:
    """A logical object in one slice's memory: `size` words or tiles in each of `num_layers` copies, `stride` apart.

    Copy l occupies base + l * stride .. base + l * stride + size - 1.
    """

    name: str
    slice: str
    space: Space
    base: int
    size: int
    role: Role
    num_layers: int = 1
    stride: int = 0


@dataclass(frozen=True)
class Param:
    """A launch parameter: register `index`, inclusive declared range, and a name for people.

    `host` is true where the host writes it before every launch; otherwise a `icu.set_param` of the launch before may.
    """

    name: str
    index: int
    low: int
    high: int
    host: bool = True


@dataclass(frozen=True)
class Output:
    """A named result: the 32-bit words where its vectors lie, in order, as (MEM slice, word), `size` elements in all,
    and the instructions that write them, in the same order (NO_PRODUCER where the host did)."""

    name: str
    words: tuple[tuple[str, int], ...]
    size: int
    producers: tuple[int, ...]


@dataclass(frozen=True)
class Program:
    """Straight-line queues for one chip, with what they mean.

    `queues` and `flow` are keyed by queue name (`chip.queues`) and hold INSTRUCTION and FLOW rows of equal length; a
    queue without entries is absent. `labels` names, for each queue, the model operation that an entry serves (index
    into `operations`, -1 for none). `length_cycles` is what the compiler predicts. `stored_sha256` is there where the
    program is as it was read, "" where it was made or changed: `replace` forgets it.
    """

    name: str
    chip_sha256: str
    queues: Mapping[str, Records]
    flow: Mapping[str, Records]
    labels: Mapping[str, np.ndarray]
    operations: tuple[str, ...]
    objects: tuple[Object, ...]
    params: tuple[Param, ...]
    outputs: tuple[Output, ...]
    length_cycles: int
    stored_sha256: str = field(init=False, default="", compare=False)
