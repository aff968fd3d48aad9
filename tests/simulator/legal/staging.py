"""How operations that are further than a period apart share a loop: each a number of periods after the first."""

from collections import defaultdict
from collections.abc import Sequence

from tests.simulator.legal.parts import Operation, Segment


def stages(segment: Segment, operations: Sequence[Operation]) -> dict[Operation, tuple[int, int]]:
    """How many periods after the queue's first operation each one issues in its first run, and how far into one."""
    first, (_, period) = min(each.offset for each in operations), segment.loops[-1]
    return {each: divmod(each.offset - first, period) for each in operations}


def written_out_fits(segment: Segment, here: Sequence[Operation], rest: Sequence[Operation]) -> bool:
    """Whether a queue can be written with these operations, and the other queues beside it, in the segment's loops."""
    if not segment.loops:
        return True
    runs, period = segment.loops[-1]
    if runs - num_written_out(segment, (*here, *rest)) < 2:
        return False
    mine = stages(segment, here)
    if any(into + each.repeats * each.distance >= period for each, (_, into) in mine.items()):
        return False
    if len(segment.loops) == 1:
        return True
    span = max(each.offset + each.repeats * each.distance for each in here) - min(each.offset for each in here)
    return span + runs * period <= segment.loops[0][1]


def queue_end(segment: Segment, operations: Sequence[Operation]) -> int:
    """The first cycle in which the queue of these operations is free again."""
    last = 1 + max(issue.cycle for operation in operations for issue in operation.issues())
    first = min(operation.offset for operation in operations)
    for runs, period in segment.loops[:1]:
        last = max(last, first + runs * period)
    return last


def num_written_out(segment: Segment, operations: Sequence[Operation]) -> int:
    """Runs of the innermost loop that a queue must write out because its operations are further than a period apart."""
    if not segment.loops:
        return 0
    by_queue: defaultdict[str, list[Operation]] = defaultdict(list)
    for operation in operations:
        if operation.segment is segment:
            by_queue[operation.queue.name].append(operation)
    return max(stage for here in by_queue.values() for stage, _ in stages(segment, here).values())
