"""From a linked program to tapes: flat lists of kernel calls, one for each stretch, that do what a launch does.

Every operand becomes a value: the result of the event that Linked names, a constant, or what a preparation makes of
either (a broadcast parameter, a byte of a word, other lanes). Time is gone: the order of the events carries it, and a
parameter that the launch sets arrives before the first event that sees it.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from waterclock.isa.record import OPERAND_NAMES, OperandKind
from waterclock.isa.table import INSTRUCTION_BY_OPCODE, OPCODES
from waterclock.simulator.link import Linked, rebuild_every_run
from waterclock.simulator.link.rolled import INNER, OUTER
from waterclock.simulator.machine.columns import TERM_COLUMNS, Columns
from waterclock.simulator.machine.kernels import NUMBER_BY_KERNEL
from waterclock.simulator.machine.kernels.products import ACC_SHIFT, EMIT, FIRST, SRAM, UNSIGNED
from waterclock.simulator.machine.links import flags_of, groups
from waterclock.simulator.machine.rows import NO_VALUE, assign_rows
from waterclock.simulator.machine.stretches import Stretch, stretches

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]

COLUMNS = (
    "kernel", "result", "a", "b", "c", "at", "place", "extra",
    "at_inner", "place_inner", "at_outer", "place_outer", "slot", "ahead", "slot_outer",
)  # fmt: skip
"""The columns of `Tape.ops`: a kernel's number and its arguments; what each run of the loops adds to `at` and `place`;
and the number (1 and on) of the write of parts that the operation is or reads, with the tokens that it is ahead (the
third tile of linked products, with what each outer run adds to it)."""
_RESULT, _A, _AT, _PLACE, _EXTRA = (COLUMNS.index(name) for name in ("result", "a", "at", "place", "extra"))
_STEPS = {INNER: COLUMNS.index("at_inner"), OUTER: COLUMNS.index("at_outer")}
_SLOT, _AHEAD = COLUMNS.index("slot"), COLUMNS.index("ahead")
_AT_INNER, _AT_OUTER, _PLACE_OUTER, _SLOT_OUTER = (
    COLUMNS.index(name) for name in ("at_inner", "at_outer", "place_outer", "slot_outer")
)
_VALUES = slice(_RESULT, _A + len(OPERAND_NAMES))

# An event's operations in order: parameters arrive, operands are prepared, the event itself.
_PREPARATIONS = ("broadcast_param", "byte_plane", "lane_xor")
_ARRIVAL, _MAIN = 0, 1 + len(OPERAND_NAMES) * len(_PREPARATIONS)
_NUM_STAGES = _MAIN + 1


@dataclass(frozen=True, eq=False)
class Tape:
    """A stretch as the loop runs it. Operation i is row i of `ops`; `event[i]` is the event that it serves.

    Rows 0 .. len(constants) - 1 of the values hold a constant each, in every lane. `terms` has `TERM_COLUMNS`, with the
    operation instead of the event, in ascending order; its last row belongs to operation -1. `num_slots` counts the
    writes of parts.
    """

    linked: Linked
    stretch: Stretch
    ops: Ints
    event: Ints
    terms: Ints
    constants: Ints
    num_rows: int
    num_slots: int

    def cycle(self, event: int, inner: int, outer: int) -> int:
        """The cycle of an event in these runs of its loops."""
        rolled, row = self.linked.rolled, int(self.linked.row[event])
        if rolled is None:
            return int(self.linked.cycle[event])
        block = rolled.blocks[int(rolled.block[row])]
        return int(rolled.first_cycle[row]) + inner * block.inner_period + outer * block.outer_period


def record(linked: Linked) -> tuple[Tape, ...]:
    """The tapes of a linked program."""
    found = stretches(linked)
    if found is None:
        linked = rebuild_every_run(linked.program, linked.chip)
        found = stretches(linked)
        assert found is not None
    return tuple(_Recorder(Columns(linked, stretch), stretch).tape() for stretch in found)


class _Recorder:
    """A tape in the making. Values are numbered: constants, then results of events, then prepared operands."""

    def __init__(self, columns: Columns, stretch: Stretch) -> None:
        self.columns, self.linked, self.stretch = columns, columns.linked, stretch
        self.number = np.full(len(self.linked), NO_VALUE, np.int64)
        self.number[stretch.events] = np.arange(len(stretch.events))
        self.cycle = _cycles(self.linked, stretch)
        self.linked_away: list[int] = []
        slots = dict.fromkeys(shared.writer for shared in stretch.shared.values())
        self.slot = {event: slot for slot, event in enumerate(slots, start=1)}
        kinds = np.stack([columns.operand(k)["kind"] for k in range(len(OPERAND_NAMES))])
        scalars = columns.field("scalar").astype(np.int32)
        self.constants: Ints = np.unique(scalars[(kinds == OperandKind.IMMEDIATE).any(axis=0)])
        self.constant = np.searchsorted(self.constants, scalars)
        self.num_values = len(self.constants) + len(columns)
        self.calls: list[Ints] = []
        self.keys: list[Longs] = []

    def tape(self) -> Tape:
        """Calls of all kinds, put in order, with rows for their values."""
        self._arrivals()
        values = [self._operand(k) for k in range(len(OPERAND_NAMES))]
        self._main(np.stack(values, axis=1))
        key = np.concatenate(self.keys)
        order = np.argsort(key, kind="stable")
        event, stage = np.divmod(key[order], _NUM_STAGES)
        ops = np.concatenate(self.calls)[order]
        values = self._given(np.ascontiguousarray(ops[:, _VALUES]))
        done_elsewhere = [*self.number[list(self.stretch.writer)].tolist(), *self.linked_away]
        left_out = (stage == _MAIN) & np.isin(event, done_elsewhere)
        ops, event, stage, values = ops[~left_out], event[~left_out], stage[~left_out], values[~left_out]
        num_rows = assign_rows(values, len(self.constants), self.num_values)
        ops[:, _VALUES] = values
        op_by_event = np.full(len(self.columns), NO_VALUE, np.int64)
        op_by_event[event[stage == _MAIN]] = np.flatnonzero(stage == _MAIN)
        terms = self._terms(op_by_event)
        events = self.stretch.events[np.minimum(event, len(self.columns) - 1)].astype(np.int32)
        return Tape(self.linked, self.stretch, ops, events, terms, self.constants, num_rows, len(self.slot))

    def _given(self, values: Ints) -> Ints:
        """The values with those of reads that give what was written replaced by what was written."""
        given = np.append(np.arange(self.num_values), NO_VALUE)
        for event, writer in self.stretch.writer.items():  # in order of time: what is written may itself be given
            written = self.operands[self.number[writer], 0]
            given[self._result(self.number[event])] = given[written]
        return given[values].astype(np.int32)

    def _terms(self, op_by_event: Longs) -> Ints:
        terms = self.columns.terms()
        terms[:, 0] = op_by_event[terms[:, 0]]
        terms = terms[terms[:, 0] >= 0]
        terms = terms[np.argsort(terms[:, 0], kind="stable")]
        return np.concatenate([terms, np.full((1, len(TERM_COLUMNS)), -1)]).astype(np.int32)

    def _result(self, event: Longs) -> Longs:
        return event + len(self.constants)

    def _call(self, events: Longs, stage: int, kernels: Longs | int) -> Ints:
        """New calls, one for each of `events`, still without arguments."""
        calls = np.zeros((len(events), len(COLUMNS)), np.int32)
        calls[:, 0] = kernels
        calls[:, _VALUES] = NO_VALUE
        self.calls.append(calls)
        self.keys.append(events * _NUM_STAGES + stage)
        return calls

    def _arrivals(self) -> None:
        """Parameters that the launch sets: each before the first event that sees it, or at the end."""
        setters = np.flatnonzero(self.columns.opcode == OPCODES["icu.set_param"])
        seen_from = self.cycle[setters] + self.columns.chip.param_latency_cycles
        events = np.searchsorted(self.cycle, seen_from)
        calls = self._call(events, _ARRIVAL, NUMBER_BY_KERNEL["arrive_param"])
        calls[:, _A] = self._result(setters)
        calls[:, _AT] = self.columns.field("param")[setters]

    def _operand(self, k: int) -> Longs:
        """The value of operand k of every event; NO_VALUE where there is none."""
        field, producer = self.columns.operand(k), self.linked.producer[self.stretch.events, k].astype(np.int64)
        value = np.where(producer >= 0, self._result(self.number[producer]), NO_VALUE)
        value = np.where(field["kind"] == OperandKind.IMMEDIATE, self.constant, value)
        stage = 1 + k * len(_PREPARATIONS)
        is_param = field["kind"] == OperandKind.PARAM
        calls, events = self._prepare(value, is_param, stage, "broadcast_param")
        calls[:, _AT], calls[:, _PLACE] = self.columns.scalar()[events], field["index"][events]
        for level, column in _STEPS.items():
            calls[:, column] = self.columns.scalar_steps(level)[events]
        plane = self.columns.byte_plane(k)
        calls, events = self._prepare(value, plane != 0, stage + 1, "byte_plane")
        calls[:, _AT] = plane[events]
        calls, events = self._prepare(value, field["xor"] != 0, stage + 2, "lane_xor")
        calls[:, _AT] = field["xor"][events]
        return value

    def _prepare(self, value: Longs, chosen: npt.NDArray[np.bool_], stage: int, kernel: str) -> tuple[Ints, Longs]:
        """Calls that take the operand's value so far and make the one that now replaces it, and their events."""
        events = np.flatnonzero(chosen)
        calls = self._call(events, stage, NUMBER_BY_KERNEL[kernel])
        made = self.num_values + np.arange(len(events))
        calls[:, _A], calls[:, _RESULT] = value[events], made
        value[events] = made
        self.num_values += len(events)
        return calls, events

    def _main(self, values: Longs) -> None:
        """The events themselves."""
        columns, events, self.operands = self.columns, np.arange(len(self.columns)), values
        calls = self._call(events, _MAIN, _NUMBER_BY_OPCODE[columns.opcode])
        calls[:, _RESULT], calls[:, _RESULT + 1 : _VALUES.stop] = self._result(events), values
        calls[:, _AT] = columns.address("address") + columns.number()
        calls[:, _PLACE] = columns.address("place")
        calls[:, _EXTRA] = self._extra()
        for level, column in _STEPS.items():
            calls[:, column], calls[:, column + 1] = columns.steps(level)
        for event, slot in self.slot.items():
            calls[self.number[event], _SLOT] = slot
        for event, shared in self.stretch.shared.items():
            calls[self.number[event], [_SLOT, _AHEAD]] = self.slot[shared.writer], shared.ahead
        self._link(calls)

    def _link(self, calls: Ints) -> None:
        """Products that are done together become one call, in the place of the last."""
        columns, extra = self.columns, calls[:, _EXTRA].astype(np.int64)
        of_reram = columns.where(lambda row: row.field("acc") is not None) & ~columns.is_sram
        calls[of_reram, _PLACE], calls[of_reram, _PLACE_OUTER] = calls[of_reram, _AT], calls[of_reram, _AT_OUTER]
        can_be_linked = of_reram & ~columns.has_terms("address") & (calls[:, _AT_INNER] == 0)
        for group in groups(columns, can_be_linked, extra, calls[:, _AT_OUTER].astype(np.int64)):
            last, count, tiles = group[-1], len(group), calls[group, _AT]
            calls[last, _A : _A + count] = self.operands[group, 0]
            calls[last, [_AT, _PLACE, _SLOT][:count]] = tiles
            calls[last, [_PLACE_OUTER, _SLOT_OUTER][: count - 1]] = calls[last, _AT_OUTER]
            calls[last, _EXTRA], calls[last, 0] = flags_of(extra, group), NUMBER_BY_KERNEL["linked_matvecs"]
            self.linked_away += group[:-1]

    def _extra(self) -> Longs:
        columns = self.columns
        acc = columns.slice_index * columns.chip.mxm.num_accumulators + columns.field("acc")
        flags = {UNSIGNED: columns.field("unsigned"), EMIT: columns.field("emit"), FIRST: columns.field("first")}
        extra = (acc << ACC_SHIFT) + SRAM * columns.is_sram
        return extra + sum(bit * (flag != 0) for bit, flag in flags.items())


def _cycles(linked: Linked, stretch: Stretch) -> Longs:
    """The cycles of the stretch's events in run 0."""
    if linked.rolled is None or stretch.num_runs == 1:
        return linked.cycle[stretch.events].astype(np.int64)
    return linked.rolled.first_cycle[linked.row[stretch.events]]


_NUMBER_BY_OPCODE = np.array([
    NUMBER_BY_KERNEL.get(INSTRUCTION_BY_OPCODE[opcode].mnemonic, 0) if opcode in INSTRUCTION_BY_OPCODE else 0
    for opcode in range(1 + max(INSTRUCTION_BY_OPCODE))
])  # fmt: skip
