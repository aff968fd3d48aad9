"""What a launch does that takes energy: activities, counted exactly, by the model operation that they serve.

Nothing here knows a joule: `waterclock.silicon` has the constants. What counts is what the machine does by its
definition: every access, every product, every operation of every lane, every bit that flows on. `WORK` has a row for
each instruction; what an entry takes beside its work (its fetch, its result on its way) does not depend on which
instruction it is.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

import numpy as np

from waterclock.chip import Chip
from waterclock.isa.layout import word_bits
from waterclock.isa.program import Program
from waterclock.isa.record import Direction, Records
from waterclock.isa.table import INSTRUCTION_BY_OPCODE, OPCODES, Width
from waterclock.simulator.link import every_run
from waterclock.simulator.link.anatomy import Anatomy
from waterclock.simulator.link.linked import Ints, Linked, Longs
from waterclock.simulator.served import operations_of, operations_served

BYTE_BITS, WORD_BITS = 8, 32


class Activity(Enum):
    """Something that takes energy each time; the unit that does it, then what it is."""

    RERAM_PRODUCT = "mxm.reram_product"  # of a weight and an operand, with the weight's read and its share of the sum
    SRAM_PRODUCT = "mxm.sram_product"
    ACCUMULATOR_ADD = "mxm.accumulator_add"  # int32, of one lane
    RERAM_ROW_BIT = "mxm.reram_row_bit"
    SRAM_ROW_BIT = "mxm.sram_row_bit"  # read or written
    MEM_READ_BIT = "mem.read_bit"  # always of a whole word
    MEM_WRITTEN_BIT = "mem.written_bit"
    FP32_ADD = "vxm.fp32_add"
    FP32_MUL = "vxm.fp32_mul"
    INT32_ADD = "vxm.int32_add"
    COMPARISON = "vxm.comparison"  # of 32 bits
    LOGIC = "vxm.logic"  # 32 bits of one lane: and, or, a choice, a move
    SHIFT = "vxm.shift"
    CONVERSION = "vxm.conversion"
    SPECIAL_INTEGER = "vxm.special_integer"  # what exp2, reciprocal or rsqrt of one lane does beside fp32
    HOLD_BIT = "vxm.hold_bit"  # written
    MOVED_BIT = "sxm.moved_bit"
    HOP_BIT = "stream.hop_bit"  # a bit that a stream register takes over
    FETCHED_BIT = "icu.fetched_bit"  # of an entry, each time its queue comes past it
    PARAM_SET = "icu.param_set"

    @property
    def unit(self) -> str:
        return self.value.partition(".")[0]


ACTIVITIES = tuple(Activity)
_PLACE_BY_ACTIVITY = {activity: place for place, activity in enumerate(ACTIVITIES)}

Count = Callable[[Chip, Records], "Longs | int"]
"""How often one issue of each of some records does something."""


@dataclass(frozen=True, eq=False)
class Counts:
    """How often a launch of a program does what: int64 [activity, operation], in the order of `operations`.

    Control entries (waits, repeats, loops) serve no operation; what they take is under UNLABELLED.
    """

    program: Program
    operations: tuple[str, ...]
    counts: Longs

    def of(self, activity: Activity) -> int:
        """Over all operations."""
        return int(self.counts[_PLACE_BY_ACTIVITY[activity]].sum())

    def by_operation(self, activity: Activity) -> dict[str, int]:
        """Without operations that do none of it."""
        row = self.counts[_PLACE_BY_ACTIVITY[activity]].tolist()
        return {name: count for name, count in zip(self.operations, row, strict=True) if count}


def count_activities(linked: Linked) -> Counts:
    """What one launch does. Every launch does the same, whatever its data."""
    linked = every_run(linked)
    operations = operations_of(linked.program)
    served = operations_served(linked)
    counts = np.zeros((len(ACTIVITIES), len(operations)), np.int64)
    for activity, operation, count in (*_work(linked, served), *_ways(linked, served), *_fetches(linked, served)):
        np.add.at(counts[_PLACE_BY_ACTIVITY[activity]], operation, count)
    return Counts(linked.program, operations, counts)


_Counted = Iterator[tuple[Activity, Ints, Longs]]
"""An activity, whom it serves (column), and how often it happens (column)."""


def _work(linked: Linked, served: Ints) -> _Counted:
    """What each issue's unit does."""
    opcode = linked.rows.record["op"][linked.row]
    for op in np.unique(opcode).tolist():
        events = np.flatnonzero(opcode == op)
        records = linked.rows.record[linked.row[events]]
        for activity, count in WORK[INSTRUCTION_BY_OPCODE[op].mnemonic].items():
            yield activity, served[events], np.broadcast_to(count(linked.chip, records), len(events))


