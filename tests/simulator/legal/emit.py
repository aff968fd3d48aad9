"""From a legal program to queues and flow: loops, what is written out before and after them, waits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tests.programs.parts import row_of, stacked
from tests.simulator.legal.addresses import PARAMS, Addressed
from tests.simulator.legal.histories import WAYS
from tests.simulator.legal.meaning import Producer, producer_of
from tests.simulator.legal.parts import Issue, Legal, Operation, Segment
from tests.simulator.legal.staging import stages
from waterclock.isa.program import NO_PRODUCER, Output, Program, computations, empty_flow, instruction_id
from waterclock.isa.record import NUM_LEVELS, OPERAND_NAMES, OperandKind, Records

INNER = 1
PRODUCERS = (*OPERAND_NAMES, "memory", "acc")


class Entry(NamedTuple):
    """An entry of a queue: a row, the operation that it is or is a run of, and its run of the innermost loop."""

    row: Records
    operation: Operation | None = None
    token: int = 0
    stands_for_another: bool = False

    @property
    def cycle(self) -> int:
        """When it issues for the first time."""
        assert self.operation is not None
        loops = self.operation.segment.loops
        return self.operation.offset + (self.token * loops[-1][1] if loops else 0)


class _Item(NamedTuple):
    cycle: int
    entry: Entry


Entries = Mapping[tuple[str, int], Entry]
"""What stands where, by queue and place in it."""


def program_of(legal: Legal, name: str = "legal") -> tuple[Program, Entries]:
    """The program, and what stands where in it."""
    entries = {queue.name: list(_entries(legal, queue.name)) for queue in legal.chip.queues}
    entries = {name: rows for name, rows in entries.items() if len(rows) > 1}
    entry_of = {each.operation: number for rows in entries.values() for number, each in enumerate(rows)
                if each.operation is not None and not each.stands_for_another}  # fmt: skip
    writer = _Writer(legal, entry_of, _entry_by_run(entries))
    program = Program(
        name=name,
        chip_sha256=legal.chip.sha256,
        queues={name: stacked([each.row for each in rows]) for name, rows in entries.items()},
        flow={name: writer.flow(rows) for name, rows in entries.items()},
        labels={name: np.full(len(rows), -1, np.int32) for name, rows in entries.items()},
        operations=(),
        objects=legal.objects,
        params=PARAMS,
        outputs=writer.outputs(),
        length_cycles=length_cycles(legal),
    )
    return program, {(name, number): each for name, rows in entries.items() for number, each in enumerate(rows)}


def _entry_by_run(entries: Mapping[str, Sequence[Entry]]) -> dict[tuple[Operation, int], int]:
    """The entries that are written out, by operation and run of the innermost loop."""
    return {(each.operation, each.token): number for rows in entries.values() for number, each in enumerate(rows)
            if each.operation is not None and each.stands_for_another}  # fmt: skip


def length_cycles(legal: Legal) -> int:
    """1 + the last cycle of an issue or of an arrival of state."""
    chip, ends = legal.chip, [0]
    for issue in legal.issues():
        operation, delay = issue.operation, 0
        if operation.row["result"]["hold"]:
            delay = operation.latency(chip)
        if operation.instruction.mnemonic == "icu.set_param":
            delay = chip.param_latency_cycles
        if operation.instruction.mnemonic == "mxm.write_row":
            delay = chip.mxm.write_row_cycles
        ends.append(1 + issue.cycle + delay)
    return max(ends)


def _entries(legal: Legal, queue: str) -> Iterator[Entry]:
    mine = [operation for operation in legal.operations if operation.queue.name == queue]
    yield Entry(row_of("icu.start"))
    cursor = 0
    for segment in sorted({operation.segment for operation in mine}, key=lambda one: one.begin):
        here = [operation for operation in mine if operation.segment is segment]
        first = min(operation.offset for operation in here)
        yield from _wait(first - cursor)
        body, length = _inner(segment, here)
        yield from body
        cursor = first + length
        if len(segment.loops) == 2:
            runs, period = segment.loops[0]
            yield Entry(row_of("icu.loop", n=runs, distance=period, body=len(body)))
            cursor = first + runs * period


def _wait(cycles: int) -> Iterator[Entry]:
    if cycles:
        yield Entry(row_of("icu.nop", n=cycles))


def _inner(segment: Segment, here: Sequence[Operation]) -> tuple[list[Entry], int]:
    """The entries of a segment in a queue, without its outer loop, and the cycles that they take."""
    first = min(operation.offset for operation in here)
    if not segment.loops:
        return _in_line([_Item(each.offset - first, Entry(each.row, each)) for each in here])
    (runs, period), placed = segment.loops[-1], stages(segment, here)
    begin, looped = max(stage for stage, _ in placed.values()), runs - segment.num_written_out
    before, after = list[_Item](), list[_Item]()
    for operation, (stage, into) in placed.items():
        for token in range(runs):
            turn = token + stage
            if begin <= turn < begin + looped:
                continue
            entry = Entry(_written_out(operation.row, token), operation, token, stands_for_another=True)
            (before if turn < begin else after).append(_Item(turn * period + into, entry))
    inside = [_Item(into, Entry(each.row, each, begin - stage)) for each, (stage, into) in placed.items()]
    head, head_cycles = _in_line(before)
    body, _ = _in_line(inside)
    loop = Entry(row_of("icu.loop", n=looped, distance=period, body=len(body)))
    head += _wait(begin * period - head_cycles)
    end = (begin + looped) * period
    tail, tail_cycles = _in_line([_Item(item.cycle - end, item.entry) for item in after])
    in_loop = [each if each.operation is None else _beginning_with(each) for each in body]
    return [*head, *in_loop, loop, *tail], end + tail_cycles


def _beginning_with(entry: Entry) -> Entry:
    """An entry of a loop whose first run is run `token`."""
    row = entry.row.copy()
    _step(row, entry.token)
    return entry._replace(row=row)


def _in_line(items: Sequence[_Item]) -> tuple[list[Entry], int]:
    cursor, entries = 0, list[Entry]()
    for item in sorted(items, key=lambda item: item.cycle):
        entries += [*_wait(item.cycle - cursor), item.entry]
        cursor = item.cycle + 1
        operation = item.entry.operation
        if operation is not None and operation.repeats:
            entries.append(Entry(row_of("icu.repeat", n=operation.repeats, distance=operation.distance)))
            cursor += operation.repeats * operation.distance
    return entries, cursor


def _step(row: Records, token: int) -> None:
    """Make a row what it is so many runs of the innermost loop later."""
    row["scalar"] = _int32(int(row["scalar"]) + token * int(row["scalar_step"][INNER]))
    for name in ("address", "place"):
        row[name]["base"] += token * row[name]["stride"][INNER]
        row[name]["term"]["const"] += token * row[name]["term"]["step"][:, INNER]


def _written_out(row: Records, token: int) -> Records:
    """A run of a loop's row, outside of the loop: what stepped by the next loop steps by the innermost now."""
    row = row.copy()
    _step(row, token)
    for levels in (row["scalar_step"], *(part for name in ("address", "place")
                                         for part in (row[name]["stride"], *row[name]["term"]["step"]))):  # fmt: skip
        levels[INNER : NUM_LEVELS - 1] = levels[INNER + 1 :].copy()
        levels[NUM_LEVELS - 1] = 0
    return row


