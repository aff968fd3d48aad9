"""From a linked program to its tapes, one for each stretch.

Every operand becomes a value: the result of the event that Linked names, a constant, or what a preparation makes of
either (a broadcast parameter, a byte of a word, other lanes). Time is gone: the order of the events carries it, and a
parameter that the launch sets arrives before the first event that sees it.
"""

import numpy as np
import numpy.typing as npt

from waterclock.isa.record import OPERAND_NAMES, OperandKind
from waterclock.isa.table import INSTRUCTION_BY_OPCODE, OPCODES
from waterclock.simulator.link import Linked, rebuild_every_run
from waterclock.simulator.link.rolled import INNER
from waterclock.simulator.machine.columns import TERM_COLUMNS, Columns
from waterclock.simulator.machine.kernels import NUMBER_BY_KERNEL
from waterclock.simulator.machine.kernels.products import (
    ACC_SHIFT,
    EMIT,
    FIRST,
    SRAM,
    UNSIGNED,
)
from waterclock.simulator.machine.links import chains, flags_of
from waterclock.simulator.machine.ops import AHEAD, AT, COLUMNS, EXTRA, PLACE, RESULT, SLOT, STEPS, VALUES, A, Ints
from waterclock.simulator.machine.rows import NO_VALUE, assign_rows
from waterclock.simulator.machine.sections import mark_operands_taken, sections
from waterclock.simulator.machine.stretches import Stretch, stretches
from waterclock.simulator.machine.tape import Longs, Tape

