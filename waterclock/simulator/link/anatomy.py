"""What the instruction table and the chip say of every entry, in columns."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from waterclock.chip import Chip
from waterclock.isa.record import OPERAND_NAMES, OperandKind
from waterclock.isa.table import CONTROL, INSTRUCTIONS, Area, Form, Instruction
from waterclock.simulator.link.linked import Bools, Events, Longs

STREAMS = (OperandKind.EAST, OperandKind.WEST)
NO_SPACE, MEM, RERAM, SRAM = range(4)
"""Addressed memories of a slice; `waterclock.isa.program.Space` names the last three."""

ISSUING = tuple(row for mnemonic, row in INSTRUCTIONS.items() if mnemonic not in CONTROL)
_MAX_OPCODE = max(row.opcode for row in ISSUING)
UNLIMITED = 1 << 40


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Columns over the events of a launch; cached, each computed when first asked for."""

    events: Events

    @property
    def chip(self) -> Chip:
        return self.events.chip

    @cached_property
    def x(self) -> Longs:
        """Place of the event's slice."""
        return np.array([queue.slice.x for queue in self.chip.queues], np.int64)[self.events.queue]

    @cached_property
    def cycle(self) -> Longs:
        return self.events.cycle.astype(np.int64)

    def field(self, *path: str) -> Longs:
        """A whole-number field of the events' records."""
        column = self.events.rows.record
        for name in path:
            column = column[name]
        return column.astype(np.int64)[self.events.row]

    def terms(self, name: str, field: str) -> Longs:
        """[n, terms]: a field of the terms of the events' `address` or `place`."""
        return self.events.rows.record[name]["term"][field].astype(np.int64)[self.events.row]

    def steps(self, name: str) -> Longs:
        """[n, terms, levels]: what each iteration of each level adds to the terms' const."""
        return self.terms(name, "step")

    @cached_property
    def op(self) -> Longs:
        return self.field("op")

    def by_instruction(self, values: dict[Instruction, int], default: int = 0) -> Longs:
        """For each event the value of its row of the instruction table."""
        table = np.full(_MAX_OPCODE + 1, default, np.int64)
        table[[row.opcode for row in values]] = list(values.values())
        return table[self.op]

    @cached_property
    def latency(self) -> Longs:
        return self.by_instruction({row: row.latency(self.chip) for row in ISSUING if row.latency})

    @cached_property
    def result_bytes(self) -> Longs:
        """Byte streams that the event's result fills: 0 (no result), 1 or 4."""
        width = self.by_instruction({row: row.result.width.value for row in ISSUING if row.result})
        silent = self.by_instruction({row: 1 for row in ISSUING if row.field("emit")}) > 0
        return np.where(silent & (self.field("emit") == 0), 0, width)

    @cached_property
    def operand_bytes(self) -> Longs:
        """[n, 3]: byte streams that operands a, b, c read: 0 (not a stream), 1 or 4."""
        columns = [self._operand_bytes(name) for name in OPERAND_NAMES]
        return np.stack(columns, axis=1)

    def _operand_bytes(self, name: str) -> Longs:
        widths = {row: operand.width.value for row in ISSUING if (operand := row.field(name))}
        return np.where(np.isin(self.field(name, "kind"), STREAMS), self.by_instruction(widths), 0)

    @cached_property
    def matvec(self) -> Bools:
        """Whether the event updates an accumulator."""
        return self.by_instruction({row: 1 for row in ISSUING if row.field("acc")}) > 0

    @cached_property
    def sets_param(self) -> Bools:
        return self.op == INSTRUCTIONS["icu.set_param"].opcode

    @cached_property
    def writes_row(self) -> Bools:
        return self.op == INSTRUCTIONS["mxm.write_row"].opcode

    @cached_property
    def space(self) -> Longs:
        """Which memory of its slice the event accesses: NO_SPACE, MEM, RERAM or SRAM."""
        always_sram = {row: SRAM for row in ISSUING if row.area is Area.MXM}
        in_mem = {row: MEM for row in ISSUING if row.area is Area.MEM}
        chosen = self.by_instruction({row: 1 for row in ISSUING if row.field("sram")}) > 0
        space = self.by_instruction(always_sram | in_mem)
        return np.where(chosen & (self.field("sram") == 0), RERAM, space)

    @cached_property
    def memory(self) -> Longs:
        """A number for the memory that the event accesses: one for each space of each slice."""
        return self.space * self.chip.num_positions + self.x

    @cached_property
    def writes_memory(self) -> Bools:
        """Whether the event writes the memory that it accesses; what has no result writes."""
        writers = {row: 1 for row in ISSUING if row.field("address") and row.result is None}
        return self.by_instruction(writers) > 0

    @cached_property
    def bytes_per_word(self) -> Longs:
        """What an address must be divided by to count words or tiles: 4 for byte addresses, else 1."""
        return self.by_instruction({row: 4 for row in ISSUING if _counts(row, "address") == "byte"}, default=1)

    def limit(self, name: str) -> Longs:
        """The first value that `address` or `place` may not take; UNLIMITED where the machine takes any."""
        chip = self.chip
        in_range = {"word": chip.mem.num_words, "byte": 4 * chip.mem.num_words, "row": chip.lanes}
        in_range |= {"tile": chip.mxm.num_sram_tiles}
        limits = {row: in_range.get(_counts(row, name), UNLIMITED) for row in ISSUING}
        limits |= {row: chip.lanes for row in ISSUING if row.area is Area.MEM and _counts(row, name) == "lane"}
        limit = self.by_instruction(limits, default=UNLIMITED)
        return np.where((self.space == RERAM) & (name == "address"), chip.mxm.num_reram_tiles, limit)


def _counts(row: Instruction, name: str) -> str:
    operand = row.field(name)
    return operand.word if operand and operand.form is Form.ADDRESS else ""
