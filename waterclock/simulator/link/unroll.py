"""From queues to events: when each entry issues, and how often."""

from collections.abc import Callable, Mapping

import numpy as np

from waterclock.chip import Chip, Queue
from waterclock.isa.program import Program, empty_instructions
from waterclock.isa.record import NUM_LEVELS, Records
from waterclock.isa.table import CONTROL, INSTRUCTION_BY_OPCODE, OPCODES
from waterclock.simulator.link.errors import Cause, LinkError
from waterclock.simulator.link.linked import Events, Longs, Rows
from waterclock.simulator.link.rolled import Rolled

MAX_EVENTS = 1 << 26
MAX_CYCLES = 1 << 30
MAX_LOOPS = NUM_LEVELS - 1

_CONTROL_OPCODES = [OPCODES[mnemonic] for mnemonic in sorted(CONTROL)]


def unroll(program: Program, chip: Chip) -> Events:
    """Every issue of the program, in the order of (cycle, queue number). LinkError for queues that steer nowhere."""
    return expanded(program, chip, rows_of(program, chip))


def rows_of(program: Program, chip: Chip) -> Rows:
    """All entries of the program. LinkError for queues that steer nowhere."""
    for name in program.queues:
        if name not in chip.queue_by_name:
            raise LinkError(Cause.CHIP, f"{chip.name} has no such queue", queue=name)
        if not len(program.queues[name]):
            raise LinkError(Cause.CONTROL, "a queue without entries must be absent", queue=name)
    queues = [queue for queue in chip.queues if queue.name in program.queues]
    return _rows([_Walk(queue, program.queues[queue.name]) for queue in queues])


class _Walk:
    """The first issue of every entry of a queue, and the levels around it."""

    def __init__(self, queue: Queue, records: Records) -> None:
        self.queue = queue
        self.records = records
        self.ops: list[int] = records["op"].tolist()
        self.n: list[int] = records["n"].tolist()
        self.distance: list[int] = records["distance"].tolist()
        self.body: list[int] = records["body"].tolist()
        count = len(records)
        self.start = [0] * count
        self.runs = np.ones((count, NUM_LEVELS), np.int64)
        self.period = np.zeros((count, NUM_LEVELS), np.int64)
        self.steered_by = np.full((count, NUM_LEVELS), -1, np.int64)
        self.depth = np.zeros(count, np.int64)
        self.bounds: list[int] = []  # first entries of what a loop may begin with, in order
        self.cursor = 0
        for entry, op in enumerate(self.ops):
            self.start[entry] = self.cursor
            _STEP_BY_OPCODE.get(op, _Walk.issue)(self, entry)
            self.require(self.cursor < MAX_CYCLES, entry, Cause.TOO_LONG, f"cycle {self.cursor} is too late")

    def require(self, holds: bool, entry: int, cause: Cause, reason: str) -> None:
        if holds:
            return
        op = self.ops[entry]
        mnemonic = INSTRUCTION_BY_OPCODE[op].mnemonic if op in INSTRUCTION_BY_OPCODE else f"opcode {op}"
        place, name = self.queue.slice.name, self.queue.name
        raise LinkError(cause, reason, slice=place, queue=name, entry=entry, mnemonic=mnemonic, cycle=self.start[entry])

    def begin(self, entry: int) -> None:
        self.require(entry == 0, entry, Cause.CONTROL, "icu.start must be the first entry of its queue, once")

    def issue(self, entry: int) -> None:
        self.require(entry > 0, entry, Cause.CONTROL, "the first entry of a queue must be icu.start")
        self.bounds.append(entry)
        self.cursor += 1

    def wait(self, entry: int) -> None:
        self.require(entry > 0, entry, Cause.CONTROL, "the first entry of a queue must be icu.start")
        self.require(self.n[entry] >= 1, entry, Cause.CONTROL, f"n = {self.n[entry]}: must be at least 1")
        self.bounds.append(entry)
        self.cursor += self.n[entry]

    def repeat(self, entry: int) -> None:
        n, distance, before = self.n[entry], self.distance[entry], entry - 1
        repeats = before > 0 and self.ops[before] not in _CONTROL_OPCODES
        self.require(repeats, entry, Cause.CONTROL, "nothing to repeat: the entry before is no instruction")
        self.require(n >= 1, entry, Cause.CONTROL, f"n = {n}: must be at least 1")
        self.require(distance >= 1, entry, Cause.DOUBLE_ISSUE, f"distance = {distance}: two issues in a cycle")
        self.surround(slice(before, entry), 0, n + 1, distance, entry)
        self.cursor = self.start[before] + n * distance + 1

    def loop(self, entry: int) -> None:
        n, period, first = self.n[entry], self.distance[entry], entry - self.body[entry]
        self.require(0 < first < entry, entry, Cause.CONTROL, f"body = {self.body[entry]}: not inside the queue")
        self.require(n >= 1, entry, Cause.CONTROL, f"n = {n}: must be at least 1")
        while self.bounds and self.bounds[-1] > first:
            self.bounds.pop()
        whole = bool(self.bounds) and self.bounds[-1] == first
        self.require(whole, entry, Cause.CONTROL, f"body = {self.body[entry]}: begins inside a repeat or loop")
        length = self.cursor - self.start[first]
        self.require(period >= length, entry, Cause.DOUBLE_ISSUE, f"period {period}: its body takes {length}")
        self.depth[first:entry] += 1
        nests = self.depth[first:entry].max() <= MAX_LOOPS
        self.require(bool(nests), entry, Cause.CONTROL, f"more than {MAX_LOOPS} loops nest")
        for level in range(1, NUM_LEVELS):
            inside = first + np.flatnonzero(self.depth[first:entry] == level)
            self.surround(inside, level, n, period, entry)
        self.cursor = self.start[first] + n * period

    def surround(self, entries: "slice | np.ndarray", level: int, runs: int, period: int, by: int) -> None:
        self.runs[entries, level] = runs
        self.period[entries, level] = period
        self.steered_by[entries, level] = by


