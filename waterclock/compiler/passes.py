"""Passes: one queue's entries, in order. Tokens and layers become loops around them.

Where the tokens of a segment overlap (each begins before the one before it is through), a token's issues fall into
stages of `interval_cycles`. In a *window* of so many cycles every stage works, each on a token of its own. What is
alike in all windows is one loop; the windows before, in which the later stages have no token yet, and those after, in
which the earlier ones have none left, are written out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from waterclock.compiler.issues import Issue, Scheduled
from waterclock.compiler.tileops import Axis
from waterclock.isa.record import NUM_LEVELS

NEVER = 1 << 62


@dataclass(frozen=True)
class Control:
    """An `icu` entry: its mnemonic and numbers."""

    mnemonic: str
    n: int
    distance: int = 0
    body: int = 0


@dataclass(frozen=True)
class Nest:
    """The loops around an entry, by what they repeat it over, innermost first."""

    axes: tuple[Axis, ...]

    def by_level(self, by_axis: Mapping[Axis, int]) -> npt.NDArray[np.int32]:
        """What steps by axis, by loop level; along an axis that has no loop here nothing steps."""
        levels = np.zeros(NUM_LEVELS, np.int32)
        for level, axis in enumerate(self.axes, start=1):
            levels[level] = by_axis.get(axis, 0)
        return levels


@dataclass(frozen=True)
class Placed:
    """An issue as an entry: `token` is the one that it serves, first if in a loop over tokens. Of several entries for
    one issue, that in the loop is the pattern of the others."""

    issue: Issue
    token: int
    nest: Nest
    is_pattern: bool

    @property
    def mnemonic(self) -> str:
        return self.issue.mnemonic


Entry = Control | Placed


@dataclass(frozen=True)
class Pass:
    """Entries with their cycles from the segment's start, the whole run `runs` times, `period_cycles` apart."""

    rows: tuple[tuple[int, Placed], ...]
    runs: int = 1
    period_cycles: int = 0

    def begin(self, start: int, later: int) -> int:
        """The cycle in which it begins, if its segment starts in cycle `start` and what follows in cycle `later`."""
        first = start + self.rows[0][0]
        return min(first, later - self.runs * self.period_cycles) if self.runs > 1 else first


def queue_entries(queue: int, segments: Sequence[Scheduled]) -> list[Entry]:
    """One queue's entries: issues in order of time, waits between them, and loops."""
    starts = [0, *accumulate(s.segment.count * s.length_cycles for s in segments)]
    parts = [_Part(s, start, tuple(segment_passes(s, queue))) for s, start in zip(segments, starts, strict=False)]
    parts = [part for part in parts if part.passes]
    begins = [NEVER]
    for part in reversed(parts):
        begins.append(part.begin(begins[-1]))
    writer = _Writer()
    for part, later in zip(parts, begins[-2::-1], strict=True):
        writer.part(part, later)
    return writer.entries


def segment_passes(scheduled: Scheduled, queue: int) -> Iterator[Pass]:
    """What a queue does in one run of a segment; passes without entries are left out."""
    issues = sorted((i for i in scheduled.issues if i.queue == queue), key=lambda i: i.t)
    segment, interval = scheduled.segment, scheduled.interval_cycles
    num_stages = scheduled.num_stages
    num_windows, outer = segment.num_tokens + num_stages - 1, (Axis.LAYER,) if segment.count > 1 else ()
    runs = segment.num_tokens - num_stages + 1
    assert runs > 0, f"segment {segment.name}: {num_stages} stages, {segment.num_tokens} tokens"
    whole = Nest((Axis.TOKEN, *outer) if runs > 1 else outer)

    def rows(windows: range, nest: Nest, is_pattern: bool) -> tuple[tuple[int, Placed], ...]:
        found = (
            (interval * window + issue.t % interval, Placed(issue, window - issue.t // interval, nest, is_pattern))
            for window in windows
            for issue in issues
            if 0 <= window - issue.t // interval < segment.num_tokens
        )
        return tuple(sorted(found, key=lambda row: row[0]))

    before = Pass(rows(range(num_stages - 1), Nest(outer), False))
    middle = Pass(rows(range(num_stages - 1, num_stages), whole, True), runs, interval)
    after = Pass(rows(range(segment.num_tokens, num_windows), Nest(outer), False))
    yield from (one for one in (before, middle, after) if one.rows)


@dataclass(frozen=True)
class _Part:
    """What a queue does in a segment that starts in cycle `start`.

    What follows a loop can't issue before the loop's own offset in its last period: a loop begins early enough for what
    follows it, which is in cycle `later`.
    """

    scheduled: Scheduled
    start: int
    passes: tuple[Pass, ...]

    @property
    def runs(self) -> int:
        return self.scheduled.segment.count

    def begin(self, later: int) -> int:
        """The cycle in which the part begins."""
        first = self.start + self.passes[0].rows[0][0]
        if self.runs > 1:
            return min(first, later - self.runs * self.scheduled.length_cycles)
        return self.passes[0].begin(self.start, self.ends(first, later)[0])

    def ends(self, begin: int, later: int) -> list[int]:
        """For each pass the cycle in which what follows begins, in the first run of the part."""
        after = begin + self.scheduled.length_cycles if self.runs > 1 else later
        return [*(self.start + one.rows[0][0] for one in self.passes[1:]), after]


class _Writer:
    """The entries so far, and the cycle after the last."""

    def __init__(self) -> None:
        self.entries: list[Entry] = [Control("icu.start", 0)]
        self.cycle = 0

    def part(self, part: _Part, later: int) -> None:
        """The passes of a part, in a loop if it runs more than once."""
        begin = part.begin(later)
        self.wait_until(begin)
        first = len(self.entries)
        for one, end in zip(part.passes, part.ends(begin, later), strict=True):
            self.a_pass(one, part.start, end)
        if part.runs > 1:
            self.loop(first, begin, part.runs, part.scheduled.length_cycles)

    def a_pass(self, one: Pass, start: int, later: int) -> None:
        """The rows of a pass, in a loop if they are run more than once."""
        begin = one.begin(start, later)
        self.wait_until(begin)
        first = len(self.entries)
        for cycle, entry in one.rows:
            self.wait_until(start + cycle)
            self.entries.append(entry)
            self.cycle += 1
        if one.runs > 1:
            self.loop(first, begin, one.runs, one.period_cycles)

    def loop(self, first: int, begin: int, runs: int, period_cycles: int) -> None:
        """Repeat the entries from number `first` on, which begin in cycle `begin`."""
        self.entries.append(Control("icu.loop", runs, period_cycles, len(self.entries) - first))
        self.cycle = begin + runs * period_cycles

    def wait_until(self, cycle: int) -> None:
        assert cycle >= self.cycle, f"cycle {cycle} is over: {self.cycle}"
        if cycle > self.cycle:
            self.entries.append(Control("icu.nop", cycle - self.cycle))
            self.cycle = cycle
