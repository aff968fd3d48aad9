"""Legal changes of a legal program: it is placed anew, elsewhere in time or in other registers, and means the same."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from tests.simulator.legal.addresses import Addressed
from tests.simulator.legal.histories import WAYS, Histories
from tests.simulator.legal.meaning import producer_of
from tests.simulator.legal.parts import Issue, Legal, Operation, Segment
from tests.simulator.legal.staging import num_written_out, queue_end, written_out_fits
from waterclock.chip import Chip, SliceKind
from waterclock.isa.record import OPERAND_NAMES, OperandKind
from waterclock.isa.table import INSTRUCTIONS

GROUP = 4
Rng = np.random.Generator
Change = Callable[[Rng, Legal], Legal | None]
"""A program that must be legal too; None where there is nothing to change in this way."""


def reach_cycles(chip: Chip) -> int:
    """Longer than any result lives."""
    slowest = max(row.latency(chip) for row in INSTRUCTIONS.values() if row.latency)
    return max(slowest + chip.num_positions, chip.param_latency_cycles, chip.mxm.sense_cycles) + 1


def placed_anew(legal: Legal, changed: Mapping[Operation, Operation]) -> Legal | None:
    """The program with these operations for its own, if each finds what it found; None if it doesn't."""
    histories = Histories(legal.chip, Addressed(legal.chip, legal.objects))
    segments = {mine.segment: replace(mine.segment, num_written_out=0) for mine in changed.values()}
    for mine in changed.values():
        mine.segment = segments[mine.segment]
    for mine in changed.values():
        here = [each for each in changed.values() if each.segment is mine.segment]
        same_queue = [each for each in here if each.queue is mine.queue]
        if not written_out_fits(mine.segment, same_queue, here) or not histories.add(mine):
            return None
    for operation, mine in changed.items():
        meant = {key: issue and Issue(changed[issue.operation], issue.run) for key, issue in operation.found.items()}
        if mine.found != meant:
            return None
    for segment in segments.values():
        segment.num_written_out = num_written_out(segment, list(changed.values()))
    operations = tuple(changed.values())
    said = all(producer_of(mine, name) is not None for mine in operations for name in {name for name, _ in mine.found})
    return replace(legal, operations=operations, histories=histories) if said and _in_turn(operations) else None


def _in_turn(operations: Sequence[Operation]) -> bool:
    """Whether every queue is through with a segment when it begins with the next."""
    for queue in {operation.queue.name for operation in operations}:
        mine = [operation for operation in operations if operation.queue.name == queue]
        segments = sorted({operation.segment for operation in mine}, key=lambda segment: segment.begin)
        here = [[operation for operation in mine if operation.segment is segment] for segment in segments]
        ends = [queue_end(segment, each) for segment, each in zip(segments, here, strict=True)]
        if any(end > min(each.offset for each in after) for end, after in zip(ends, here[1:], strict=False)):
            return False
    return True


def insert_slack(rng: Rng, legal: Legal) -> Legal | None:
    """All from some segment on is later, by more than any result lives."""
    segments = sorted({operation.segment for operation in legal.operations}, key=lambda one: one.begin)
    begin = int(rng.choice([segment.begin for segment in segments]))
    crossing = any(
        found is not None and name in OPERAND_NAMES and OperandKind(int(operation.row[name]["kind"])) in WAYS
        and found.operation.segment.begin < begin <= operation.segment.begin
        for operation in legal.operations for (name, _), found in operation.found.items()
    )  # fmt: skip
    if crossing:
        return None
    cycles = reach_cycles(legal.chip) + int(rng.integers(0, 20))
    later = {segment: cycles if segment.begin >= begin else 0 for segment in segments}
    moved = {segment: _later(segment, by) for segment, by in later.items()}
    return placed_anew(legal, {
        each: each.copy(offset=each.offset + later[each.segment], segment=moved[each.segment])
        for each in legal.operations
    })  # fmt: skip


def _later(segment: Segment, cycles: int) -> Segment:
    return replace(segment, begin=segment.begin + cycles, end=segment.end + cycles)


def rename_streams(rng: Rng, legal: Legal) -> Legal | None:
    """Groups of four streams change their numbers."""
    group = rng.permutation(legal.chip.num_streams // GROUP)

    def renamed(stream: int) -> int:
        return GROUP * int(group[stream // GROUP]) + stream % GROUP

    def change(operation: Operation) -> Operation:
        mine = operation.copy()
        for name in OPERAND_NAMES:
            if OperandKind(int(mine.row[name]["kind"])) in WAYS:
                mine.row[name]["index"] = renamed(int(mine.row[name]["index"]))
        if mine.row["result"]["direction"]:
            mine.row["result"]["stream"] = renamed(int(mine.row["result"]["stream"]))
        return mine

    return placed_anew(legal, {each: change(each) for each in legal.operations})


def rename_holds(rng: Rng, legal: Legal) -> Legal | None:
    """Hold registers change their numbers."""
    hold = rng.permutation(legal.chip.vxm.num_holds)

    def change(operation: Operation) -> Operation:
        mine = operation.copy()
        for name in OPERAND_NAMES:
            if mine.row[name]["kind"] == OperandKind.HOLD:
                mine.row[name]["index"] = hold[int(mine.row[name]["index"])]
        if mine.row["result"]["hold"]:
            mine.row["result"]["hold"] = hold[int(mine.row["result"]["hold"]) - 1] + 1
        return mine

    return placed_anew(legal, {each: change(each) for each in legal.operations})


def rename_accumulators(rng: Rng, legal: Legal) -> Legal | None:
    """Accumulators change their numbers, in each MXM in its own way."""
    names = [piece.name for piece in legal.chip.slices_of(SliceKind.MXM)]
    by_slice = {name: rng.permutation(legal.chip.mxm.num_accumulators) for name in names}

    def change(operation: Operation) -> Operation:
        mine = operation.copy()
        if mine.instruction.field("acc") is not None:
            mine.row["acc"] = by_slice[mine.queue.slice.name][int(mine.row["acc"])]
        return mine

    if not any(each.instruction.field("acc") is not None for each in legal.operations):
        return None
    return placed_anew(legal, {each: change(each) for each in legal.operations})


def delay_chain(rng: Rng, legal: Legal) -> Legal | None:
    """What depends on nothing else, and nothing else on it, is a few cycles later, if there is room for it."""
    chain = _chain_of(legal, legal.operations[int(rng.integers(len(legal.operations)))])
    cycles = int(rng.integers(1, 5))
    return placed_anew(legal, {
        each: each.copy(offset=each.offset + (cycles if each in chain else 0)) for each in legal.operations
    })  # fmt: skip


def _chain_of(legal: Legal, one: Operation) -> set[Operation]:
    """All operations that an operation is joined with by what they read of one another."""
    joined: dict[Operation, set[Operation]] = {operation: set() for operation in legal.operations}
    for reader in legal.operations:
        for found in reader.found.values():
            if found is not None:
                joined[reader].add(found.operation)
                joined[found.operation].add(reader)
    chain, left = set[Operation](), [one]
    while left:
        operation = left.pop()
        if operation not in chain:
            chain.add(operation)
            left += joined[operation]
    return chain


CHANGES: tuple[Change, ...] = (insert_slack, rename_streams, rename_holds, rename_accumulators, delay_chain)
