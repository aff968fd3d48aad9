"""Delivery: bring operands to instructions and keep results until they are read.

A result leaves on a stream; while it has readers a store in MEM is reserved on its way, so that no value is ever lost.
Readers take it from the passing stream where they can, else from a hold register or from MEM. What turns out not to be
needed is given back when the last reader was placed.
"""

from collections.abc import Collection, Mapping

from waterclock.chip import Chip, SliceKind
from waterclock.compiler.issues import Arrival, Copy, Issue, Live
from waterclock.compiler.tileops import Reference, Vector
from waterclock.compiler.timeline import Source, Timeline
from waterclock.isa.table import INSTRUCTIONS, Width

EAST, WEST = 0, 1
MAX_WAIT_CYCLES = 1000
MANY_READERS = 3
"""A value with so many readers left goes to a hold register first, others to MEM first."""


class Delivery:
    """Values of one segment, on the resources of its timeline. What a failed try did is undone by the timeline."""

    def __init__(
        self, chip: Chip, timeline: Timeline, stores: Mapping[Vector, Reference], outputs: Collection[Vector]
    ) -> None:
        self.timeline = timeline
        self._stores, self._outputs = stores, frozenset(outputs)
        self.vxm_x = chip.slice_by_name["vxm"].x
        mems = chip.slices_of(SliceKind.MEM)
        self.mem_x = [s.x for s in mems]
        self._mem_index = {s.name: s.index for s in mems}
        queue_by_slice = {queue.slice.name: queue.number for queue in chip.queues}
        self.mem_queue = [queue_by_slice[s.name] for s in mems]
        near = sorted(range(len(mems)), key=lambda m: (abs(self.mem_x[m] - self.vxm_x), m))
        self._near = near
        east = [m for m in near if self.mem_x[m] > self.vxm_x]
        west = [m for m in near if self.mem_x[m] < self.vxm_x]
        self._near_by_side = (east or near, west or near)
        read = INSTRUCTIONS["mem.read32"].latency
        assert read is not None
        self._read_cycles = read(chip)
        self.lives: dict[Vector, Live] = {}
        self.reads: list[Issue] = []
        self.stores: list[Issue] = []

    def live(self, vector: Vector) -> Live:
        """The record of a vector; homes can be read from the start unless an operation publishes them later."""
        if vector not in self.lives:
            copies = [Copy(self._mem_of(home), 0, home) for home in vector.homes]
            self.lives[vector] = Live(vector, copies=copies)
        return self.lives[vector]

    def publish(self, vector: Vector, writer: Issue) -> None:
        """The homes of a vector hold it from the cycle after `writer`."""
        self.live(vector).copies = [Copy(self._mem_of(home), writer.t + 1, home, writer) for home in vector.homes]

    def admit(self, vector: Vector, available: int) -> None:
        """The homes of a vector can be read from cycle `available` on, until a token later they are others."""
        until = available + self.timeline.interval_cycles
        self.live(vector).copies = [Copy(self._mem_of(home), available, home, until=until) for home in vector.homes]

    def first_arrival(self, live: Live, x: int) -> int:
        """The first cycle in which the value can be at position x."""
        times = [source.t + abs(source.x - x) for source, _ in live.sources[:1]]
        times += [copy.available + self._read_cycles + abs(self.mem_x[copy.mem] - x) for copy in live.copies]
        return min(times)

    # Operands.

    def deliver(self, live: Live, x: int, t: int) -> Arrival | None:
        """Bring a value to position x in cycle t, or None."""
        hold_first = live.hold is not None or live.readers >= MANY_READERS
        ways = (self._from_stream, self._from_hold, self._from_memory) if hold_first else (
            self._from_stream, self._from_memory, self._from_hold)  # fmt: skip
        return next((arrival for way in ways if (arrival := way(live, x, t)) is not None), None)

    def passing(self, live: Live, x: int, t: int) -> Arrival | None:
        """The value from a stream that brings it by anyway."""
        return self._from_stream(live, x, t)

    def _from_stream(self, live: Live, x: int, t: int) -> Arrival | None:
        for source, producer in live.sources:
            if abs(x - source.x) == t - source.t:
                side = _side(source, x)
                if self.timeline.extend(source, side, x):
                    return Arrival(live, source, side, producer)
        return None

    def _from_hold(self, live: Live, x: int, t: int) -> Arrival | None:
        issue = live.produced
        if x != self.vxm_x or issue is None or issue.result is None:
            return None
        if issue.result.x != x or issue.result.width is Width.BYTE or t < issue.result.t:
            return None
        if live.hold is not None:
            kept = self.timeline.keep(*live.hold, t)
            return Arrival(live, issue.result, None, issue) if kept else None
        hold = self.timeline.hold(issue.result.t, t)
        if hold is None:
            return None
        live.hold = hold
        self.timeline.on_rollback(setattr, live, "hold", None)
        return Arrival(live, issue.result, None, issue)

    def _from_memory(self, live: Live, x: int, t: int) -> Arrival | None:
        for copy in sorted(live.copies, key=lambda c: abs(self.mem_x[c.mem] - x)):
            mem_x, queue = self.mem_x[copy.mem], self.mem_queue[copy.mem]
            read = t - abs(mem_x - x) - self._read_cycles
            if not copy.available <= read < copy.until or not self.timeline.free(queue, read):
                continue
            side = EAST if x >= mem_x else WEST
            source = self.timeline.source(mem_x, read + self._read_cycles, live.vector.width, [(side, x)])
            if source is not None:
                return Arrival(live, source, side, self._read(live, copy, source, queue, read))
        return None

    def _read(self, live: Live, copy: Copy, source: Source, queue: int, t: int) -> Issue:
        mnemonic = "mem.read32" if live.vector.width is Width.WORD else "mem.read8"
        issue = Issue(
            queue, t, mnemonic, "", result=source, live=live, address=copy.home, copy=copy, writer=copy.writer
        )
        self.timeline.take(queue, t)
        for items, item in ((self.reads, issue), (copy.reads, t), (live.sources, (source, issue))):
            items.append(item)  # pyright: ignore[reportArgumentType]
            self.timeline.on_rollback(items.pop)
        return issue

    # Results.

    def produce(self, issue: Issue, vector: Vector, x: int, t: int) -> bool:
        """Send the result that appears at x in cycle t on its way, and reserve the stores that keep it."""
        live = self.live(vector)
        mems = self._choose_stores(live, x, t)
        if mems is None:
            return False
        source = self.timeline.source(x, t, vector.width, self._reaches(live, x, mems))
        if source is None:
            return False
        issue.result, issue.live, live.produced = source, live, issue
        live.sources.append((source, issue))
        self.timeline.on_rollback(live.sources.pop)
        for m in mems:
            self._store(live, source, m, issue, self._stores.get(vector))
        if vector in self._outputs or vector in self._stores:
            live.copies[-1].kept = True
        return True

    def _reaches(self, live: Live, x: int, mems: list[int]) -> list[tuple[int, int]]:
        """How far the result must be free to flow: to its stores, and from an outer slice to the VXM if it is read."""
        positions = [self.mem_x[m] for m in mems]
        if x != self.vxm_x:
            positions = [max([*positions, self.vxm_x]) if x < self.vxm_x else min([*positions, self.vxm_x])]
        return [(EAST if p > x else WEST, p) for p in positions] or [(EAST, x)]

    def _choose_stores(self, live: Live, x: int, t: int) -> list[int] | None:
        """MEM slices that take the result as it passes; None if one that is needed finds no free port."""
        home = self._stores.get(live.vector)
        if home is not None:
            groups = [[self._mem_of(home)]]
        elif not live.readers and live.vector not in self._outputs:
            return []
        elif x != self.vxm_x:
            groups = [self._near_by_side[WEST if x < self.vxm_x else EAST]]
        else:
            groups = [self._near_by_side[side] for side in sorted(live.sides)] or [self._near]
        avoid = {m for partner in live.partners for m in self._places(partner)}
        chosen = [self._choose(group, avoid, x, t) for group in groups]
        return None if None in chosen else [m for m in dict.fromkeys(chosen) if m is not None]

    def _mem_of(self, home: Reference) -> int:
        assert home.object is not None
        return self._mem_index[home.object.slice]

    def _places(self, live: Live) -> set[int]:
        """MEM slices that hold the value now or will."""
        return {copy.mem for copy in live.copies} | {self._mem_of(home) for home in live.vector.homes}

    def _choose(self, group: list[int], avoid: set[int], x: int, t: int) -> int | None:
        """The nearest slice whose port is free when the value passes; better one that holds no partner of it, and where
        intervals follow one another, one whose port is not so full that what it holds could hardly be read."""
        free = [m for m in group if self.timeline.free(self.mem_queue[m], t + abs(self.mem_x[m] - x))]
        free.sort(key=lambda m: self.timeline.eighths_taken(self.mem_queue[m]))
        return next((m for m in free if m not in avoid), free[0] if free else None)

    def _store(self, live: Live, source: Source, m: int, producer: Issue, home: Reference | None = None) -> None:
        x = self.mem_x[m]
        t, side = source.t + abs(x - source.x), EAST if x > source.x else WEST
        mnemonic = "mem.write32" if source.width is Width.WORD else "mem.write8"
        issue = Issue(self.mem_queue[m], t, mnemonic, producer.operation, [Arrival(live, source, side, producer)], [0],
                      address=home)  # fmt: skip
        copy = Copy(m, t + 1, home, issue)
        issue.copy = copy
        self.timeline.take(self.mem_queue[m], t)
        use = (side, x)
        for items, item in ((self.stores, issue), (live.copies, copy), (source.uses, use)):
            items.append(item)  # pyright: ignore[reportArgumentType]
            self.timeline.on_rollback(items.pop)

    def duplicate(self, live: Live, others: Collection[Live]) -> bool:
        """See that a value has a copy in a slice that holds none of the others: two values in one slice can never be
        read for the same cycle."""
        taken = {m for other in others for m in self._places(other)}
        if self._places(live) - taken:
            return True
        avoid = taken | self._places(live)
        for copy in list(live.copies):
            for t in range(copy.available, min(copy.available + MAX_WAIT_CYCLES, copy.until)):
                if self.timeline.free(self.mem_queue[copy.mem], t) and self._move(live, copy, t, avoid):
                    return True
        return False

    def _move(self, live: Live, copy: Copy, t: int, avoid: set[int]) -> bool:
        x, arrival = self.mem_x[copy.mem], t + self._read_cycles
        m = self._choose([m for m in self._near if m not in avoid], set(), x, arrival)
        if m is None:
            return False
        side = EAST if self.mem_x[m] > x else WEST
        source = self.timeline.source(x, arrival, live.vector.width, [(side, self.mem_x[m])])
        if source is None:
            return False
        self._store(live, source, m, self._read(live, copy, source, self.mem_queue[copy.mem], t))
        return True

    # When readers are placed.

    def use(self, arrival: Arrival, x: int) -> None:
        """An operand's read was placed at position x: what brings it there stays."""
        if arrival.side is not None:
            arrival.source.uses.append((arrival.side, x))

    def done(self, live: Live, num_reads: int = 1) -> None:
        """Readers were placed; after the last one, what nobody needs is given back."""
        live.readers -= num_reads
        if live.readers > 0:
            return
        for copy in reversed(live.copies.copy()):  # a copy of a copy comes after it
            if copy.writer is not None and copy.writer.copy is copy and not copy.reads and not copy.kept:
                self._drop(live, copy, copy.writer)
        for source, _ in live.sources:
            self.timeline.trim(source)

    def _drop(self, live: Live, copy: Copy, writer: Issue) -> None:
        (arrival,) = writer.operands
        assert isinstance(arrival, Arrival) and arrival.side is not None
        arrival.source.uses.remove((arrival.side, self.mem_x[copy.mem]))
        self.timeline.release(writer.queue, writer.t)
        self.stores.remove(writer)
        live.copies.remove(copy)
        if arrival.producer in self.reads and not arrival.source.uses:
            self._unread(live, arrival)

    def _unread(self, live: Live, arrival: Arrival) -> None:
        """Give back a read whose result nobody takes any more."""
        read = arrival.producer
        assert read.copy is not None
        self.timeline.trim(arrival.source)
        self.timeline.release(read.queue, read.t)
        self.reads.remove(read)
        read.copy.reads.remove(read.t)
        live.sources.remove((arrival.source, read))


def _side(source: Source, x: int) -> int:
    """The direction from a source to x; at the source itself, one that it leaves in."""
    if x != source.x:
        return EAST if x > source.x else WEST
    return WEST if source.reach[EAST] is None and source.reach[WEST] is not None else EAST
