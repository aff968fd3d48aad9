"""How a flow says whose result an operand finds, in all runs of a reader: the rules of `waterclock.isa.program`."""

from typing import NamedTuple

from tests.simulator.legal.parts import Issue, Level, Operation, Run


class Producer(NamedTuple):
    """A flow's producer: operations, None for what the host left."""

    first: Operation | None
    carried: Operation | None = None
    around: int = 0


def producer_of(operation: Operation, name: str, *, in_its_run: bool = False) -> Producer | None:
    """The producer that says what the operand finds in every run; None if there is none that does."""
    found = {run: issue for (which, run), issue in operation.found.items() if which == name}
    firsts = {None if issue is None else issue.operation for issue in found.values()}
    if len(firsts) == 1:
        (first,) = firsts
        if _are_meant(operation, found, first, None, name):
            return Producer(first) if not in_its_run or _is_near(operation, first) else None
    if in_its_run:
        return None
    said = (_carried(operation, name, found, around) for around in range(len(operation.levels)))
    return next((producer for producer in said if producer is not None), None)


def _is_near(reader: Operation, producer: Operation | None) -> bool:
    """Whether both are in one segment, or neither is in a loop."""
    return producer is None or producer.segment is reader.segment or not producer.levels + reader.levels


def _carried(reader: Operation, name: str, found: dict[Run, Issue | None], around: int) -> Producer | None:
    carriers = {issue.operation for issue in found.values() if issue is not None}
    for carrier in sorted(carriers, key=lambda one: (one.queue.number, one.offset)):
        place = _carrying_place(reader, carrier) - around
        if place < 0:
            continue
        firsts = {issue.operation if issue else None for run, issue in found.items() if run[place] == 0}
        if len(firsts) == 1:
            (first,) = firsts
            begin = {run: issue for run, issue in found.items() if not run[place]}
            later = {run: issue for run, issue in found.items() if run[place]}
            if _are_meant(reader, begin, first, None, name) and _are_meant(reader, later, carrier, place, name):
                return Producer(first, carrier, around)
    return None


def _are_meant(
    reader: Operation, found: dict[Run, Issue | None], producer: Operation | None, back: int | None, name: str
) -> bool:
    """Whether all these runs find the producer in the run that is meant, with one less at the place `back`."""
    if producer is None:
        return not any(found.values())
    if any(issue is None or issue.operation is not producer for issue in found.values()):
        return False
    num_shared, last = _num_shared(reader, producer), producer.last_run
    from_last = num_shared if name != "memory" else len(last)
    for run, issue in found.items():
        meant = tuple(count - (place == back) for place, count in enumerate(run[:num_shared]))
        if issue is None or issue.run[:num_shared] != meant or issue.run[from_last:] != last[from_last:]:
            return False
    return True


def _carrying_place(reader: Operation, producer: Operation) -> int:
    if reader is producer and reader.repeats:
        return len(reader.segment.loops)
    return min(_num_shared(reader, producer), len(reader.segment.loops)) - 1


def _num_shared(reader: Operation, producer: Operation) -> int:
    """How many levels, from the outermost inwards, hold both: of two queues those that are alike."""
    count = 0
    for mine, theirs in zip(reader.levels, producer.levels, strict=False):
        if not _holds_both(reader, producer, mine, theirs):
            return count
        count += 1
    return count


def _holds_both(reader: Operation, producer: Operation, mine: Level, theirs: Level) -> bool:
    if reader.queue is producer.queue:
        return mine.owner == theirs.owner
    written_out = [
        one.segment.num_written_out if level.owner == (one.segment, len(one.segment.loops) - 1) else 0
        for one, level in ((reader, mine), (producer, theirs))
    ]
    return mine.runs - written_out[0] == theirs.runs - written_out[1] and mine.period == theirs.period