def _ways(linked: Linked, served: Ints) -> _Counted:
    """The ways of results: to hold registers, and along the streams until another result or the end of the row."""
    anatomy = Anatomy(linked)
    held = np.flatnonzero((anatomy.field("result", "hold") > 0) & (anatomy.result_bytes > 0))
    yield Activity.HOLD_BIT, served[held], np.full(len(held), WORD_BITS * linked.chip.lanes)
    for way in (Direction.EAST, Direction.WEST):
        events, hops = _hops(anatomy, way)
        yield Activity.HOP_BIT, served[events], hops * (BYTE_BITS * linked.chip.lanes)


def _hops(anatomy: Anatomy, way: Direction) -> tuple[Longs, Longs]:
    """For each byte of each result that leaves this way its event, and how many registers it comes to.

    On one byte stream, results whose time and place differ by the same are on the same way: there the next one takes
    the place of the one before.
    """
    chip = anatomy.chip
    sends = anatomy.field("result", "direction") & way > 0
    event, byte = np.nonzero(sends[:, None] & (np.arange(Width.WORD.value) < anatomy.result_bytes[:, None]))
    stream = anatomy.field("result", "stream")[event] + byte
    place = (anatomy.x if way is Direction.EAST else chip.num_positions - 1 - anatomy.x)[event]
    start = (anatomy.cycle + anatomy.latency)[event] - place
    order = np.lexsort((place, start, stream))
    event, stream, place, start = event[order], stream[order], place[order], start[order]
    end = np.full(len(event), chip.num_positions)
    replaced = np.flatnonzero((stream[1:] == stream[:-1]) & (start[1:] == start[:-1]))
    end[replaced] = place[replaced + 1]
    return event, end - place


def _fetches(linked: Linked, served: Ints) -> _Counted:
    """Every entry each time that its queue comes past it: once in each run of the loops around it."""
    rows = linked.rows
    around: Longs = rows.runs[:, 1:].prod(axis=1)
    is_loop = rows.record["op"] == OPCODES["icu.loop"]
    passes = np.where(is_loop, around * rows.record["n"], around)  # a loop stands behind its body
    bits = np.array([word_bits(queue.slice.kind) for queue in linked.chip.queues], np.int64)
    operation = np.zeros(len(around), np.int32)
    operation[linked.row[::-1]] = served[::-1]  # the first issue's stands
    yield Activity.FETCHED_BIT, operation, passes * bits[rows.queue]


def _per_lane(times: int = 1) -> Count:
    return lambda chip, records: times * chip.lanes


def _per_word(chip: Chip, records: Records) -> int:
    return WORD_BITS * chip.lanes


def _per_byte(chip: Chip, records: Records) -> int:
    return BYTE_BITS * chip.lanes


def _one_lane(chip: Chip, records: Records) -> int:
    return WORD_BITS


def _per_halving(chip: Chip, records: Records) -> Longs:
    """Every lane takes part in each of the log2(segment) halvings."""
    return np.log2(records["segment"]).astype(np.int64) * chip.lanes


def _once(chip: Chip, records: Records) -> int:
    return 1


def _if(flag: str, value: int, count: Count) -> Count:
    """A count of those issues only whose flag has a value."""
    return lambda chip, records: np.where(records[flag] == value, count(chip, records), 0)


def _products(chip: Chip, records: Records) -> int:
    return chip.lanes * chip.lanes


