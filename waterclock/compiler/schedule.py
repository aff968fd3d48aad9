"""Schedule: place the tile operations of a segment in space and time.

List scheduling: operations are taken by the longest path that still depends on them, and each goes to the earliest
cycle in which everything fits. The segment of a single token is scheduled in two such orders, and the shorter schedule
is kept; tokens that overlap begin as soon after one another as a schedule can be found for.
"""

from collections import Counter

from waterclock.chip import Chip
from waterclock.compiler.issues import Scheduled
from waterclock.compiler.order import by_priority
from waterclock.compiler.scheduler import ScheduleError, Scheduler
from waterclock.compiler.tileops import Chain, Segment
from waterclock.compiler.timeline import NEVER, NO_INTERVAL
from waterclock.isa.table import INSTRUCTIONS, Unit

OPERATIONS_PER_TURN = 32
"""So many operations later in the program is as if the path to the end were a cycle shorter: what is built alike, heads
of attention above all, then takes turns instead of asking for the same units, holds and reductions at once."""
INTERVAL_GROWTH = 0.02
"""Tokens begin so much further apart where nothing was found."""


def schedule(segment: Segment, chip: Chip, crowded: Scheduled | None = None) -> Scheduled:
    """Place all operations of a segment; the same input gives the same schedule. Where one is given that has too many
    tokens under way at once, the next one with fewer."""
    if segment.num_tokens == 1:
        return min((_scheduled(segment, chip, turns=turns) for turns in (False, True)), key=lambda s: s.length_cycles)
    interval = crowded.interval_cycles if crowded else shortest_interval(segment, chip)
    most_stages = (crowded.num_stages if crowded else segment.num_tokens) - 1
    while True:
        try:
            scheduled = _scheduled(segment, chip, interval)
        except ScheduleError:
            scheduled = None
        if scheduled is not None and scheduled.num_stages <= most_stages:
            return scheduled
        interval += max(1, round(interval * INTERVAL_GROWTH))


def _scheduled(segment: Segment, chip: Chip, interval_cycles: int = NO_INTERVAL, *, turns: bool = True) -> Scheduled:
    scheduler = Scheduler(segment, chip, interval_cycles)
    per_turn = OPERATIONS_PER_TURN if turns else NEVER
    for op in by_priority(segment.operations, scheduler.duration, per_turn):
        scheduler.place(op)
    return scheduler.result()


def shortest_interval(segment: Segment, chip: Chip) -> int:
    """The fewest cycles between two tokens: no slice and no kind of ALU has more issues than cycles."""
    work: Counter[str] = Counter()
    for op in segment.operations:
        unit = INSTRUCTIONS[op.mnemonic].unit
        work[op.slice or "alu"] += len(op.links) if isinstance(op, Chain) else 1
        work[unit.value] += unit is not Unit.ANY
    count = {"alu": chip.vxm.num_alus, Unit.SPECIAL.value: chip.vxm.num_special, Unit.REDUCE.value: chip.vxm.num_reduce}
    return max(-(-issues // count.get(name, 1)) for name, issues in work.items())
