"""Emit: scheduled segments become instruction queues, and the dataflow that the schedule meant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from waterclock.chip import Chip
from waterclock.compiler.issues import Arrival, Issue, Scheduled
from waterclock.compiler.passes import Control, Entry, Placed, queue_entries
from waterclock.compiler.tileops import Axis, Broadcast, Immediate
from waterclock.compiler.words import Words
from waterclock.isa.program import (
    COMPUTED_FIELDS,
    NO_PRODUCER,
    Object,
    Role,
    empty_flow,
    empty_instructions,
    instruction_id,
)
from waterclock.isa.record import OPERAND_NAMES, Direction, OperandKind, Records
from waterclock.isa.table import INSTRUCTIONS, OPCODES

_SIDE_KINDS = (OperandKind.EAST, OperandKind.WEST)
_SIDE_DIRECTIONS = (Direction.EAST, Direction.WEST)


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
        entry.issue: instruction_id(chip.queue_by_name[name].number, i)
        for name, rows in entries.items()
        for i, entry in enumerate(rows)
        if isinstance(entry, Placed) and entry.is_pattern
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
            [label_by_operation[row.issue.operation] if isinstance(row, Placed) else -1 for row in rows], np.int32
        )
    length = sum(scheduled.length_cycles * scheduled.segment.count for scheduled in segments)
    return Emitted(queues, flow, labels, operations, ids, length)


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
                issue = entry.issue
                meant["computes"]["op"] = row["op"]
                self._operands(entry, row, meant)
                self._result(issue, row)
                self._address(entry, row, meant)
                self._memory(issue, meant, segments, segment_by_issue[issue])
                meant["stands_for"], meant["token"] = self.ids[issue], entry.token
        return rows, flow

    def _operands(self, entry: Placed, row: np.void, meant: np.void) -> None:
        issue, computes = entry.issue, meant["computes"]
        for place, (operand, xor) in enumerate(zip(issue.operands, issue.xors, strict=False)):
            name = OPERAND_NAMES[place]
            field = row[name]
            field["xor"] = computes["xor"][place] = xor
            if isinstance(operand, Immediate):
                field["kind"], row["scalar"] = OperandKind.IMMEDIATE, operand.bits
                computes["scalar"] = operand.bits
            elif isinstance(operand, Broadcast):
                field["kind"], field["index"] = OperandKind.PARAM, operand.param
                row["scalar"] = computes["scalar"] = operand.const + operand.token_step * entry.token
                row["scalar_step"] = computes["scalar_step"] = entry.nest.by_level({Axis.TOKEN: operand.token_step})
                computes["from_param"][place] = operand.param + 1
            else:
                field["kind"], field["index"] = _register(operand)
                meant[name]["first"] = self.ids[operand.producer]
        for name, value in issue.settings.items():
            row[name] = value
            if name in COMPUTED_FIELDS:
                computes[name] = value
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

    def _address(self, entry: Placed, row: np.void, meant: np.void) -> None:
        issue = entry.issue
        if issue.place is not None:
            row["place"] = meant["place"] = _in_loops(issue.place, entry)
        reference = issue.address or (self.words.by_copy.get(issue.copy) if issue.copy else None)
        if reference is None:
            return
        scale = 4 if _counts_bytes(issue) else 1
        place, base = _scaled(_in_loops(reference.address, entry), scale), 0
        if reference.object is not None:
            meant["object"] = self.index_by_object[reference.object]
            base = reference.object.base * scale
        row["address"] = meant["address"] = place
        row["address"]["base"] += base

    def _memory(self, issue: Issue, meant: np.void, segments: Sequence[Scheduled], segment: int) -> None:
        """Who wrote what is read: an issue of this segment, else of an earlier one, around the loop too."""
        if issue.writer is not None:
            meant["memory"]["first"] = self.ids[issue.writer]
            meant["memory"]["ahead"] = _tokens_ahead(issue, segments[segment].interval_cycles)
            return
        home = issue.copy.home.object if issue.copy and issue.copy.home else None
        if home is None or home.role is not Role.TEMPORARY or issue.mnemonic.startswith("mem.write"):
            return
        earlier = [self.stored.get((s.segment.name, home.name)) for s in segments[: segment + 1]]
        *before, own = [self.ids[i] if i is not None else NO_PRODUCER for i in earlier]
        meant["memory"]["first"] = next((i for i in reversed(before) if i != NO_PRODUCER), NO_PRODUCER)
        if segments[segment].segment.count > 1:
            meant["memory"]["carried"] = own
            meant["memory"]["around"] = int(segments[segment].segment.num_tokens > 1)


def _tokens_ahead(issue: Issue, interval_cycles: int) -> int:
    """How many later tokens have written, when an issue reads, what all tokens share."""
    assert issue.writer is not None
    shared = issue.copy is None or issue.copy.home is not None
    return (issue.t - 1 - issue.writer.t) // interval_cycles if shared else 0


def _register(arrival: Arrival) -> tuple[OperandKind, int]:
    if arrival.side is not None:
        return _SIDE_KINDS[arrival.side], arrival.source.track
    assert arrival.live.hold is not None
    return OperandKind.HOLD, arrival.live.hold[0]


def _counts_bytes(issue: Issue) -> bool:
    operand = INSTRUCTIONS[issue.mnemonic].field("address")
    return operand is not None and operand.word == "byte"


def _in_loops(by_axis: Records, entry: Placed) -> Records:
    """An address by axis as the entry has it: by loop level, from the entry's first token on."""
    place = by_axis.copy()
    place["base"] += by_axis["stride"][Axis.TOKEN] * entry.token
    place["stride"] = entry.nest.by_level({axis: by_axis["stride"][axis] for axis in Axis})
    for own, term in zip(place["term"], by_axis["term"], strict=True):
        own["const"] += term["step"][Axis.TOKEN] * entry.token
        own["step"] = entry.nest.by_level({axis: term["step"][axis] for axis in Axis})
    return place


def _scaled(address: Records, scale: int) -> Records:
    place = address.copy()
    for name in ("base", "stride"):
        place[name] *= scale
    place["term"]["stride"] *= scale
    return place
