"""Random legal programs: operations drawn at random, each kept only where it harms nothing and finds its operands."""

from collections.abc import Sequence
from itertools import count

import numpy as np

from tests.programs.parts import row_of
from tests.simulator.legal.addresses import (
    ANY,
    POSITION,
    ROUTED,
    SET,
    Addressed,
    objects_of,
)
from tests.simulator.legal.draw_addresses import AddressDrawer
from tests.simulator.legal.histories import WAYS, Histories
from tests.simulator.legal.meaning import producer_of
from tests.simulator.legal.parts import Issue, Legal, Operation, Run, Segment
from tests.simulator.legal.staging import num_written_out, queue_end, written_out_fits
from waterclock.chip import Chip, Queue, SliceKind
from waterclock.isa.program import Space
from waterclock.isa.record import NUM_LEVELS, OPERAND_NAMES, Direction, OperandKind
from waterclock.isa.table import CONTROL, INSTRUCTIONS, Form, Instruction, Operand, Width
from waterclock.isa.validate import alus_of

NUM_TRIES = 100
"""Operations that are tried in a segment."""
MAX_RUNS = 48
PERIODS = (3, 5, 8, 13, 21, 34, 55)
WINDOWS = (10, 20, 30, 50)
"""The operations of a segment issue in so many cycles for the first time."""
NUM_MENDS = 60
SPECIAL = np.array([0, 1, -1, 3, 31, 1 << 30, 0x3FC00000, 0x7F800000], np.int64)


class _NotMended(Exception):
    """Some result would be lost in some run: this draw leads nowhere."""


def legal_program(chip: Chip, seed: int) -> Legal:
    """A legal program for `chip`, the same for the same seed."""
    for attempt in count():
        try:
            return _Drawer(chip, np.random.default_rng([seed, attempt])).program()
        except _NotMended:
            continue
    raise AssertionError


