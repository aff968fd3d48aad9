"""Timeline: what is taken in space and time, with undo.

Resources are queues (one issue a cycle), stream registers (one value each), tile banks (busy for some cycles after an
access) and hold registers (an interval). All reservations are journalled: `mark` and `rollback` undo a failed try.

A value on a stream moves along a diagonal: position x and cycle c with c - x constant (eastward) or c + x constant
(westward). The stream register file of one diagonal is one integer, bit x standing for position x.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from waterclock.chip import Chip
from waterclock.isa.record import Direction
from waterclock.isa.table import Width

Bank = tuple[int, bool, int]
"""A bank of tiles: position of its MXM, whether its cells are SRAM, number."""
SIDES = (Direction.EAST, Direction.WEST)


@dataclass
class Source:
    """A value appearing on a stream at position x in cycle t, and how far it must live in each direction.

    `track` is a stream number; `reach[side]` is the last position that is reserved on that side, None if the value does
    not leave that way; `uses` are the reads that were placed.
    """

    x: int
    t: int
    width: Width
    track: int
    reach: list[int | None] = field(default_factory=lambda: [None, None])
    uses: list[tuple[int, int]] = field(default_factory=lambda: list[tuple[int, int]]())


class Timeline:
    """Reservations of one segment."""

    def __init__(self, chip: Chip) -> None:
        self._busy: list[set[int]] = [set() for _ in chip.queues]
        self._streams: dict[int, int] = {}
        self._banks: dict[Bank, dict[int, int]] = {}
        self._accessed: dict[Bank, int] = {}  # bit t: an access is under way in cycle t
        self._longest_busy_cycles = max(chip.mxm.sense_cycles, chip.mxm.write_row_cycles)
        self._holds: list[list[list[int]]] = [[] for _ in range(chip.vxm.num_holds)]
        self._journal: list[tuple[Callable[..., object], tuple[object, ...]]] = []
        self._span = 2 * chip.num_streams
        self._offset = 2 * chip.num_positions
        byte_groups = max(1, chip.num_groups // 4)
        words = 4 * (chip.num_groups - byte_groups)
        self.tracks = {Width.WORD: range(0, words, 4), Width.BYTE: range(words, 4 * chip.num_groups)}
        """Streams that results use: groups of four below, byte streams above."""

    def mark(self) -> int:
        return len(self._journal)

    def rollback(self, mark: int) -> None:
        while len(self._journal) > mark:
            undo, arguments = self._journal.pop()
            undo(*arguments)

    def commit(self) -> None:
        self._journal.clear()

    def on_rollback(self, undo: Callable[..., object], *arguments: object) -> None:
        """Have something else undone too."""
        self._journal.append((undo, arguments))

    def free(self, queue: int, t: int) -> bool:
        return t not in self._busy[queue]

    def take(self, queue: int, t: int) -> bool:
        """One issue of a queue."""
        if t < 0 or t in self._busy[queue]:
            return False
        self._busy[queue].add(t)
        self._journal.append((self._busy[queue].discard, (t,)))
        return True

    def release(self, queue: int, t: int) -> None:
        """Give an issue back, for good."""
        self._busy[queue].discard(t)

    def take_bank(self, bank: Bank, t: int, busy_cycles: int) -> bool:
        """One access of a bank that is then busy, each for a time of its own."""
        taken = self._banks.setdefault(bank, {})
        if any(t + d in taken for d in range(busy_cycles)):
            return False
        if any(taken.get(t - d, 0) > d for d in range(1, self._longest_busy_cycles)):
            return False
        taken[t] = busy_cycles
        self._journal.append((taken.pop, (t,)))
        accessed = self._accessed.get(bank, 0)
        self._accessed[bank] = accessed | ((1 << busy_cycles) - 1) << t
        self._journal.append((self._accessed.__setitem__, (bank, accessed)))
        return True

    def next_access(self, bank: Bank, t: int) -> int:
        """The first cycle from t on in which no access of the bank is under way."""
        accessed = self._accessed.get(bank, 0) >> t
        return t + (~accessed & (accessed + 1)).bit_length() - 1

    def _key(self, x: int, t: int, side: int, track: int) -> int:
        diagonal = t + x if side else t - x
        return (diagonal + self._offset) * self._span + 2 * track + side

    def extend(self, source: Source, side: int, x: int) -> bool:
        """Let the value live as far as position x on a side; x must be downstream of the source (or the source)."""
        reach = source.reach[side]
        if reach is not None and (x >= reach if side else x <= reach):
            return True
        start = source.x if reach is None else (reach - 1 if side else reach + 1)
        bits = _span(start, x)
        key = self._key(source.x, source.t, side, source.track)
        mask = self._streams.get(key, 0)
        if mask & bits:
            return False
        self._streams[key] = mask | bits
        self._journal.append((self._streams.__setitem__, (key, mask)))
        source.reach[side] = x
        self._journal.append((source.reach.__setitem__, (side, reach)))
        return True

    def source(self, x: int, t: int, width: Width, reaches: list[tuple[int, int]]) -> Source | None:
        """A new value on the first track that is free for all (side, position) reaches; None if there is none."""
        wanted = [(self._key(x, t, side, 0), _span(x, to)) for side, to in reaches]
        streams = self._streams
        for track in self.tracks[width]:
            if all(not streams.get(key + 2 * track, 0) & bits for key, bits in wanted):
                source = Source(x, t, width, track)
                for side, to in reaches:
                    self.extend(source, side, to)
                return source
        return None

    def trim(self, source: Source) -> None:
        """Give back what no use needs, for good."""
        for side in range(2):
            reach = source.reach[side]
            if reach is None:
                continue
            used = [x for s, x in source.uses if s == side]
            key = self._key(source.x, source.t, side, source.track)
            need = (min(used) if side else max(used)) if used else None
            bits = _span(source.x, reach) & ~(_span(source.x, need) if need is not None else 0)
            self._streams[key] &= ~bits
            source.reach[side] = need

    def hold(self, start: int, end: int) -> tuple[int, list[int]] | None:
        """A hold register from the arrival at `start` to the last read at `end`; returns its number and interval."""
        for number, intervals in enumerate(self._holds):
            if all(end < a or b < start for a, b in intervals):
                interval = [start, end]
                intervals.append(interval)
                self._journal.append((intervals.remove, (interval,)))
                return number, interval
        return None

    def keep(self, number: int, interval: list[int], end: int) -> bool:
        """Read a hold register as late as `end`."""
        if end <= interval[1]:
            return True
        if any(interval[1] < a <= end for a, _ in self._holds[number]):
            return False
        self._journal.append((interval.__setitem__, (1, interval[1])))
        interval[1] = end
        return True


def _span(a: int, b: int) -> int:
    """Bits of positions a to b, in either order."""
    low, high = (a, b) if a <= b else (b, a)
    return (1 << high + 1) - (1 << low)
