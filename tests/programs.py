"""Random legal programs, for comparing executions with one another.

A program is a chain of parts. Most parts are noise: cycle by cycle, each queue issues something at random whose
operands it can find. `_Noise` keeps track of where each result stands (a result on a stream stays on one diagonal of
cycle and x) and of what is taken. The other parts are idioms that noise does not find: repeats, parameters that a
launch sets and then uses, rows that are written and then multiplied. Any part may be a loop with strides.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from waterclock.chip import Chip, Queue, SliceKind
from waterclock.isa.program import Output, Param, Program, empty_flow, empty_instructions
from waterclock.isa.record import OPERAND_NAMES, Direction, OperandKind, Records, address
from waterclock.isa.table import CONTROL, INSTRUCTIONS, OPCODES, Form, Instruction, Operand, Unit, Width
from waterclock.simulator.state import State

POSITION, ANY, SET, ROUTED = range(4)
"""Parameters: for addresses, for operands, set by noise to anything, and set by a launch to a small number."""
MAX_ROUTED = 3
PARAMS = (
    Param("position", POSITION, 0, 15),
    Param("any", ANY, -(1 << 31), (1 << 31) - 1),
    Param("set", SET, -(1 << 31), (1 << 31) - 1, host=False),
    Param("routed", ROUTED, 0, MAX_ROUTED, host=False),
)
SMALL_WORD = 0
"""A word of MEM slice 0 that nothing writes; lane 0 holds a number that `ROUTED` may be."""
FIRST_FREE_WORD = 4
NOISE_CYCLES, MAX_LOOPS, SLACK = 24, 3, 24
GAP_CYCLES = 64
"""Longer than any result lives: a latency and the way across the chip."""

SPECIAL_WORDS = np.array(
    [0, 1 << 31, 0x7F800000, 0xFF800000, 0x7FC00000, 0xFF800001, 1, 0x80000001, 0x00800000, 0x7F7FFFFF], np.uint32
).view(np.int32)

Row = Records


def random_state(chip: Chip, seed: int) -> State:
    """Memories full of ordinary numbers, special ones and random bits; parameters in their ranges."""
    rng, state = np.random.default_rng(seed), State.zero(chip)
    shape = state.mem.shape
    ordinary = rng.normal(0, 8, shape).astype(np.float32).view(np.int32)
    noise = rng.integers(-(1 << 31), 1 << 31, shape).astype(np.int32)
    kinds = [ordinary, rng.integers(-9, 9, shape).astype(np.int32), rng.choice(SPECIAL_WORDS, shape), noise]
    state.mem[:] = np.choose(rng.choice(4, shape, p=[0.6, 0.2, 0.1, 0.1]), kinds)
    state.mem[0, SMALL_WORD, 0] = rng.integers(0, MAX_ROUTED + 1)
    state.reram[:] = rng.integers(-128, 128, state.reram.shape)
    state.sram[:] = rng.integers(-128, 128, state.sram.shape)
    return state


def random_params(seed: int) -> dict[int, int]:
    """What a host may write before a launch."""
    rng = np.random.default_rng(seed)
    return {param.index: int(rng.integers(param.low, param.high, endpoint=True)) for param in PARAMS if param.host}


def random_program(chip: Chip, seed: int, num_parts: int = 4) -> Program:
    """A legal program for `chip` (one with SRAM tiles and at least 4 MEM words), the same for the same seed."""
    rng = np.random.default_rng(seed)
    queues: dict[str, list[Row]] = {queue.name: [_row("icu.start")] for queue in chip.queues}
    for _ in range(num_parts):
        make = _PARTS[rng.choice(len(_PARTS), p=_ODDS)]
        _append(queues, make(chip, rng), rng)
    records = {name: _stacked(rows) for name, rows in queues.items()}
    slices = [piece.name for piece in chip.slices_of(SliceKind.MEM)]
    words = tuple((str(rng.choice(slices)), int(rng.integers(chip.mem.num_words))) for _ in range(3))
    return Program(
        name=f"random {seed}",
        chip_sha256=chip.sha256,
        queues=records,
        flow={name: empty_flow(len(rows)) for name, rows in records.items()},
        labels={},
        operations=(),
        objects=(),
        params=PARAMS,
        outputs=(Output("words", words, 3 * chip.lanes - 1, (-1, -1, -1)),),
        length_cycles=0,
    )


@dataclass
class Issue:
    """An instruction in cycle `cycle` of its part, and `repeats` more of it, `distance` cycles apart."""

    cycle: int
    row: Row
    repeats: int = 0
    distance: int = 1

    @property
    def end(self) -> int:
        return self.cycle + self.repeats * self.distance + 1


@dataclass
class Part:
    """Issues by queue, in order of cycles; they end before `num_cycles`, with all that they sent under way."""

    num_cycles: int
    issues: dict[str, list[Issue]] = field(default_factory=dict)

    def add(self, queue: str, issue: Issue) -> None:
        self.issues.setdefault(queue, []).append(issue)


def _append(queues: dict[str, list[Row]], part: Part, rng: np.random.Generator) -> None:
    """Append a part to all queues, run once or in a loop, and wait until the chip is quiet."""
    runs = int(rng.integers(1, MAX_LOOPS + 1))
    period = part.num_cycles + GAP_CYCLES
    for name, rows in queues.items():
        before = len(rows)
        rows += _entries(part.issues.get(name, []), period)
        if runs > 1:
            rows.append(_row("icu.loop", n=runs, distance=period, body=len(rows) - before))


def _entries(issues: list[Issue], length: int) -> Iterator[Row]:
    cursor = 0
    for issue in issues:
        if issue.cycle > cursor:
            yield _row("icu.nop", n=issue.cycle - cursor)
        yield issue.row
        if issue.repeats:
            yield _row("icu.repeat", n=issue.repeats, distance=issue.distance)
        cursor = issue.end
    yield _row("icu.nop", n=length - cursor)


def _row(mnemonic: str, **fields: object) -> Row:
    row = empty_instructions(1)[0]
    row["op"] = OPCODES[mnemonic]
    for name, value in fields.items():
        row[name] = value
    return row


def _stacked(rows: list[Row]) -> Records:
    records = empty_instructions(len(rows))
    for place, row in enumerate(rows):
        records[place] = row
    return records


def _strides(rng: np.random.Generator, most: int, scale: int = 1) -> dict[int, int]:
    """Strides of the repeat and the innermost loop."""
    return {level: scale * int(rng.integers(0, most + 1)) for level in (0, 1)}


# Noise.


@dataclass
class _Value:
    """A result under way: the issue that makes it, and whether it has been read."""

    row: Row
    width: Width
    is_read: bool = False


class _Noise:
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
        row, read = _row(instruction.mnemonic), []
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
            row["scalar"] = self.rng.choice([*SPECIAL_WORDS, 1, 3, 31, np.float32(1.5).view(np.int32)])
        if OperandKind.PARAM in kinds:
            row["scalar_step"][:2] = self.rng.integers(-9, 9, 2)

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
        chip, rng = self.chip, self.rng
        for operand in instruction.operands:
            if operand.form is not Form.ADDRESS:
                continue
            low, limit, step = 0, chip.lanes - SLACK % chip.lanes, 1
            if operand.word in ("word", "byte"):
                low, limit = 4 * FIRST_FREE_WORD, chip.mem.num_words - SLACK
            elif operand.word == "tile":
                sram = "sram" not in {each.field for each in instruction.operands} or bool(row["sram"])
                step = chip.mxm.num_sram_banks if sram else chip.mxm.num_reram_banks
                limit = (chip.mxm.num_sram_tiles if sram else chip.mxm.num_reram_tiles) - SLACK // 3 * step
            elif operand.word in ("lane", "row"):
                row[operand.field] = address(
                    int(rng.integers(chip.lanes - 3)), (1, POSITION, 0, int(rng.integers(3)), 3)
                )
                continue
            elif operand.word == "amount":
                low, limit = -chip.lanes, 2 * chip.lanes
            terms = [
                (step, POSITION, int(rng.integers(-3, 4)), int(rng.integers(2)), 3) for _ in range(rng.integers(3))
            ]
            strides = {1: step * int(rng.integers(0, 2))}
            row[operand.field] = address(int(rng.integers(low, limit)), *terms, strides=strides)

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


def _noise(chip: Chip, rng: np.random.Generator) -> Part:
    return _Noise(chip, rng).draw()


# Idioms. A value that leaves slice x at t arrives east of it at x + k in cycle t + k.


def _copies(chip: Chip, rng: np.random.Generator) -> Part:
    """Words copied from one MEM slice to another, east of it, by repeats with strides."""
    west, east = chip.slices_of(SliceKind.MEM)[0], chip.slices_of(SliceKind.MEM)[-1]
    repeats, distance = int(rng.integers(1, 6)), int(rng.integers(1, 3))
    part = Part(repeats * distance + 1 + GAP_CYCLES)
    flight = chip.latency.mem_read + east.x - west.x
    read = _row("mem.read32", address=_word(rng, chip), result=(4, Direction.EAST, 0, 0))
    write = _row("mem.write32", a=(OperandKind.EAST, 4, 0), address=_word(rng, chip))
    part.add(west.name, Issue(0, read, repeats, distance))
    part.add(east.name, Issue(flight, write, repeats, distance))
    return part


def _routing(chip: Chip, rng: np.random.Generator) -> Part:
    """A parameter that the launch sets, used as an address from the first cycle in which it is seen."""
    west, east = chip.slices_of(SliceKind.MEM)[0], chip.slices_of(SliceKind.MEM)[-1]
    read = _row("mem.read32", address=address(SMALL_WORD), result=(8, Direction.EAST, 0, 0))
    part, arrival = Part(2 * GAP_CYCLES), chip.latency.mem_read + east.x - west.x
    part.add(west.name, Issue(0, read))
    part.add(east.name, Issue(arrival, _row("icu.set_param", a=(OperandKind.EAST, 8, 0), param=ROUTED)))
    start = arrival + chip.param_latency_cycles - int(rng.integers(2)) * 2
    routed = address(int(rng.integers(FIRST_FREE_WORD, 64)), (5, ROUTED, 0, 0, 3), strides={0: 1})
    repeats = 3
    part.add(west.name, Issue(start, _row("mem.read32", address=routed, result=(4, Direction.EAST, 0, 0)), repeats))
    write = _row("mem.write32", a=(OperandKind.EAST, 4, 0), address=_word(rng, chip))
    part.add(east.name, Issue(start + arrival, write, repeats))
    return part


def _attention(chip: Chip, rng: np.random.Generator) -> Part:
    """A row written to a tile at the position, then the tile multiplied both ways and read back."""
    memory, mxm = chip.slices_of(SliceKind.MEM)[0], chip.slices_of(SliceKind.MXM)[-1]
    sink = chip.slices_of(SliceKind.MEM)[0]
    out, back = chip.latency.mem_read + mxm.x - memory.x, mxm.x - sink.x
    tile = address(int(rng.integers(0, 64)), (8, POSITION, 0, 3, 1))
    row = address(0, (1, POSITION, 0, 0, 7))
    part, cycle = Part(3 * GAP_CYCLES), count(0, 4)
    unsigned = int(rng.integers(2))
    operand = (OperandKind.EAST, 2, 0)
    emitted = {"address": tile, "first": 1, "emit": 1, "unsigned": unsigned, "result": (12, Direction.WEST, 0, 0)}
    read_back = {"address": tile, "place": row, "sram": 1, "result": (12, Direction.WEST, 0, 0)}
    uses: list[tuple[str, Mapping[str, object], int, str]] = [
        ("mxm.write_row", {"a": operand, "address": tile, "place": row}, 0, ""),
        ("mxm.matvec", {"a": operand, "acc": 1, "sram": 1, **emitted}, chip.latency.matvec, "mem.write32"),
        ("mxm.matvec_t", {"a": operand, "acc": 2, **emitted}, chip.latency.matvec, "mem.write32"),
        ("mxm.read_row", read_back, chip.latency.read_row, "mem.write8"),
    ]
    reads: list[Issue] = []
    writes: list[Issue] = []
    for (mnemonic, fields, latency, store), start in zip(uses, cycle, strict=False):
        if "a" in fields:
            byte = address(int(rng.integers(4 * FIRST_FREE_WORD, 400)))
            reads.append(Issue(start, _row("mem.read8", address=byte, result=(2, Direction.EAST, 0, 0))))
        part.add(mxm.name, Issue(start + out, _row(mnemonic, **fields)))
        if store:
            place = _word(rng, chip, scale=4 if store == "mem.write8" else 1)
            write = _row(store, a=(OperandKind.WEST, 12, 0), address=place)
            writes.append(Issue(start + out + latency + back, write))
    for issue in sorted(reads + writes, key=lambda issue: issue.cycle):
        part.add(memory.name, issue)
    return part


def _word(rng: np.random.Generator, chip: Chip, scale: int = 1) -> Records:
    """A word somewhere, moving with repeat and loop and with the position."""
    base = scale * int(rng.integers(FIRST_FREE_WORD, chip.mem.num_words - 4 * SLACK))
    return address(base, (scale, POSITION, int(rng.integers(-2, 3)), 1, 7), strides=_strides(rng, 3, scale))


_PARTS: tuple[Callable[[Chip, np.random.Generator], Part], ...] = (_noise, _copies, _routing, _attention)
_ODDS = (0.7, 0.1, 0.1, 0.1)
