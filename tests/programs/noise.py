"""Noise: in each cycle each queue issues something at random whose operands it can find."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from tests.programs.parts import FIRST_FREE_WORD, SET, Issue, Part, Row, row_of
from tests.programs.walks import anything, walk
from waterclock.chip import Chip, Queue, SliceKind
from waterclock.isa.layout import field_by_path
from waterclock.isa.record import NUM_LEVELS, OPERAND_NAMES, Direction, OperandKind, Records
from waterclock.isa.table import CONTROL, INSTRUCTIONS, Form, Instruction, Operand, Unit, Width

NOISE_CYCLES = 48
"""Long enough for the slowest result to be read by what comes after it."""

SPECIAL_WORDS = np.array(
    [0, 1 << 31, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFF800001, 1, 0x80000001, 0x00800000, 0x7F7FFFFF], np.uint32
).view(np.int32)


@dataclass
class _Value:
    """A result under way: the issue that makes it, and whether it has been read."""

    row: Row
    width: Width
    is_read: bool = False


class Noise:
    """A part that is drawn cycle by cycle."""

    def __init__(self, chip: Chip, rng: np.random.Generator) -> None:
        self.chip, self.rng = chip, rng
        self.part = Part(NOISE_CYCLES)
        self.streams: dict[tuple[int, OperandKind, int], dict[int, tuple[_Value, int]]] = {}
        self.holds: dict[int, list[tuple[int, _Value]]] = {}
        self.hold_arrivals: set[tuple[int, int]] = set()
        self.param_arrivals: set[int] = set()
        self.accumulators: set[tuple[str, int]] = set()
        self.bank_free: dict[tuple[str, bool, int], int] = {}
        self.values: list[_Value] = []
        self.candidates = {
            queue.name: [row for row in INSTRUCTIONS.values() if self._fits(row, queue)] for queue in chip.queues
        }

    def draw(self) -> Part:
        for cycle in range(NOISE_CYCLES):
            for queue in self.chip.queues:
                if self.rng.random() < 0.5:
                    self._try(queue, cycle)
        for value in self.values:
            value.row["result"]["discard"] = not value.is_read
        return self.part

    def _try(self, queue: Queue, cycle: int) -> None:
        """Issue something if its operands are there and its result finds room."""
        candidates = self.candidates[queue.name]
        instruction = candidates[self.rng.integers(len(candidates))]
        row, read = row_of(instruction.mnemonic), []
        for name, operand in zip(OPERAND_NAMES, instruction.sources, strict=False):
            has_scalar = any(row[each]["kind"] in _SCALARS for each in OPERAND_NAMES)
            source = self._source(queue, cycle, operand, has_scalar)
            if source is None:
                return
            row[name]["kind"], row[name]["index"], value = source
            read += [value] if value is not None else []
            if row[name]["kind"] in _READ and operand.form is Form.SOURCE and self.rng.random() < 0.3:
                row[name]["xor"] = 1 << self.rng.integers(self.chip.log2_lanes)
        self._scalars(row)
        self._numbers(instruction, row)
        self._addresses(instruction, row)
        taken = self._rules(instruction, row, queue, cycle)
        if taken is None or not self._result(instruction, row, queue, cycle):
            return
        taken()
        for value in read:
            value.is_read = True
        self.part.add(queue.name, Issue(cycle, row))

    def _fits(self, row: Instruction, queue: Queue) -> bool:
        vxm = self.chip.vxm
        units = {Unit.ANY: range(vxm.num_alus), Unit.SPECIAL: range(vxm.num_special)}
        units[Unit.REDUCE] = range(vxm.num_alus - vxm.num_reduce, vxm.num_alus)
        if row.mnemonic in CONTROL:
            return False
        return row.area.slice_kind in (None, queue.slice.kind) and queue.index in units[row.unit]

    def _source(
        self, queue: Queue, cycle: int, operand: Operand, has_scalar: bool
    ) -> tuple[int, int, _Value | None] | None:
        found: list[tuple[int, int, _Value | None]] = []
        for direction in (OperandKind.EAST, OperandKind.WEST):
            for stream in range(0, self.chip.num_streams, operand.width.value):
                numbers = range(stream, stream + operand.width.value)
                values = [self._on_stream(direction, number, queue.slice.x, cycle) for number in numbers]
                if values[0] is not None and all(value is values[0] for value in values):
                    found.append((direction, stream, values[0]))
        may_be_anything = operand.form is Form.SOURCE and operand.width is Width.WORD
        if may_be_anything:
            found += [(OperandKind.HOLD, hold, value) for hold, value in self._held(cycle)]
        if may_be_anything and not has_scalar:
            found += [(OperandKind.IMMEDIATE, 0, None), (OperandKind.PARAM, int(self.rng.integers(3)), None)]
        return found[self.rng.integers(len(found))] if found else None

    def _on_stream(self, direction: OperandKind, stream: int, x: int, cycle: int) -> _Value | None:
        """The value of which one stream carries a byte, where and when an operand reads it."""
        upstream = self._diagonal(direction, stream, x, cycle)
        at = [place for place in upstream if self._is_upstream(direction, place, x)]
        if not at:
            return None
        nearest = max(at) if direction is OperandKind.EAST else min(at)
        return upstream[nearest][0]

    def _diagonal(self, direction: OperandKind, stream: int, x: int, cycle: int) -> dict[int, tuple[_Value, int]]:
        """What was ever put, by x, on the registers that flow through this one."""
        offset = cycle - x if direction is OperandKind.EAST else cycle + x
        return self.streams.setdefault((offset, direction, stream), {})

    @staticmethod
    def _is_upstream(direction: OperandKind, place: int, x: int) -> bool:
        return place <= x if direction is OperandKind.EAST else place >= x

    def _held(self, cycle: int) -> Iterator[tuple[int, _Value]]:
        for hold, arrivals in self.holds.items():
            there = [(arrival, value) for arrival, value in arrivals if arrival <= cycle]
            if there:
                yield hold, max(there, key=lambda one: one[0])[1]

    def _scalars(self, row: Row) -> None:
        kinds = [row[name]["kind"] for name in OPERAND_NAMES]
        if OperandKind.IMMEDIATE in kinds or OperandKind.PARAM in kinds:
            anything = self.rng.integers(-(1 << 31), 1 << 31)
            row["scalar"] = self.rng.choice([*SPECIAL_WORDS, 1, 3, 31, np.float32(1.5).view(np.int32), anything])
        if OperandKind.PARAM in kinds:
            row["scalar_step"] = self.rng.integers(-(1 << 23), 1 << 23, NUM_LEVELS) >> self.rng.integers(24)

    def _numbers(self, instruction: Instruction, row: Row) -> None:
        limit = {"mask": self.chip.log2_lanes, "segment": self.chip.log2_lanes + 1}
        for operand in instruction.operands:
            if operand.field in limit:
                row[operand.field] = 1 << self.rng.integers(limit[operand.field])
            elif operand.field == "acc":
                row["acc"] = self.rng.integers(self.chip.mxm.num_accumulators)
            elif operand.field == "param":
                row["param"] = SET
            elif operand.form is Form.FLAG:
                row[operand.field] = self.rng.integers(2)

    def _addresses(self, instruction: Instruction, row: Row) -> None:
        for operand in instruction.operands:
            if operand.form is Form.ADDRESS:
                row[operand.field] = self._address(instruction, row, operand)

    def _address(self, instruction: Instruction, row: Row, operand: Operand) -> Records:
        """Somewhere in memory behind what is kept; in one bank of tiles; an amount, now and then of any size."""
        chip, rng = self.chip, self.rng
        bits = field_by_path(instruction.mnemonic)[f"{operand.field}.base"].bits
        if operand.word == "amount":
            return anything(rng, bits) if rng.random() < 0.3 else walk(rng, -chip.lanes, 2 * chip.lanes, bits)
        if operand.word == "tile":
            sram, mxm = instruction.field("sram") is None or bool(row["sram"]), chip.mxm
            num_tiles, num_banks = (
                (mxm.num_sram_tiles, mxm.num_sram_banks) if sram else (mxm.num_reram_tiles, mxm.num_reram_banks)
            )
            return walk(rng, 0, num_tiles, bits, num_banks)
        first, limit = {
            "word": (FIRST_FREE_WORD, chip.mem.num_words), "byte": (4 * FIRST_FREE_WORD, 4 * chip.mem.num_words),
        }.get(operand.word, (0, chip.lanes))  # fmt: skip
        return walk(rng, first, limit, bits)

    def _rules(self, instruction: Instruction, row: Row, queue: Queue, cycle: int) -> Callable[[], None] | None:
        """What an issue takes up beside its result, to be called once it is certain; None if it is not free."""
        if instruction.mnemonic == "icu.set_param":
            arrival = cycle + self.chip.param_latency_cycles
            return None if arrival in self.param_arrivals else lambda: self.param_arrivals.add(arrival)
        if queue.slice.kind is not SliceKind.MXM:
            return lambda: None
        if instruction.field("acc") is not None:
            row["first"] |= (queue.name, int(row["acc"])) not in self.accumulators
        mxm, sram = self.chip.mxm, instruction.field("sram") is None or bool(row["sram"])
        bank = int(row["address"]["base"]) % (mxm.num_sram_banks if sram else mxm.num_reram_banks)
        busy = mxm.write_row_cycles if instruction.mnemonic == "mxm.write_row" else 1 if sram else mxm.sense_cycles
        place = (queue.name, sram, bank)
        if cycle < self.bank_free.get(place, 0):
            return None

        def take() -> None:
            self.bank_free[place] = cycle + busy
            if instruction.field("acc") is not None:
                self.accumulators.add((queue.name, int(row["acc"])))

        return take

    def _result(self, instruction: Instruction, row: Row, queue: Queue, cycle: int) -> bool:
        """Find room for the result; False if there is none."""
        if instruction.result is None or instruction.latency is None:
            return True
        if instruction.field("emit") is not None and not row["emit"]:
            return True
        width, arrival, x = instruction.result.width, cycle + instruction.latency(self.chip), queue.slice.x
        stream = width.value * int(self.rng.integers(self.chip.num_streams // width.value))
        direction, may_hold = (
            Direction(int(self.rng.integers(4))),
            queue.slice.kind is SliceKind.VXM and width is Width.WORD,
        )
        if not may_hold and direction is Direction.NONE:
            direction = Direction.BOTH
        holds = may_hold and (direction is Direction.NONE or self.rng.random() < 0.4)
        hold = int(self.rng.integers(self.chip.vxm.num_holds)) if holds else None
        ways = [kind for kind, way in _WAYS if way in direction]
        bytes_ = [(way, stream + place) for way in ways for place in range(width.value)]
        diagonals = [self._diagonal(way, number, x, arrival) for way, number in bytes_]
        if any(x in diagonal for diagonal in diagonals) or (hold, arrival) in self.hold_arrivals:
            return False
        value = _Value(row, width)
        for diagonal in diagonals:
            diagonal[x] = (value, arrival)
        if hold is not None:
            self.holds.setdefault(hold, []).append((arrival, value))
            self.hold_arrivals.add((hold, arrival))
        self.values.append(value)
        row["result"] = (stream if ways else 0, direction, 0 if hold is None else hold + 1, 0)
        return True


_READ = (OperandKind.EAST, OperandKind.WEST, OperandKind.HOLD)
_SCALARS = (OperandKind.IMMEDIATE, OperandKind.PARAM)
_WAYS = ((OperandKind.EAST, Direction.EAST), (OperandKind.WEST, Direction.WEST))


def noise(chip: Chip, rng: np.random.Generator) -> Part:
    """A part that is drawn cycle by cycle."""
    return Noise(chip, rng).draw()