class _Drawer:
    def __init__(self, chip: Chip, rng: np.random.Generator) -> None:
        self.chip, self.rng = chip, rng
        self.objects = objects_of(chip)
        self.addressed = Addressed(chip, self.objects)
        self.histories = Histories(chip, self.addressed)
        self.operations: list[Operation] = []
        self.free_cycle: dict[str, int] = {queue.name: 0 for queue in chip.queues}
        self.carries, self.repeats = rng.random() < 0.3, rng.random() < 0.2
        self.reach = chip.num_positions + max(row.latency(chip) for row in INSTRUCTIONS.values() if row.latency)
        self.addresses = AddressDrawer(chip, self.addressed, rng, self._has_routed)
        self.loop_outputs = rng.random() < 0.15
        self.read_in_all_runs: set[Operation] = set()
        self.fitting = {queue.name: [row for row in INSTRUCTIONS.values() if _fits(row, queue, chip)]
                        for queue in chip.queues}  # fmt: skip

    def program(self) -> Legal:
        begin = 0
        for _ in range(self.rng.integers(1, 4)):
            window = int(self.rng.choice(WINDOWS))
            segment = Segment(begin, self._loops(window), begin + window)
            mine: list[Operation] = []
            for _ in range(NUM_TRIES if segment.loops else NUM_TRIES // 2):
                drawn = self._draw(segment, mine)
                if drawn is not None and self._add(drawn, mine):
                    mine.append(drawn)
            if not mine:
                raise _NotMended
            self._mend(mine)
            self.operations += mine
            begin = 1 + max(issue.cycle for op in mine for issue in op.issues()) + int(self.rng.integers(0, 6))
            for queue in {operation.queue.name for operation in mine}:
                self.free_cycle[queue] = queue_end(segment, [op for op in mine if op.queue.name == queue])
        return self._finished()

    def _loops(self, window: int) -> tuple[tuple[int, int], ...]:
        """(runs, period) of the loops of a segment, outermost first; mostly more runs than can meet one another."""
        depth = int(self.rng.choice(3, p=[0.2, 0.55, 0.25]))
        if not depth:
            return ()
        period = int(self.rng.choice(PERIODS))
        meeting = 2 * ((window + self.reach) // period) + 2
        inner = int(self.rng.integers(2, 6)) + (meeting if self.rng.random() < 0.75 else 0)
        if depth == 1:
            return ((min(inner, MAX_RUNS), period),)
        inner = min(inner, MAX_RUNS // 3)
        slack = window + int(self.rng.integers(1, 40))
        return ((int(self.rng.integers(2, 5)), inner * period + slack), (inner, period))

    def _add(self, operation: Operation, mine: Sequence[Operation]) -> bool:
        """Place an operation whose queue can be written with it."""
        here = [*(each for each in mine if each.queue is operation.queue), operation]
        rest = [each for each in mine if each.queue is not operation.queue]
        if not written_out_fits(operation.segment, here, rest):
            return False
        return self.histories.add(operation, in_its_run=not self.carries)

    # What is drawn.

    def _draw(self, segment: Segment, mine: Sequence[Operation]) -> Operation | None:
        queue, offset, guide = self._where(segment, mine)
        if offset < max(segment.begin, self.free_cycle[queue.name]) or offset >= segment.end:
            return None
        candidates = self.fitting[queue.name]
        instruction = candidates[self.rng.integers(len(candidates))]
        row = row_of(instruction.mnemonic)
        operation = Operation(queue, instruction, row, offset, segment)
        if self.repeats and self.rng.random() < 0.3:
            operation.repeats, operation.distance = (int(number) for number in self.rng.integers(1, 4, 2))
        if not self._operands(operation, guide) or not self._numbers(operation) or not self.addresses.draw(operation):
            return None
        self._result(operation)
        return operation

    def _where(self, segment: Segment, mine: Sequence[Operation]) -> tuple[Queue, int, Operation | None]:
        """A queue and a cycle; mostly where a result of an operation comes past or where a hold has it."""
        queues = self.chip.queues
        guide = mine[self.rng.integers(len(mine))] if len(mine) and self.rng.random() < 0.8 else None
        if guide is None or guide.result_width() is None:
            return queues[self.rng.integers(len(queues))], int(self.rng.integers(segment.begin, segment.end)), None
        arrival, result, x = guide.offset + guide.latency(self.chip), guide.row["result"], guide.queue.slice.x
        if not result["direction"]:
            alus = [queue for queue in queues if queue.slice.kind is SliceKind.VXM]
            return alus[self.rng.integers(len(alus))], arrival + int(self.rng.integers(6)), guide
        ways = [kind for kind, way in WAYS.items() if way & Direction(int(result["direction"]))]
        way = ways[self.rng.integers(len(ways))]
        downstream = [queue for queue in queues if (queue.slice.x >= x if way is OperandKind.EAST else
                                                    queue.slice.x <= x)]  # fmt: skip
        queue = downstream[self.rng.integers(len(downstream))]
        return queue, arrival + abs(queue.slice.x - x), guide

    def _operands(self, operation: Operation, guide: Operation | None) -> bool:
        has_scalar = False
        for name, operand in zip(OPERAND_NAMES, operation.instruction.sources, strict=False):
            sources = self._sources(operation, operand, guide if name == "a" else None)
            if operand.form is Form.SOURCE and operand.width is Width.WORD and not has_scalar:
                sources += [(OperandKind.IMMEDIATE, 0), (OperandKind.PARAM, int(self.rng.choice([POSITION, ANY])))]
            if not sources:
                return False
            kind, index = sources[self.rng.integers(len(sources))]
            has_scalar |= kind in (OperandKind.IMMEDIATE, OperandKind.PARAM)
            crosses = operand.form is Form.SOURCE and self.rng.random() < 0.2 and kind != OperandKind.IMMEDIATE
            lanes = 1 << int(self.rng.integers(self.chip.log2_lanes)) if crosses and kind != OperandKind.PARAM else 0
            operation.row[name] = (kind, index, lanes)
            if kind in (OperandKind.IMMEDIATE, OperandKind.PARAM):
                operation.row["scalar"] = self.rng.choice(SPECIAL)
            if kind == OperandKind.PARAM:
                operation.row["scalar_step"] = self.rng.integers(-3, 4, NUM_LEVELS) * _levels_of(operation)
        return True

    def _sources(self, operation: Operation, operand: Operand, guide: Operation | None) -> list[tuple[int, int]]:
        """Streams and holds that have a value for an operand in the first run; those of the guide alone, if it has."""
        found: list[tuple[int, int, Issue]] = []
        x, cycle, width = operation.queue.slice.x, operation.offset, operand.width.value
        for kind in WAYS:
            for stream in range(0, self.chip.num_streams, width):
                issue = self.histories.found(self.histories.stream(kind, stream, x, cycle))
                found += [(kind, stream, issue)] if issue is not None else []
        if operand.form is Form.SOURCE and operand.width is Width.WORD:
            for hold in range(self.chip.vxm.num_holds):
                history = self.histories.by_key.get(("hold", hold))
                latest = history.latest(cycle) if history else -1
                found += [(OperandKind.HOLD, hold, history.issues[latest])] if history and latest >= 0 else []
        found = [one for one in found if self._may_read(operation, one[2].operation)]
        guided = [one for one in found if one[2].operation is guide]
        return [(kind, index) for kind, index, _ in guided or found]

    def _may_read(self, reader: Operation, producer: Operation) -> bool:
        """From outside its loops only the last run can be read, which would leave the others to nobody."""
        return producer.segment is reader.segment or not producer.levels or producer in self.read_in_all_runs

    def _numbers(self, operation: Operation) -> bool:
        row, rng = operation.row, self.rng
        powers = {"mask": self.chip.log2_lanes, "segment": self.chip.log2_lanes + 1}
        for operand in operation.instruction.operands:
            if operand.field in powers:
                row[operand.field] = 1 << int(rng.integers(powers[operand.field]))
            elif operand.field == "acc":
                row["acc"] = rng.integers(self.chip.mxm.num_accumulators)
            elif operand.form is Form.FLAG:
                row[operand.field] = rng.integers(2)
        if operation.instruction.mnemonic == "icu.set_param":
            row["param"] = ROUTED if self._is_small(operation) else SET
        return True

    def _is_small(self, operation: Operation) -> bool:
        """Whether what an `icu.set_param` reads is always a constant that may be an address."""
        kind, index = OperandKind(int(operation.row["a"]["kind"])), int(operation.row["a"]["index"])
        place = self.histories.stream(kind, index, operation.queue.slice.x, operation.offset)
        issue = self.histories.found(place)
        read = issue.operation if issue else None
        return read is not None and read.instruction.mnemonic == "mem.read32" and "small" in self.objects[
            read.object].name and not read.levels and not operation.levels  # fmt: skip

    def _has_routed(self) -> bool:
        """Whether the program sets the parameter that the host does not: a launch may use what one before has set."""
        return ("param", ROUTED) in self.histories.by_key

    def _result(self, operation: Operation) -> None:
        width, rng = operation.result_width(), self.rng
        if width is None:
            return
        may_hold = operation.queue.slice.kind is SliceKind.VXM and width is Width.WORD
        direction = Direction(int(rng.choice([0, 1, 2, 3], p=[0.2, 0.3, 0.3, 0.2])))
        if not may_hold and not direction:
            direction = Direction.BOTH
        holds = may_hold and (not direction or rng.random() < 0.2) and self.chip.vxm.num_holds > 0
        stream = width.value * int(rng.integers(self.chip.num_streams // width.value)) if direction else 0
        if not direction and not holds:
            direction = Direction.EAST
        operation.row["result"] = (stream, direction, int(rng.integers(self.chip.vxm.num_holds)) + 1 if holds else 0, 0)

    # What is left to do when all are drawn.

    def _outputs(self) -> tuple[tuple[str, int], ...]:
        """Words that are written, whoever writes them last; mostly such as are written in no loop."""
        written = [key[1:] for key, history in self.histories.by_key.items() if key[0] is Space.MEM and history.at
                   and (self.loop_outputs or not any(issue.operation.levels for issue in history.issues))]  # fmt: skip
        if not written:
            return ()
        words = [written[place] for place in self.rng.choice(len(written), min(3, len(written)), replace=False)]
        return tuple((str(piece), int(str(word))) for piece, word in words)

    def _mend(self, mine: list[Operation]) -> None:
        """A result that some runs read and others don't is read by one more operation, in all runs."""
        for operation in list(mine):
            read = self._read_runs(operation, mine)
            if read and len(read) < operation.num_issues:
                self._add_reader(operation, mine)
        self.read_in_all_runs |= {each for each in mine if len(self._read_runs(each, mine)) == each.num_issues}

    def _read_runs(self, operation: Operation, readers: Sequence[Operation]) -> set[Run]:
        return {found.run for each in readers for (name, _), found in each.found.items()
                if found is not None and found.operation is operation and name in OPERAND_NAMES}  # fmt: skip

    def _add_reader(self, operation: Operation, mine: list[Operation]) -> None:
        for _ in range(NUM_MENDS):
            queue, offset, _ = self._where(operation.segment, [operation])
            known = queue.slice.kind in (SliceKind.VXM, SliceKind.MEM)
            if (
                not known
                or offset < max(operation.segment.begin, self.free_cycle[queue.name])
                or (offset >= operation.segment.end)
            ):
                continue
            mnemonic = "vxm.move" if queue.slice.kind is SliceKind.VXM else "mem.write32"
            reader = Operation(queue, INSTRUCTIONS[mnemonic], row_of(mnemonic), offset, operation.segment,
                               operation.repeats, operation.distance)  # fmt: skip
            if not self._operands(reader, operation) or not self.addresses.draw(reader):
                continue
            self._result(reader)
            if self._add(reader, mine):
                mine.append(reader)
                if len(self._read_runs(operation, [reader])) == operation.num_issues:
                    return
        raise _NotMended

    def _finished(self) -> Legal:
        """The program, if all that was told of it can still be told when it is written out as loops."""
        legal = Legal(self.chip, tuple(self.operations), self.objects, self._outputs(), self.histories)
        for segment in {operation.segment for operation in self.operations}:
            segment.num_written_out = num_written_out(segment, self.operations)
        for operation, read in legal.readers().items():
            if operation.result_width() is not None:
                if read and len(read) < operation.num_issues:
                    raise _NotMended
                operation.row["result"]["discard"] = not read
            if any(producer_of(operation, name) is None for name in {name for name, _ in operation.found}):
                raise _NotMended
        return legal


def _levels_of(operation: Operation) -> np.ndarray:
    """Which levels of the record an operation is in."""
    num_loops = len(operation.segment.loops)
    return np.array([operation.repeats > 0, *[place < num_loops for place in range(NUM_LEVELS - 1)]])


def _fits(row: Instruction, queue: Queue, chip: Chip) -> bool:
    if row.mnemonic in CONTROL:
        return False
    return row.area.slice_kind in (None, queue.slice.kind) and queue.index in alus_of(row.unit, chip)