# An event's operations in order: parameters arrive, operands are prepared, the event itself.
_PREPARATIONS = ("broadcast_param", "byte_plane", "lane_xor")
_ARRIVAL, _MAIN = 0, 1 + len(OPERAND_NAMES) * len(_PREPARATIONS)
_NUM_STAGES = _MAIN + 1


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
        self.chains: list[list[int]] = []
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
        ops, event, op_by_event = self._in_order()
        given = self._given()
        operands, values = given[self.links[:, 0]], given[np.ascontiguousarray(ops[:, VALUES])]
        ends = np.array([chain[-1] for chain in self.chains for _ in chain], np.int64)
        also = np.stack([op_by_event[ends], operands], axis=1).astype(np.int32)
        num_rows = assign_rows(values, also, len(self.constants), self.num_values)
        ops[:, VALUES], self.links[:, 0] = values, also[:, 1]
        terms = self._terms(op_by_event)
        starts = sections(ops, terms, self.stretch)
        mark_operands_taken(ops, starts, operands)
        return Tape(
            self.stretch,
            ops,
            starts,
            self.links,
            _origin(self.linked, self.stretch.events[np.minimum(event, len(self.columns) - 1)]),
            terms,
            self.constants,
            num_rows,
            len(self.slot),
            max(map(len, self.chains), default=1),
            *_periods(self.linked, self.stretch),
        )

    def _in_order(self) -> tuple[Ints, Longs, Longs]:
        """The calls in order, without those that another does; the event of each, and by event the call that is it."""
        key = np.concatenate(self.keys)
        order = np.argsort(key, kind="stable")
        event, stage = np.divmod(key[order], _NUM_STAGES)
        linked_away = [link for chain in self.chains for link in chain[:-1]]
        done_elsewhere = [*self.number[list(self.stretch.writer)].tolist(), *linked_away]
        kept = (stage != _MAIN) | ~np.isin(event, done_elsewhere)
        event, is_main = event[kept], stage[kept] == _MAIN
        op_by_event = np.full(len(self.columns), NO_VALUE, np.int64)
        op_by_event[event[is_main]] = np.flatnonzero(is_main)
        return np.concatenate(self.calls)[order[kept]], event, op_by_event

    def _given(self) -> Ints:
        """For each value, itself; of reads that give what was written, what was written. NO_VALUE comes last."""
        given = np.append(np.arange(self.num_values), NO_VALUE)
        for event, writer in self.stretch.writer.items():  # in order of time: what is written may itself be given
            written = self.operands[self.number[writer], 0]
            given[self._result(self.number[event])] = given[written]
        return given.astype(np.int32)

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
        calls[:, VALUES] = NO_VALUE
        self.calls.append(calls)
        self.keys.append(events * _NUM_STAGES + stage)
        return calls

    def _arrivals(self) -> None:
        """Parameters that the launch sets: each before the first event that sees it, or at the end."""
        setters = np.flatnonzero(self.columns.opcode == OPCODES["icu.set_param"])
        seen_from = self.cycle[setters] + self.columns.chip.param_latency_cycles
        events = np.searchsorted(self.cycle, seen_from)
        calls = self._call(events, _ARRIVAL, NUMBER_BY_KERNEL["arrive_param"])
        calls[:, A] = self._result(setters)
        calls[:, AT] = self.columns.field("param")[setters]

    def _operand(self, k: int) -> Longs:
        """The value of operand k of every event; NO_VALUE where there is none."""
        field, producer = self.columns.operand(k), self.linked.producer[self.stretch.events, k].astype(np.int64)
        value = np.where(producer >= 0, self._result(self.number[producer]), NO_VALUE)
        value = np.where(field["kind"] == OperandKind.IMMEDIATE, self.constant, value)
        stage = 1 + k * len(_PREPARATIONS)
        is_param = field["kind"] == OperandKind.PARAM
        calls, events = self._prepare(value, is_param, stage, "broadcast_param")
        calls[:, AT], calls[:, PLACE] = self.columns.scalar()[events], field["index"][events]
        for level, column in STEPS.items():
            calls[:, column] = self.columns.scalar_steps(level)[events]
        plane = self.columns.byte_plane(k)
        calls, events = self._prepare(value, plane != 0, stage + 1, "byte_plane")
        calls[:, AT] = plane[events]
        calls, events = self._prepare(value, field["xor"] != 0, stage + 2, "lane_xor")
        calls[:, AT] = field["xor"][events]
        return value

    def _prepare(self, value: Longs, chosen: npt.NDArray[np.bool_], stage: int, kernel: str) -> tuple[Ints, Longs]:
        """Calls that take the operand's value so far and make the one that now replaces it, and their events."""
        events = np.flatnonzero(chosen)
        calls = self._call(events, stage, NUMBER_BY_KERNEL[kernel])
        made = self.num_values + np.arange(len(events))
        calls[:, A], calls[:, RESULT] = value[events], made
        value[events] = made
        self.num_values += len(events)
        return calls, events

    def _main(self, values: Longs) -> None:
        """The events themselves."""
        columns, events, self.operands = self.columns, np.arange(len(self.columns)), values
        calls = self._call(events, _MAIN, _NUMBER_BY_OPCODE[columns.opcode])
        calls[:, RESULT], calls[:, RESULT + 1 : VALUES.stop] = self._result(events), values
        calls[:, AT] = columns.address("address") + columns.number()
        calls[:, PLACE] = columns.address("place")
        calls[:, EXTRA] = self._extra()
        for level, column in STEPS.items():
            calls[:, column], calls[:, column + 1] = columns.steps(level)
        for event, slot in self.slot.items():
            calls[self.number[event], SLOT] = slot
        for event, shared in self.stretch.shared.items():
            calls[self.number[event], [SLOT, AHEAD]] = self.slot[shared.writer], shared.ahead
        self._link(calls)

    def _link(self, calls: Ints) -> None:
        """Products that are done together become one call, in the place of the last."""
        columns, extra, at = self.columns, calls[:, EXTRA].astype(np.int64), calls[:, AT].copy()
        of_reram = columns.where(lambda row: row.field("acc") is not None) & ~columns.is_sram
        can_be_linked = of_reram & ~columns.has_terms("address") & ((extra & UNSIGNED) == 0)
        if self.stretch.num_tokens > 1:  # whose tiles are the same
            can_be_linked &= calls[:, STEPS[INNER]] == 0
        self.chains = chains(columns, can_be_linked, extra)
        operand = self.operands[:, 0]
        links = np.array([link for chain in self.chains for link in sorted(chain, key=operand.__getitem__)], np.int64)
        steps = [calls[links, column] for column in STEPS.values()]
        self.links = np.stack([operand[links], at[links], *steps], axis=1).astype(np.int32)
        first = 0
        for chain in self.chains:
            call = calls[chain[-1]]
            call[0], call[EXTRA] = NUMBER_BY_KERNEL["matvecs"], flags_of(extra, chain)
            call[A], call[AT], call[PLACE], call[list(STEPS.values())] = NO_VALUE, first, len(chain), 0
            first += len(chain)

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


def _origin(linked: Linked, events: Longs) -> Longs:
    """Queue, entry and cycle in run 0 of events."""
    cycle = linked.cycle[events] if linked.rolled is None else linked.rolled.first_cycle[linked.row[events]]
    return np.stack([linked.queue[events], linked.entry[events], cycle], axis=1).astype(np.int64)


def _periods(linked: Linked, stretch: Stretch) -> tuple[int, int]:
    """Of the stretch's block, inner and outer; 0 where no loop is rolled."""
    if linked.rolled is None or not len(stretch.events):
        return 0, 0
    block = linked.rolled.blocks[int(linked.rolled.block[linked.row[stretch.events[0]]])]
    return block.inner_period, block.outer_period


_NUMBER_BY_OPCODE = np.array([
    NUMBER_BY_KERNEL.get(INSTRUCTION_BY_OPCODE[opcode].mnemonic, 0) if opcode in INSTRUCTION_BY_OPCODE else 0
    for opcode in range(1 + max(INSTRUCTION_BY_OPCODE))
])  # fmt: skip
