"""What every register and memory word sees over a launch, kept by hand as operations are placed.

A history is what is written to one place in order. A stream that flows is one place: a diagonal of cycle and x, along
which what was put on it nearest upstream is found. A read takes what was written last before it, and from then on
nothing may be written between the two.
"""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from tests.simulator.legal.addresses import Addressed
from tests.simulator.legal.meaning import producer_of
from tests.simulator.legal.parts import Issue, Operation
from waterclock.chip import Chip
from waterclock.isa.record import OPERAND_NAMES, Direction, OperandKind
from waterclock.isa.table import Width

Key = tuple[object, ...]
WAYS = {OperandKind.EAST: Direction.EAST, OperandKind.WEST: Direction.WEST}


class Place(NamedTuple):
    """A point in the history of something."""

    key: Key
    at: int


@dataclass
class _History:
    at: list[int] = field(default_factory=list)
    issues: list[Issue] = field(default_factory=list)
    kept: list[tuple[int, int]] = field(default_factory=list)
    """Stretches (write, read] in which nothing else may be written."""

    def takes(self, at: int) -> bool:
        place = bisect_left(self.at, at)
        taken = place < len(self.at) and self.at[place] == at
        return not taken and not any(begin < at <= end for begin, end in self.kept)

    def insert(self, at: int, issue: Issue) -> None:
        place = bisect_left(self.at, at)
        self.at.insert(place, at)
        self.issues.insert(place, issue)

    def remove(self, at: int) -> None:
        place = bisect_left(self.at, at)
        del self.at[place], self.issues[place]

    def latest(self, at: int) -> int:
        return bisect_right(self.at, at) - 1


