"""What the events of a linked program say, as one column for each question: everything but the values."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from waterclock.isa.record import NUM_TERMS, OPERAND_NAMES, Records
from waterclock.isa.table import INSTRUCTION_BY_OPCODE, Area, Form, Instruction, Width
from waterclock.simulator.link import Linked
from waterclock.simulator.link.rolled import INNER, OUTER
from waterclock.simulator.machine.stretches import Stretch
from waterclock.simulator.semantics import BYTES_PER_WORD

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

TERM_COLUMNS = ("event", "is_place", "param", "const", "shift", "mask", "stride", "inner", "outer")
"""A term adds stride * (((params[param] + const) >> shift) & mask) to `address`, or to `place`; `inner` and `outer` are
added to const with each run."""


def wrapped(value: Longs) -> Longs:
    """`value` modulo 2^32, as signed numbers."""
    return value.astype(np.int32).astype(np.int64)


class Columns:
    """Columns of length n, one element for each event of a stretch. Addresses are those of its run 0; `steps` says what
    each further run of a loop adds."""

    def __init__(self, linked: Linked, stretch: Stretch) -> None:
        self.linked, self.chip, self.events = linked, linked.chip, stretch.events
        self.records = linked.rows.record
        self.row: Longs = linked.row[self.events].astype(np.int64)
        none = np.zeros(len(self.events), np.int64)
        self.iteration: Longs = linked.iteration[self.events].astype(np.int64)
        if linked.rolled is not None and stretch.num_runs > 1:
            self.iteration = linked.rolled.iteration(self.row, none, none)
        self.opcode: Longs = self.field("op")
        self.slice_index: Longs = np.array([queue.slice.index for queue in self.chip.queues])[linked.queue[self.events]]
        tile_is_sram = self.where(lambda row: row.area is Area.MXM and row.field("sram") is None)
        self.is_sram: Bools = tile_is_sram | (self.field("sram") != 0)

    def __len__(self) -> int:
        return len(self.events)

    def where(self, holds: Callable[[Instruction], bool]) -> Bools:
        """Whether the event's row of the instruction table is one of these."""
        by_opcode = np.zeros(1 + max(INSTRUCTION_BY_OPCODE), np.bool_)
        for opcode, row in INSTRUCTION_BY_OPCODE.items():
            by_opcode[opcode] = holds(row)
        return by_opcode[self.opcode]

    def field(self, name: str) -> Longs:
        """A plain field of the record."""
        return self.records[name][self.row].astype(np.int64)

    def strided(self, base: Records, stride: Records) -> Longs:
        """base + sum of stride * iteration, modulo 2^32; both hold a value for each row of the program."""
        return wrapped(base[self.row] + (stride[self.row].astype(np.int64) * self.iteration).sum(axis=1))

    def steps(self, level: int) -> tuple[Longs, Longs]:
        """What a further run of a loop adds to `address` and to `place`."""
        address, place = (
            np.where(self._has(name), self.records[name]["stride"][self.row, level], 0).astype(np.int64)
            for name in ("address", "place")
        )
        return address, place

    def scalar_steps(self, level: int) -> Longs:
        """What a further run of a loop adds to what a broadcast parameter is added to."""
        return self.records["scalar_step"][self.row, level].astype(np.int64)

    def scalar(self) -> Longs:
        """What a broadcast parameter is added to."""
        return self.strided(self.records["scalar"], self.records["scalar_step"])

    def number(self) -> Longs:
        """The number (mask, segment, parameter) of instructions that have one; else 0."""
        number = np.zeros(len(self), np.int64)
        for name in ("mask", "segment", "param"):
            number = np.where(self.where(lambda row, name=name: row.field(name) is not None), self.field(name), number)
        return number

    def address(self, name: str) -> Longs:
        """The part of field `address` or `place` that no parameter changes, counted over all slices of the kind."""
        field = self.records[name]
        return np.where(self._has(name), self.strided(field["base"], field["stride"]) + self._origin(name), 0)

    def terms(self) -> Longs:
        """The terms of all addresses, [number of terms, TERM_COLUMNS]."""
        return np.concatenate([
            self._terms(name, number) for name in ("address", "place") for number in range(NUM_TERMS)
        ])  # fmt: skip

    def byte_plane(self, k: int) -> Longs:
        """Which byte of a word operand k finds, where it reads the one stream that carries it; 0 for all others."""
        reads_byte = self.where(lambda row: k < len(row.sources) and row.sources[k].width is Width.BYTE)
        producer = self.linked.producer[self.events, k]
        found = reads_byte & (producer >= 0) & self.makes_word(producer)
        return np.where(found, self.operand(k)["index"] % Width.WORD.value, 0).astype(np.int64)

    def operand(self, k: int) -> Records:
        """The record's operand a, b or c (k = 0, 1, 2)."""
        return self.records[OPERAND_NAMES[k]][self.row]

    def makes_word(self, event: Ints | Longs) -> Bools:
        """Whether events of the program make 32-bit results."""
        by_opcode = np.zeros(1 + max(INSTRUCTION_BY_OPCODE), np.bool_)
        for opcode, row in INSTRUCTION_BY_OPCODE.items():
            by_opcode[opcode] = row.result is not None and row.result.width is Width.WORD
        return by_opcode[self.records["op"][self.linked.row[event]]]

    def has_terms(self, name: str) -> Bools:
        """Whether `address` or `place` depends on a parameter."""
        return np.asarray((self.records[name]["term"]["used"][self.row] != 0).any(axis=1))

    def _has(self, name: str) -> Bools:
        return self.where(lambda row: row.field(name) is not None)

    def _origin(self, name: str) -> Longs:
        """Where the slice's memory begins in what the address counts; lanes, rows and amounts begin at 0."""
        chip = self.chip
        tiles = np.where(self.is_sram, chip.mxm.num_sram_tiles, chip.mxm.num_reram_tiles)
        size_by_word = {"word": chip.mem.num_words, "byte": BYTES_PER_WORD * chip.mem.num_words, "tile": tiles}
        size = np.zeros(len(self), np.int64)
        for word, words_size in size_by_word.items():
            size = np.where(self.where(lambda row, word=word: _counts(row, name) == word), words_size, size)
        return self.slice_index * size

    def _terms(self, name: str, number: int) -> Longs:
        term = self.records[name]["term"][:, number]
        const = self.strided(term["const"], term["step"])
        mine = term[self.row]
        event = np.flatnonzero(self._has(name) & (mine["used"] != 0))
        inner, outer = mine["step"][:, INNER], mine["step"][:, OUTER]
        columns = [mine["param"], const, mine["shift"], mine["mask"], mine["stride"], inner, outer]
        is_place = np.full(len(event), name == "place")
        return np.stack([event, is_place, *(column[event].astype(np.int64) for column in columns)], axis=1)


def _counts(row: Instruction, name: str) -> str:
    """What an address of an instruction counts; empty if it has none."""
    operand = row.field(name)
    return operand.word if operand is not None and operand.form is Form.ADDRESS else ""
