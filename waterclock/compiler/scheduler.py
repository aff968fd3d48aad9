"""Scheduler: the operations of one segment, each put where everything fits: its queue, its operands, its result and the
store that keeps the result."""

from collections.abc import Sequence

from waterclock.chip import Chip, SliceKind
from waterclock.compiler.delivery import Delivery
from waterclock.compiler.issues import Arrival, Issue, Scheduled
from waterclock.compiler.order import Operation, reads_of, results_of
from waterclock.compiler.tileops import Chain, Link, Segment, TileOp, Use, Vector
from waterclock.compiler.timeline import NEVER, NO_INTERVAL, Bank, Timeline
from waterclock.errors import WaterclockError
from waterclock.isa.program import Space
from waterclock.isa.table import INSTRUCTIONS, Unit

SEARCH_CYCLES = 20_000
PATIENCE_CYCLES = 200
"""So long a search without success is taken for two operands in one single-port slice."""


class ScheduleError(WaterclockError):
    """An operation that fits nowhere."""


class Scheduler:
    """Placement of one segment, operation by operation."""

    def __init__(self, segment: Segment, chip: Chip, interval_cycles: int = NO_INTERVAL) -> None:
        self._segment, self._chip = segment, chip
        self._timeline = Timeline(chip, interval_cycles)
        self._search_cycles = min(SEARCH_CYCLES, 2 * interval_cycles + PATIENCE_CYCLES)
        self._delivery = Delivery(chip, self._timeline, segment.stores, segment.outputs)
        self._latency = {row.mnemonic: row.latency(chip) for row in INSTRUCTIONS.values() if row.latency}
        self._queue_by_slice = {queue.slice.name: queue.number for queue in chip.queues}
        self._alus = _alu_orders(chip)
        self._issues: list[Issue] = []
        self._issue_by_op: dict[TileOp, Issue] = {}
        self._waiting: dict[TileOp, dict[Vector, None]] = {}
        self._announce_readers()

    def _announce_readers(self) -> None:
        """Tell the values who will read them, and where."""
        for op in self._segment.operations:
            lives = [self._delivery.live(vector) for vector in reads_of(op)]
            for live in lives:
                live.readers += 1
                if op.slice is not None:
                    east = self._chip.slice_by_name[op.slice].x > self._delivery.vxm_x
                    live.sides.add(0 if east else 1)
                if isinstance(op, TileOp):
                    live.partners += [partner for partner in lives if partner is not live]
            for vector in op.publishes if isinstance(op, TileOp) else ():
                self._delivery.live(vector).copies.clear()
            for vector in reads_of(op):
                if vector.after is not None:
                    self._waiting.setdefault(vector.after, {})[vector] = None
                    self._delivery.live(vector).copies.clear()

    def duration(self, op: Operation) -> int:
        """A rough time from operands to result, hops there and back included."""
        hops = 0 if op.slice is None else 2 * abs(self._chip.slice_by_name[op.slice].x - self._delivery.vxm_x)
        return self._latency.get(op.mnemonic, 1) + hops + (len(op.links) if isinstance(op, Chain) else 0)

    def place(self, op: Operation) -> None:
        """Place one operation; raises ScheduleError if it fits nowhere."""
        if isinstance(op, Chain):
            self._place_chain(op)
        else:
            self._place_instruction(op)
        self._timeline.commit()
        for vector in reads_of(op):
            self._delivery.done(self._delivery.live(vector))
        for vector in results_of(op):
            self._delivery.done(self._delivery.live(vector), 0)

    def result(self) -> Scheduled:
        """The finished schedule."""
        issues = tuple(self._issues + self._delivery.reads + self._delivery.stores)
        lives = self._delivery.lives
        copies = [copy for live in lives.values() for copy in live.copies if copy.home is None]
        outputs = tuple(next(c for c in lives[v].copies if c.kept) for v in self._segment.outputs)
        length = 1 + max(self._last_cycle(issue) for issue in issues)
        interval = min(self._timeline.interval_cycles, length)
        return Scheduled(self._segment, issues, length, interval, outputs, tuple(c for c in copies if not c.kept))

    def _last_cycle(self, issue: Issue) -> int:
        """The last cycle in which the issue does something: its issue, or the arrival of its state or hold value."""
        held = issue.live is not None and issue.live.produced is issue and issue.live.hold is not None
        delay = {"mxm.write_row": self._chip.mxm.write_row_cycles, "icu.set_param": self._chip.param_latency_cycles}
        return issue.t + (self._latency[issue.mnemonic] if held else delay.get(issue.mnemonic, 0))

    # One instruction.

    def _place_instruction(self, op: TileOp) -> None:
        piece = self._chip.slice_by_name[op.slice or "vxm"]
        vxm = piece.kind is SliceKind.VXM
        queues = self._alus[INSTRUCTIONS[op.mnemonic].unit] if vxm else [self._queue_by_slice[piece.name]]
        arrivals = [self._delivery.first_arrival(self._delivery.live(v), piece.x) for v in reads_of(op)]
        seen = self._param_seen(op.after) if op.after else 0
        earliest = max([seen, *arrivals])
        latest = seen + self._timeline.interval_cycles if op.after else NEVER
        for patience in (PATIENCE_CYCLES, self._search_cycles):
            for t in range(earliest, min(earliest + patience, latest)):
                queue = next((q for q in queues if self._timeline.free(q, t)), None)
                issue = None if queue is None else self._try_instruction(op, piece.x, queue, t)
                if issue is not None:
                    self._keep(op, issue, piece.x)
                    return
            self._part(op)
        raise self._no_place(op, earliest)

    def _part(self, op: TileOp) -> None:
        """Give the operands copies in slices of their own."""
        lives = [self._delivery.live(vector) for vector in dict.fromkeys(reads_of(op))]
        for live in lives[1:]:
            self._delivery.duplicate(live, [other for other in lives if other is not live])
        self._timeline.commit()

    def _try_instruction(self, op: TileOp, x: int, queue: int, t: int) -> Issue | None:
        mark = self._timeline.mark()
        issue = Issue(
            queue, t, op.mnemonic, op.operation, settings=dict(op.settings), address=op.address, place=op.place
        )
        if self._fits(op, issue, x, t):
            return issue
        self._timeline.rollback(mark)
        return None

    def _fits(self, op: TileOp, issue: Issue, x: int, t: int) -> bool:
        if not self._timeline.take(issue.queue, t) or not self._banks_fit(op, x, t):
            return False
        for operand in op.operands:
            arrival = (
                self._delivery.deliver(self._delivery.live(operand.vector), x, t)
                if isinstance(operand, Use)
                else operand
            )
            if arrival is None:
                return False
            issue.operands.append(arrival)
            issue.xors.append(operand.xor if isinstance(operand, Use) else 0)
        return op.result is None or self._delivery.produce(issue, op.result, x, t + self._latency[op.mnemonic])

    def _banks_fit(self, op: TileOp, x: int, t: int) -> bool:
        """A row access keeps every bank free: which one it needs depends on parameters."""
        space = _space(op)
        if space in (None, Space.MEM):
            return True
        mxm, sram = self._chip.mxm, space is Space.SRAM
        num_banks, busy = (
            (mxm.num_sram_banks, mxm.write_row_cycles) if sram else (mxm.num_reram_banks, mxm.sense_cycles)
        )
        return all(self._timeline.take_bank((x, sram, bank), t, busy) for bank in range(num_banks))

    def _keep(self, op: TileOp, issue: Issue, x: int) -> None:
        if INSTRUCTIONS[op.mnemonic].field("sram"):
            issue.settings["sram"] = int(_space(op) is Space.SRAM)
        self._issues.append(issue)
        self._issue_by_op[op] = issue
        for operand in issue.operands:
            if isinstance(operand, Arrival):
                self._delivery.use(operand, x)
        for vector in op.publishes:
            self._delivery.publish(vector, issue)
        for vector in self._waiting.get(op, ()):
            self._delivery.admit(vector, self._param_seen(op))

    def _param_seen(self, setter: TileOp) -> int:
        """The cycle from which on the launch parameter that an operation sets is seen."""
        return self._issue_by_op[setter].t + self._chip.param_latency_cycles

    # A chain of matvecs.

    def _place_chain(self, chain: Chain) -> None:
        """Matvec by matvec, each time one whose vector passes, else one whose vector can be brought, in any order."""
        x = self._chip.slice_by_name[chain.slice].x
        arrivals = [self._delivery.first_arrival(self._delivery.live(link.x), x) for link in chain.links]
        writes = [self._issue_by_op[link.writer].t for link in chain.links if link.writer]
        start = max([0, min(arrivals), *(t + self._chip.mxm.write_row_cycles for t in writes)])
        t = start
        while (t := self._soonest(chain, chain.links, x, t)) < start + self._search_cycles:
            mark = self._timeline.mark()
            issues = self._try_chain(chain, x, t)
            if issues is not None:
                self._issues += issues
                for issue in issues:
                    self._delivery.use(_arrival(issue), x)
                return
            self._timeline.rollback(mark)
            t += 1
        raise self._no_place(chain, start)

    def _soonest(self, chain: Chain, links: Sequence[Link], x: int, t: int) -> int:
        """The first cycle from t on in which a bank of one of the links is free."""
        return min(self._timeline.next_access(self._bank(chain, link, x), t) for link in links)

    def _bank(self, chain: Chain, link: Link, x: int) -> Bank:
        assert link.tile.object is not None
        num_banks = self._chip.mxm.num_sram_banks if chain.sram else self._chip.mxm.num_reram_banks
        return x, chain.sram, (link.tile.object.base + int(link.tile.address["base"])) % num_banks

    def _try_chain(self, chain: Chain, x: int, start: int) -> list[Issue] | None:
        """The whole chain with its first matvec in cycle `start` exactly, or None."""
        queue = self._queue_by_slice[chain.slice]
        left = list(chain.links)
        issues: list[Issue] = []
        t = end = start
        while left:
            issue = self._next_matvec(chain, left, queue, x, t, last=len(left) == 1)
            if issue is not None:
                issue.previous = issues[-1] if issues else None
                issues.append(issue)
                end = t
            elif not issues or t - start > self._search_cycles:
                return None
            t = self._soonest(chain, left or chain.links, x, t + 1)
        acc = self._timeline.accumulator(chain.slice, start, end)
        if acc is None:
            return None
        for issue in issues:
            issue.settings["acc"] = acc
        return issues

    def _next_matvec(self, chain: Chain, left: list[Link], queue: int, x: int, t: int, *, last: bool) -> Issue | None:
        """One of the matvecs that are left in cycle t; takes it off `left`."""
        if not self._timeline.free(queue, t):
            return None
        ready = [link for link in left if self._timeline.next_access(self._bank(chain, link, x), t) == t]
        for way in (self._delivery.passing, self._delivery.deliver):
            for link in ready:
                mark = self._timeline.mark()
                arrival = way(self._delivery.live(link.x), x, t)
                if arrival is not None and self._matvec_fits(chain, link, queue, x, t):
                    issue = Issue(queue, t, chain.mnemonic, chain.operation, [arrival], [0], address=link.tile)
                    issue.settings = {"first": int(len(left) == len(chain.links)), "emit": int(last),
                                      "unsigned": int(chain.unsigned)}  # fmt: skip
                    if chain.mnemonic == "mxm.matvec":
                        issue.settings["sram"] = int(chain.sram)
                    issue.writer = self._issue_by_op[link.writer] if link.writer else None
                    if not last or self._delivery.produce(issue, chain.result, x, t + self._latency[chain.mnemonic]):
                        left.remove(link)
                        return issue
                self._timeline.rollback(mark)
        return None

    def _matvec_fits(self, chain: Chain, link: Link, queue: int, x: int, t: int) -> bool:
        busy = 1 if chain.sram else self._chip.mxm.sense_cycles
        return self._timeline.take(queue, t) and self._timeline.take_bank(self._bank(chain, link, x), t, busy)

    def _no_place(self, op: Operation, earliest: int) -> ScheduleError:
        return ScheduleError(f"chip {self._chip.name}: segment {self._segment.name}: no place for {op.mnemonic} of "
                             f"{op.operation} in {self._search_cycles} cycles from {earliest}")  # fmt: skip


def _space(op: TileOp) -> Space | None:
    return op.address.object.space if op.address is not None and op.address.object is not None else None


def _arrival(issue: Issue) -> Arrival:
    (arrival,) = issue.operands
    assert isinstance(arrival, Arrival)
    return arrival


def _alu_orders(chip: Chip) -> dict[Unit, list[int]]:
    """Queue numbers of the ALUs that can execute each kind of instruction, those that can do least first."""
    first = min(queue.number for queue in chip.queues if queue.slice.kind is SliceKind.VXM)
    count, special, reduce = chip.vxm.num_alus, chip.vxm.num_special, chip.vxm.num_reduce
    specials, reducers = list(range(special)), list(range(count - reduce, count))
    plain = [alu for alu in range(count) if alu not in specials and alu not in reducers]
    orders = {Unit.ANY: [*plain, *reducers, *specials], Unit.SPECIAL: specials, Unit.REDUCE: reducers}
    return {unit: [first + alu for alu in dict.fromkeys(order)] for unit, order in orders.items()}