_ACCUMULATION = {Activity.ACCUMULATOR_ADD: _if("first", 0, _per_lane())}
_READ_WORD = {Activity.MEM_READ_BIT: _per_word}
_FP32_ADD, _COMPARISON = {Activity.FP32_ADD: _per_lane()}, {Activity.COMPARISON: _per_lane()}
_LOGIC, _SHIFT = {Activity.LOGIC: _per_lane()}, {Activity.SHIFT: _per_lane()}
_CONVERSION, _MOVE = {Activity.CONVERSION: _per_lane()}, {Activity.MOVED_BIT: _per_word}


def _special(num_mul: int, num_add: int) -> dict[Activity, Count]:
    """The fp32 operations of the sequence in `waterclock.numerics.functions`, and what is beside them."""
    return {
        Activity.FP32_MUL: _per_lane(num_mul),
        Activity.FP32_ADD: _per_lane(num_add),
        Activity.SPECIAL_INTEGER: _per_lane(),
    }


WORK: Mapping[str, Mapping[Activity, Count]] = MappingProxyType({
    "icu.set_param": {Activity.PARAM_SET: _once},
    "mem.read8": _READ_WORD,
    "mem.read32": _READ_WORD,
    "mem.write8": {Activity.MEM_WRITTEN_BIT: _per_byte},
    "mem.write32": {Activity.MEM_WRITTEN_BIT: _per_word},
    "mem.write_lane": {Activity.MEM_WRITTEN_BIT: _one_lane},
    "vxm.add": _FP32_ADD,
    "vxm.sub": _FP32_ADD,
    "vxm.mul": {Activity.FP32_MUL: _per_lane()},
    "vxm.max": _COMPARISON,
    "vxm.min": _COMPARISON,
    "vxm.abs": _LOGIC,
    "vxm.compare_lt": _COMPARISON,
    "vxm.compare_le": _COMPARISON,
    "vxm.compare_eq": _COMPARISON,
    "vxm.butterfly": _FP32_ADD,
    "vxm.exp2": _special(num_mul=3, num_add=3),
    "vxm.reciprocal": _special(num_mul=4, num_add=3),
    "vxm.rsqrt": _special(num_mul=4, num_add=3),
    "vxm.reduce_add": {Activity.FP32_ADD: _per_halving},
    "vxm.reduce_max": {Activity.COMPARISON: _per_halving},
    "vxm.move": _LOGIC,
    "vxm.select": _LOGIC,
    "vxm.iadd": {Activity.INT32_ADD: _per_lane()},
    "vxm.and": _LOGIC,
    "vxm.or": _LOGIC,
    "vxm.xor": _LOGIC,
    "vxm.shl": _SHIFT,
    "vxm.shr": _SHIFT,
    "vxm.sar": _SHIFT,
    "vxm.lane_index": _LOGIC,
    "vxm.to_int8": _CONVERSION,
    "vxm.to_uint8": _CONVERSION,
    "vxm.to_int32": _CONVERSION,
    "vxm.to_fp32": _CONVERSION,
    "vxm.widen8": _CONVERSION,
    "sxm.rotate": _MOVE,
    "sxm.permute": _MOVE,
    "sxm.broadcast": _MOVE,
    "sxm.mask": _MOVE,
    "sxm.transpose": _MOVE,
    "mxm.matvec": {
        Activity.RERAM_PRODUCT: _if("sram", 0, _products), Activity.SRAM_PRODUCT: _if("sram", 1, _products),
        **_ACCUMULATION,
    },
    "mxm.matvec_t": {Activity.SRAM_PRODUCT: _products, **_ACCUMULATION},
    "mxm.read_row": {
        Activity.RERAM_ROW_BIT: _if("sram", 0, _per_byte), Activity.SRAM_ROW_BIT: _if("sram", 1, _per_byte)
    },
    "mxm.write_row": {Activity.SRAM_ROW_BIT: _per_byte},
})  # fmt: skip
"""What the unit of each instruction that issues does, and how often an issue does it."""
