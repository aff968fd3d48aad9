"""Emit: scheduled segments become instruction queues, and the dataflow that the schedule meant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from waterclock.chip import Chip
from waterclock.compiler.issues import Arrival, Issue, Scheduled
from waterclock.compiler.place import LAYER_LEVEL
from waterclock.compiler.tileops import Broadcast, Immediate, Reference
from waterclock.compiler.words import Words
from waterclock.isa.program import NO_PRODUCER, Object, Role, empty_flow, empty_instructions, instruction_id
from waterclock.isa.record import NUM_LEVELS, OPERAND_NAMES, Direction, OperandKind, Records
from waterclock.isa.table import INSTRUCTIONS, OPCODES

assert LAYER_LEVEL < NUM_LEVELS

_SIDE_KINDS = (OperandKind.EAST, OperandKind.WEST)
_SIDE_DIRECTIONS = (Direction.EAST, Direction.WEST)


@dataclass(frozen=True)
class Control:
    """An `icu` entry: its mnemonic and numbers."""

    mnemonic: str
    n: int
    distance: int = 0
    body: int = 0


Entry = Control | Issue


@dataclass(frozen=True)
class Emitted:
    """Queues with their flow and labels, by queue name, and the id of each issue."""

    queues: Mapping[str, Records]
    flow: Mapping[str, Records]
    labels: Mapping[str, npt.NDArray[np.int32]]
    operations: tuple[str, ...]
    id_by_issue: Mapping[Issue, int]
    length_cycles: int


def emit(segments: Sequence[Scheduled], chip: Chip, words: Words, objects: Sequence[Object]) -> Emitted:
    """The queues of the segments one after another; a segment that runs more than once is one loop in each queue."""
    entries = {queue.name: queue_entries(queue.number, segments) for queue in chip.queues}
    entries = {name: rows for name, rows in entries.items() if len(rows) > 1}
    ids = {
        entry: instruction_id(chip.queue_by_name[name].number, i)
        for name, rows in entries.items()
        for i, entry in enumerate(rows)
        if isinstance(entry, Issue)
    }
    operations = tuple(dict.fromkeys(issue.operation for scheduled in segments for issue in scheduled.issues))
    writer = _Writer(words, {obj: i for i, obj in enumerate(objects)}, ids, stored_issues(segments))
    queues: dict[str, Records] = {}
    flow: dict[str, Records] = {}
    labels: dict[str, npt.NDArray[np.int32]] = {}
    label_by_operation = {operation: i for i, operation in enumerate(operations)}
    for name, rows in entries.items():
        queues[name], flow[name] = writer.queue(rows, segments)
        labels[name] = np.array(
            [label_by_operation[row.operation] if isinstance(row, Issue) else -1 for row in rows], np.int32
        )
    length = sum(scheduled.length_cycles * scheduled.segment.count for scheduled in segments)
    return Emitted(queues, flow, labels, operations, ids, length)


def queue_entries(queue: int, segments: Sequence[Scheduled]) -> list[Entry]:
    """One queue's entries: issues in order of time, waits between them, and a loop around each repeated segment."""
    issues = [sorted((i for i in s.issues if i.queue == queue), key=lambda i: i.t) for s in segments]
    entries: list[Entry] = [Control("icu.start", 0)]
    cursor = start = 0
    for index, (scheduled, mine) in enumerate(zip(segments, issues, strict=True)):
        count, period = scheduled.segment.count, scheduled.length_cycles
        if mine:
            # A loop's successor can't issue before the loop's own offset in the period: begin early enough for it.
            later = [rows[0].t for rows in issues[index + 1 : index + 2] if rows and count > 1]
            begin = min([mine[0].t, *later])
            _wait(entries, start + begin - cursor)
            first, cursor = len(entries), start + begin
            for issue in mine:
                _wait(entries, start + issue.t - cursor)
                entries.append(issue)
                cursor = start + issue.t + 1
            if count > 1:
                entries.append(Control("icu.loop", count, period, len(entries) - first))
                cursor = start + begin + count * period
        start += count * period
    return entries


def _wait(entries: list[Entry], cycles: int) -> None:
    if cycles:
        entries.append(Control("icu.nop", cycles))


def stored_issues(segments: Sequence[Scheduled]) -> dict[tuple[str, str], Issue]:
    """The issue that stores into a home, by segment and object."""
    return {
        (scheduled.segment.name, issue.copy.home.object.name): issue
        for scheduled in segments
        for issue in scheduled.issues
        if issue.mnemonic.startswith("mem.write") and issue.copy and issue.copy.home and issue.copy.home.object
    }


