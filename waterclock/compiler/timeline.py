"""Timeline: what is taken in space and time, with undo.

Resources are queues (one issue a cycle), stream registers (one value each), tile banks (busy for some cycles after an
access), hold registers and accumulators (an interval). All reservations are journalled: `mark` and `rollback` undo a
failed try. Where the segment is begun anew every `interval_cycles`, before it is through, what is taken is taken in
every interval: cycles count modulo the interval (modulo scheduling; B. R. Rau, Iterative modulo scheduling, MICRO-27,
1994).

A value on a stream moves along a diagonal: position x and cycle c with c - x constant (eastward) or c + x constant
(westward). The stream register file of one diagonal is one integer, bit x standing for position x.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from waterclock.chip import Chip, SliceKind
from waterclock.isa.record import Direction
from waterclock.isa.table import Width

Bank = tuple[int, bool, int]
"""A bank of tiles: position of its MXM, whether its cells are SRAM, number."""
SIDES = (Direction.EAST, Direction.WEST)
NO_INTERVAL = 1 << 40
NEVER = 1 << 60


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

    def __init__(self, chip: Chip, interval_cycles: int = NO_INTERVAL) -> None:
        self.interval_cycles = interval_cycles
        self._busy: list[set[int]] = [set() for _ in chip.queues]
        self._streams: dict[int, int] = {}
        self._banks: dict[Bank, dict[int, int]] = {}
        self._accessed: dict[Bank, int] = {}  # bit t: an access is under way in cycle t
        self._longest_busy_cycles = max(chip.mxm.sense_cycles, chip.mxm.write_row_cycles)
        self._holds: list[list[list[int]]] = [[] for _ in range(chip.vxm.num_holds)]
        self._accumulators: dict[str, list[list[list[int]]]] = {
            s.name: [[] for _ in range(chip.mxm.num_accumulators)] for s in chip.slices_of(SliceKind.MXM)
        }
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
        return t % self.interval_cycles not in self._busy[queue]

    def eighths_taken(self, queue: int) -> int:
        """How much of the interval a queue is busy, in eighths; 0 where there is no interval."""
        return 8 * len(self._busy[queue]) // self.interval_cycles

    def take(self, queue: int, t: int) -> bool:
        """One issue of a queue."""
        if t < 0 or not self.free(queue, t):
            return False
        self._busy[queue].add(t % self.interval_cycles)
        self._journal.append((self._busy[queue].discard, (t % self.interval_cycles,)))
        return True

    def release(self, queue: int, t: int) -> None:
        """Give an issue back, for good."""
        self._busy[queue].discard(t % self.interval_cycles)

    def take_bank(self, bank: Bank, t: int, busy_cycles: int) -> bool:
        """One access of a bank that is then busy, each for a time of its own."""
        taken, interval = self._banks.setdefault(bank, {}), self.interval_cycles
        if busy_cycles > interval or any((t + d) % interval in taken for d in range(busy_cycles)):
            return False
        if any(taken.get((t - d) % interval, 0) > d for d in range(1, self._longest_busy_cycles)):
            return False
        taken[t % interval] = busy_cycles
        self._journal.append((taken.pop, (t % interval,)))
        accessed = self._accessed.get(bank, 0)
        for cycle in range(t, t + busy_cycles):
            self._accessed[bank] = self._accessed.get(bank, 0) | 1 << cycle % interval
        self._journal.append((self._accessed.__setitem__, (bank, accessed)))
        return True

    def next_access(self, bank: Bank, t: int) -> int:
        """The first cycle from t on in which no access of the bank is under way."""
        accessed, start = self._accessed.get(bank, 0), t % self.interval_cycles
        wait = _trailing_ones(accessed >> start)
        if start + wait < self.interval_cycles:
            return t + wait
        again = _trailing_ones(accessed)
        return t + wait + again if again < start else NEVER

    def _key(self, x: int, t: int, side: int, track: int) -> int:
        diagonal = t + x if side else t - x
        return (diagonal + self._offset) % self.interval_cycles * self._span + 2 * track + side

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
        return self._take_one(self._holds, start, end)

    def accumulator(self, slice_name: str, start: int, end: int) -> int | None:
        """An accumulator of an MXM that is free from the first to the last matvec of a chain; None if there is none."""
        taken = self._take_one(self._accumulators[slice_name], start, end)
        return None if taken is None else taken[0]

    def _take_one(self, registers: list[list[list[int]]], start: int, end: int) -> tuple[int, list[int]] | None:
        if end - start >= self.interval_cycles:
            return None
        for number, intervals in enumerate(registers):
            if not any(self._meet(start, end, a, b) for a, b in intervals):
                interval = [start, end]
                intervals.append(interval)
                self._journal.append((intervals.remove, (interval,)))
                return number, interval
        return None

    def _meet(self, start: int, end: int, a: int, b: int) -> bool:
        """Whether start..end and a..b have a cycle in common, in any interval."""
        return (a - start) % self.interval_cycles <= end - start or (start - a) % self.interval_cycles <= b - a

    def keep(self, number: int, interval: list[int], end: int) -> bool:
        """Read a hold register as late as `end`."""
        if end <= interval[1]:
            return True
        start = interval[0]
        others = (other for other in self._holds[number] if other is not interval)
        if end - start >= self.interval_cycles or any(self._meet(start, end, a, b) for a, b in others):
            return False
        self._journal.append((interval.__setitem__, (1, interval[1])))
        interval[1] = end
        return True


def _trailing_ones(bits: int) -> int:
    return (~bits & (bits + 1)).bit_length() - 1


def _span(a: int, b: int) -> int:
    """Bits of positions a to b, in either order."""
    low, high = (a, b) if a <= b else (b, a)
    return (1 << high + 1) - (1 << low)