_STEP_BY_OPCODE: Mapping[int, Callable[[_Walk, int], None]] = {
    OPCODES["icu.start"]: _Walk.begin,
    OPCODES["icu.nop"]: _Walk.wait,
    OPCODES["icu.repeat"]: _Walk.repeat,
    OPCODES["icu.loop"]: _Walk.loop,
}


def _rows(walks: list[_Walk]) -> Rows:
    levels = np.zeros((0, NUM_LEVELS), np.int64)
    none = np.zeros(0, np.int64)
    return Rows(
        record=np.concatenate([empty_instructions(0), *(walk.records for walk in walks)]),
        queue=np.concatenate([none, *(np.full(len(walk.ops), walk.queue.number) for walk in walks)]),
        entry=np.concatenate([none, *(np.arange(len(walk.ops)) for walk in walks)]),
        start=np.concatenate([none, *(np.array(walk.start, np.int64) for walk in walks)]),
        runs=np.concatenate([levels, *(walk.runs for walk in walks)]),
        period=np.concatenate([levels, *(walk.period for walk in walks)]),
        steered_by=np.concatenate([levels, *(walk.steered_by for walk in walks)]),
    )


def kept(program: Program, chip: Chip, rolled: Rolled) -> Events:
    """The issues of the runs that are kept, in their cycles if there were no others."""
    shift = np.cumsum([0, *(block.left_out_cycles for block in rolled.blocks)])
    row, inner, outer = rolled.runs([(range(b.kept_inner), range(b.kept_outer)) for b in rolled.blocks])
    block = rolled.block[row]
    inner_period = np.array([b.inner_period for b in rolled.blocks])[block]
    outer_period = np.array([b.kept_period for b in rolled.blocks])[block]
    cycle = rolled.first_cycle[row] + inner * inner_period + outer * outer_period - shift[block]
    return _events(program, chip, rolled.kept_rows, row, rolled.iteration(row, inner, outer), cycle, rolled)


def in_runs(program: Program, chip: Chip, rolled: Rolled, row: Longs, inner: Longs, outer: Longs) -> Events:
    """The issues of rows in these runs of their blocks, in no particular order of time."""
    iteration = rolled.iteration(row, inner, outer)
    return _events(program, chip, rolled.rows, row, iteration, np.arange(len(row)), rolled)


def expanded(program: Program, chip: Chip, rows: Rows) -> Events:
    """Every issue of these rows."""
    issuing = np.flatnonzero(~np.isin(rows.record["op"], _CONTROL_OPCODES))
    counts = rows.runs[issuing].astype(np.float64).prod(axis=1)
    if counts.sum() > MAX_EVENTS:
        raise LinkError(Cause.TOO_LONG, f"{program.name}: {counts.sum():.0f} issues: at most {MAX_EVENTS}")
    count = counts.astype(np.int64)
    row = np.repeat(issuing, count)
    rest = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    iteration = np.zeros((len(row), NUM_LEVELS), np.int64)
    for level in range(NUM_LEVELS):
        rest, iteration[:, level] = np.divmod(rest, rows.runs[row, level])
    cycle = rows.start[row] + (iteration * rows.period[row]).sum(axis=1)
    return _events(program, chip, rows, row, iteration, cycle, None)


def _events(
    program: Program, chip: Chip, rows: Rows, row: Longs, iteration: Longs, cycle: Longs, rolled: Rolled | None
) -> Events:
    order = np.lexsort((rows.queue[row], cycle))
    row = row[order]
    return Events(
        program=program,
        chip=chip,
        rows=rows,
        row=row.astype(np.int32),
        cycle=cycle[order].astype(np.int32),
        queue=rows.queue[row].astype(np.int32),
        entry=rows.entry[row].astype(np.int32),
        iteration=iteration[order].astype(np.int32),
        rolled=rolled,
    )