@dataclass(frozen=True)
class _Writer:
    """Fills in instruction and flow rows."""

    words: Words
    index_by_object: Mapping[Object, int]
    ids: Mapping[Issue, int]
    stored: Mapping[tuple[str, str], Issue]

    def queue(self, entries: Sequence[Entry], segments: Sequence[Scheduled]) -> tuple[Records, Records]:
        rows, flow = empty_instructions(len(entries)), empty_flow(len(entries))
        segment_by_issue = {issue: i for i, scheduled in enumerate(segments) for issue in scheduled.issues}
        for row, meant, entry in zip(rows, flow, entries, strict=True):
            row["op"] = OPCODES[entry.mnemonic]
            if isinstance(entry, Control):
                row["n"], row["distance"], row["body"] = entry.n, entry.distance, entry.body
            else:
                self._operands(entry, row, meant)
                self._result(entry, row)
                self._address(entry, row, meant)
                self._memory(entry, meant, segments, segment_by_issue[entry])
        return rows, flow

    def _operands(self, issue: Issue, row: np.void, meant: np.void) -> None:
        for name, operand, xor in zip(OPERAND_NAMES, issue.operands, issue.xors, strict=False):
            field = row[name]
            field["xor"] = xor
            if isinstance(operand, Immediate):
                field["kind"], row["scalar"] = OperandKind.IMMEDIATE, operand.bits
            elif isinstance(operand, Broadcast):
                field["kind"], field["index"], row["scalar"] = OperandKind.PARAM, operand.param, operand.const
            else:
                field["kind"], field["index"] = _register(operand)
                meant[name]["first"] = self.ids[operand.producer]
        for name, value in issue.settings.items():
            row[name] = value
        if issue.previous is not None:
            meant["acc"]["first"] = self.ids[issue.previous]

    def _result(self, issue: Issue, row: np.void) -> None:
        result, source = row["result"], issue.result
        if source is None:
            return
        sides = [
            direction for direction, reach in zip(_SIDE_DIRECTIONS, source.reach, strict=True) if reach is not None
        ]
        if sides:
            result["stream"], result["direction"] = source.track, sum(sides)
        if issue.live is not None and issue.live.produced is issue and issue.live.hold is not None:
            result["hold"] = issue.live.hold[0] + 1

    def _address(self, issue: Issue, row: np.void, meant: np.void) -> None:
        if issue.place is not None:
            row["place"] = meant["place"] = issue.place
        reference = issue.address or (self.words.by_copy.get(issue.copy) if issue.copy else None)
        if reference is None:
            return
        scale = 4 if _counts_bytes(issue) else 1
        place, base = _scaled(reference, scale), 0
        if reference.object is not None:
            meant["object"] = self.index_by_object[reference.object]
            base = reference.object.base * scale
        row["address"] = meant["address"] = place
        row["address"]["base"] += base

    def _memory(self, issue: Issue, meant: np.void, segments: Sequence[Scheduled], segment: int) -> None:
        """Who wrote what is read: an issue of this segment, else of an earlier one, around the loop too."""
        if issue.writer is not None:
            meant["memory"]["first"] = self.ids[issue.writer]
            return
        home = issue.copy.home.object if issue.copy and issue.copy.home else None
        if home is None or home.role is not Role.TEMPORARY or issue.mnemonic.startswith("mem.write"):
            return
        earlier = [self.stored.get((s.segment.name, home.name)) for s in segments[: segment + 1]]
        *before, own = [self.ids[i] if i is not None else NO_PRODUCER for i in earlier]
        meant["memory"]["first"] = next((i for i in reversed(before) if i != NO_PRODUCER), NO_PRODUCER)
        if segments[segment].segment.count > 1:
            meant["memory"]["carried"] = own


def _register(arrival: Arrival) -> tuple[OperandKind, int]:
    if arrival.side is not None:
        return _SIDE_KINDS[arrival.side], arrival.source.track
    assert arrival.live.hold is not None
    return OperandKind.HOLD, arrival.live.hold[0]


def _counts_bytes(issue: Issue) -> bool:
    operand = INSTRUCTIONS[issue.mnemonic].field("address")
    return operand is not None and operand.word == "byte"


def _scaled(reference: Reference, scale: int) -> Records:
    place = reference.address.copy()
    for name in ("base", "stride"):
        place[name] *= scale
    place["term"]["stride"] *= scale
    return place