class Histories:
    """All histories of a launch; operations are added whole, in all their runs, or not at all."""

    def __init__(self, chip: Chip, addressed: Addressed) -> None:
        self.chip, self.addressed = chip, addressed
        self.by_key: defaultdict[Key, _History] = defaultdict(_History)
        self.taken: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self.banks: dict[Key, list[tuple[int, int, Issue]]] = defaultdict(list)

    def stream(self, kind: OperandKind, stream: int, x: int, cycle: int) -> Place:
        east = kind is OperandKind.EAST
        return Place(("stream", kind, stream, cycle - x if east else cycle + x), x if east else -x)

    def found(self, place: Place) -> Issue | None:
        """What a read finds there."""
        history = self.by_key.get(place.key)
        latest = history.latest(place.at) if history else -1
        return history.issues[latest] if history and latest >= 0 else None

    def add(self, operation: Operation, *, in_its_run: bool = False) -> bool:
        """Place an operation in all its runs if that harms nothing and its operands can be told; else change nothing.

        `in_its_run`: whether registers must be read in the run in which they are written.
        """
        issues = list(operation.issues())
        if not self.is_free(operation) or not self._banks_are_free(issues):
            return False
        done: list[Place] = []
        for issue in issues:
            for place in self.writes(issue):
                if not self.by_key[place.key].takes(place.at):
                    return self._undo(done)
                self.by_key[place.key].insert(place.at, issue)
                done.append(place)
        operation.found, kept = {}, list[tuple[Key, int, int]]()
        for issue in issues:
            for name, places in self.reads(issue):
                ends = [(self.by_key[place.key], place) for place in places]
                latest = [(history, place, history.latest(place.at)) for history, place in ends]
                writers = [(h.at[index], h.issues[index]) for h, _, index in latest if index >= 0]
                if name in OPERAND_NAMES or name == "acc":
                    if len(writers) < len(places) or any(issue is not writers[0][1] for _, issue in writers):
                        return self._undo(done)
                    if len(places) == Width.WORD.value and writers[0][1].operation.result_width() is Width.BYTE:
                        return self._undo(done)
                begin, found = max(writers, key=lambda one: one[0], default=(-(1 << 40), None))
                operation.found[name, issue.run] = found
                kept += [(place.key, begin, place.at) for _, place, _ in latest]
        names = {name for name, _ in operation.found}
        if any(producer_of(operation, name, in_its_run=in_its_run and name != "memory") is None for name in names):
            return self._undo(done)
        for key, begin, end in kept:
            self.by_key[key].kept.append((begin, end))
        self._take(operation, issues)
        return True

    def has_room(self, operation: Operation) -> bool:
        """Whether its queue and all that it writes to are free, whatever else may be wrong with it."""
        places = [place for issue in operation.issues() for place in self.writes(issue)]
        free = all(self.by_key[place.key].takes(place.at) for place in places if place.key in self.by_key)
        return free and len(set(places)) == len(places) and self.is_free(operation)

    def _undo(self, done: list[Place]) -> bool:
        for place in done:
            self.by_key[place.key].remove(place.at)
        return False

    def writes(self, issue: Issue) -> Iterator[Place]:
        """Every place that an issue writes to."""
        operation, cycle = issue.operation, issue.cycle
        row, piece, width = operation.row, operation.queue.slice, operation.result_width()
        if width is not None:
            arrival, result = cycle + operation.latency(self.chip), row["result"]
            for kind, way in WAYS.items():
                for byte in range(width.value if way & Direction(int(result["direction"])) else 0):
                    yield self.stream(kind, int(result["stream"]) + byte, piece.x, arrival)
            if result["hold"]:
                yield Place(("hold", int(result["hold"]) - 1), arrival)
        if operation.instruction.field("acc") is not None:
            yield Place(("acc", piece.name, int(row["acc"])), 2 * cycle + 1)
        if operation.instruction.mnemonic == "icu.set_param":
            yield Place(("param", int(row["param"])), cycle + self.chip.param_latency_cycles)
        if self.addressed.is_writer(operation):
            for key in self.addressed.keys(issue):
                yield Place(key, 2 * cycle + 1)

    def reads(self, issue: Issue) -> Iterator[tuple[str, list[Place]]]:
        """Every operand that finds a value: its name in the flow, and the places that it is read from."""
        operation, cycle = issue.operation, issue.cycle
        row, piece = operation.row, operation.queue.slice
        for name, operand in zip(OPERAND_NAMES, operation.instruction.sources, strict=False):
            kind, index = OperandKind(int(row[name]["kind"])), int(row[name]["index"])
            if kind in WAYS:
                numbers = range(index, index + operand.width.value)
                yield name, [self.stream(kind, number, piece.x, cycle) for number in numbers]
            if kind is OperandKind.HOLD:
                yield name, [Place(("hold", index), cycle)]
        if operation.instruction.field("acc") is not None and not row["first"]:
            yield "acc", [Place(("acc", piece.name, int(row["acc"])), 2 * cycle)]
        if self.addressed.is_reader(operation):
            yield "memory", [Place(key, 2 * cycle) for key in self.addressed.keys(issue)]

    def _spans(self, operation: Operation) -> Iterator[tuple[int, int]]:
        """Stretches of time in which an operation has its queue for itself."""
        length = operation.repeats * operation.distance
        return ((i.cycle, i.cycle + length) for i in operation.issues() if not operation.repeats or i.run[-1] == 0)

    def is_free(self, operation: Operation) -> bool:
        taken, mine = self.taken[operation.queue.name], sorted(self._spans(operation))
        if any(after[0] <= before[1] for before, after in pairwise(mine)):
            return False
        for begin, end in mine:
            place = bisect_left(taken, (begin, 0))
            around = taken[max(0, place - 1) : place + 1]
            if any(other[0] <= end and begin <= other[1] for other in around):
                return False
        return True

    def _banks_are_free(self, issues: list[Issue]) -> bool:
        key = self.addressed.bank_key(issues[0].operation)
        if key is None:
            return True
        mine = [(issue.cycle, self.addressed.busy_cycles(issue.operation), issue) for issue in issues]
        others = self.banks[key]
        for cycle, busy, issue in mine:
            for other_cycle, other_busy, other in (*others, *mine):
                near = 0 <= cycle - other_cycle < other_busy or 0 <= other_cycle - cycle < busy
                if near and other is not issue and self.addressed.may_share_a_bank(issue, other):
                    return False
        return True

    def _take(self, operation: Operation, issues: list[Issue]) -> None:
        for span in self._spans(operation):
            insort(self.taken[operation.queue.name], span)
        key = self.addressed.bank_key(operation)
        if key is not None:
            busy = self.addressed.busy_cycles(operation)
            self.banks[key] += [(issue.cycle, busy, issue) for issue in issues]