def _int32(value: int) -> int:
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


@dataclass
class _Writer:
    """Flow rows and outputs."""

    legal: Legal
    entry_of: Mapping[Operation, int]
    written_out: Mapping[tuple[Operation, int], int]

    def id(self, operation: Operation | None) -> int:
        return NO_PRODUCER if operation is None else instruction_id(operation.queue.number, self.entry_of[operation])

    def flow(self, entries: Sequence[Entry]) -> Records:
        rows, addressed = empty_flow(len(entries)), Addressed(self.legal.chip, self.legal.objects)
        for flow, entry in zip(rows, entries, strict=True):
            operation = entry.operation
            if operation is None:
                continue
            for name in {name for name, _ in operation.found}:
                flow[name] = self._producer(producer_of(operation, name))
            flow["address"], flow["place"] = entry.row["address"], entry.row["place"]
            flow["computes"] = computations(entry.row, self._bytes(operation))
            flow["object"] = operation.object
            if operation.object >= 0:
                flow["address"]["base"] -= self.legal.objects[operation.object].base * addressed.scale(operation)
            flow["token"] = entry.token
            if entry.stands_for_another:
                flow["stands_for"] = self.id(operation)
        return rows

    @staticmethod
    def _bytes(operation: Operation) -> np.ndarray:
        """Which byte of a result each operand takes from its stream."""
        taken = np.zeros(len(OPERAND_NAMES), np.int64)
        for (name, _), found in operation.found.items():
            if name in OPERAND_NAMES and OperandKind(int(operation.row[name]["kind"])) in WAYS and found is not None:
                begin = int(found.operation.row["result"]["stream"])
                taken[OPERAND_NAMES.index(name)] = int(operation.row[name]["index"]) - begin
        return taken

    def _producer(self, producer: Producer | None) -> tuple[int, int, int, int]:
        assert producer is not None, "what was told when it was drawn can't be told when it is written"
        return self.id(producer.first), self.id(producer.carried), producer.around, 0

    def outputs(self) -> tuple[Output, ...]:
        if not self.legal.outputs:
            return ()
        producers = tuple(self._last_entry(piece, word) for piece, word in self.legal.outputs)
        return (Output("words", self.legal.outputs, len(producers) * self.legal.chip.lanes, producers),)

    def _last_entry(self, piece: str, word: int) -> int:
        """The id of the entry that may write a word last."""
        addressed = Addressed(self.legal.chip, self.legal.objects)
        last: Issue | None = None
        for issue in self.legal.issues():
            writes = issue.operation.queue.slice.name == piece and addressed.is_writer(issue.operation)
            if writes and any(key[2] == word for key in addressed.keys(issue)):
                last = issue
        if last is None:
            return NO_PRODUCER
        operation, token = last.operation, last.run[len(last.operation.segment.loops) - 1] if last.run else 0
        entry = self.written_out.get((operation, token), self.entry_of[operation])
        return instruction_id(operation.queue.number, entry)
