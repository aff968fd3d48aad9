"""Explain: where a program's cycles go, and how far they are from what is possible."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from waterclock.chip import Chip
from waterclock.compiler.bound import Bound
from waterclock.compiler.issues import Arrival, Issue, Scheduled


@dataclass(frozen=True)
class SegmentRow:
    """A segment: how often it runs, its cycles each time, its instructions each time."""

    name: str
    count: int
    length_cycles: int
    num_issues: int


@dataclass(frozen=True)
class OperationRow:
    """A model operation in its segment: its instructions, and its share of the segment's longest chain."""

    segment: str
    operation: str
    num_issues: int
    first_cycle: int
    last_cycle: int
    chain_cycles: int


@dataclass(frozen=True)
class SliceRow:
    """A slice over the whole program: issues, and their share of the cycles of all of its queues."""

    slice: str
    num_issues: int
    utilization: float


@dataclass(frozen=True)
class Explanation:
    """Cycles of one program by segment, operation and slice, against the bound."""

    length_cycles: int
    segments: tuple[SegmentRow, ...]
    operations: tuple[OperationRow, ...]
    slices: tuple[SliceRow, ...]
    busiest_slice: str
    mxm_utilization: float
    alu_utilization: float
    bound_cycles: int
    bound_chain_cycles: int
    bound_busy_cycles: dict[str, int]
    ratio_to_bound: float


def explain(segments: Sequence[Scheduled], chip: Chip, bound: Bound) -> Explanation:
    """The figures of a schedule; nothing is measured, all follows from the issues."""
    length = sum(s.length_cycles * s.segment.count for s in segments)
    slices = slice_rows(segments, chip, length)
    shares = {kind: [row.utilization for row in slices if row.slice.startswith(kind)] for kind in ("mxm", "vxm")}
    return Explanation(
        length_cycles=length,
        segments=tuple(segment_row(s) for s in segments),
        operations=tuple(row for s in segments for row in operation_rows(s)),
        slices=slices,
        busiest_slice=max(slices, key=lambda row: row.utilization).slice,
        mxm_utilization=sum(shares["mxm"]) / len(shares["mxm"]),
        alu_utilization=sum(shares["vxm"]) / len(shares["vxm"]),
        bound_cycles=bound.cycles,
        bound_chain_cycles=bound.chain_cycles,
        bound_busy_cycles=dict(bound.busy_cycles),
        ratio_to_bound=length / bound.cycles,
    )


def segment_row(scheduled: Scheduled) -> SegmentRow:
    """The figures of a segment."""
    segment, num_issues = scheduled.segment, len(scheduled.issues)
    return SegmentRow(segment.name, segment.count, scheduled.length_cycles, num_issues * segment.num_tokens)


def slice_rows(segments: Sequence[Scheduled], chip: Chip, length_cycles: int) -> tuple[SliceRow, ...]:
    """Issues by slice, every run of a repeated segment counted."""
    issues: Counter[str] = Counter()
    for scheduled in segments:
        for issue in scheduled.issues:
            issues[chip.queues[issue.queue].slice.name] += scheduled.segment.count * scheduled.segment.num_tokens
    return tuple(
        SliceRow(s.name, issues[s.name], issues[s.name] / (length_cycles * s.num_queues))
        for s in chip.slices
        if s.num_queues
    )


def operation_rows(scheduled: Scheduled) -> list[OperationRow]:
    """Operations in the order in which they begin."""
    chain = chain_cycles(scheduled)
    issues: dict[str, list[int]] = {}
    for issue in scheduled.issues:
        issues.setdefault(issue.operation, []).append(issue.t)
    issues.pop("", None)
    rows = [OperationRow(scheduled.segment.name, operation, len(times), min(times), max(times), chain[operation])
            for operation, times in issues.items()]  # fmt: skip
    return sorted(rows, key=lambda row: (row.first_cycle, row.operation))


def chain_cycles(scheduled: Scheduled) -> Counter[str]:
    """The segment's cycles by operation along the chain that ends last: backwards, always to the operand that could be
    there last (a value in MEM: when it was written, not when it was read)."""
    cycles: Counter[str] = Counter()
    issue = max(scheduled.issues, key=lambda i: (i.t, i.queue))
    end = scheduled.token_cycles
    while True:
        producers = [operand.producer for operand in issue.operands if isinstance(operand, Arrival)]
        producers += [before for before in (issue.writer, issue.previous) if before is not None]
        before = max(producers, key=lambda p: (_ready(p), p.queue), default=None)
        start = before.t if before is not None else 0
        cycles[_label(issue)] += end - start
        if before is None:
            return cycles
        issue, end = before, start


def _ready(issue: Issue) -> int:
    """When the value of an issue could first be used."""
    if issue.copy is not None and issue.mnemonic.startswith("mem.read"):
        return issue.copy.available
    return issue.result.t if issue.result is not None else issue.t


def _label(issue: Issue) -> str:
    return issue.operation or (issue.live.vector.name.partition("#")[0] if issue.live else "")
