"""An instruction queue: entries come in over the load bus, and out as issues, each in exactly its cycle.

Repeats and loop ends take no cycle of their own, so the sequencer looks at a window of entries in every cycle: the one
at hand, the repeat that may follow it, and as many loop ends as can meet. Loops are written behind their bodies; the
loader therefore notes at each entry how many loops begin there, and the sequencer keeps a level, innermost first, for
each loop that it is in. The front runs `LEAD_CYCLES` ahead of the issues, which hides decoding and address arithmetic.
"""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from waterclock.chip import Chip, SliceKind
from waterclock.isa.causes import Cause
from waterclock.isa.layout import accepted, field_by_path, word_bits
from waterclock.isa.record import NUM_LEVELS
from waterclock.isa.table import CONTROL
from waterclock.rtl.address import ADDRESS_CYCLES, is_outside, resolve
from waterclock.rtl.clock import place_while_active
from waterclock.rtl.entry import CONTROL_BITS, any_of, decode, fields_of, is_opcode, issue_layout
from waterclock.rtl.legality import CAUSE_BITS, cause_of
from waterclock.rtl.load import WORD_BITS, LoadBus
from waterclock.rtl.params import params_layout
from waterclock.rtl.pipeline import Values, delay, registered, wire
from waterclock.rtl.ram import LookUpRam

SET_PARAM = "icu.set_param"
MAX_LOOPS = NUM_LEVELS - 1
LEAD_CYCLES = 2 + ADDRESS_CYCLES
"""Cycles from the sequencer's decision to the issue: one to read the entry, one to decode it, then the addresses."""
WINDOW = 2 + MAX_LOOPS
"""The entry at hand, a repeat, and the loop ends that can follow."""
COUNT_BITS = max(field_by_path("icu.loop")[path].bits for path in ("n", "distance")) + 1
INDEX_BITS = field_by_path("icu.loop")["body"].bits + 1


def trace_layout() -> data.StructLayout:
    """What a queue shows of an issue: entry and iterations; `cause` is not 0 where it is illegal."""
    iteration = data.ArrayLayout(COUNT_BITS, NUM_LEVELS)
    return data.StructLayout({"valid": 1, "entry": INDEX_BITS, "iteration": iteration, "cause": CAUSE_BITS})


LEVEL = data.StructLayout({"live": 1, "head": INDEX_BITS, "elapsed": COUNT_BITS, "iteration": COUNT_BITS})


@dataclass(frozen=True)
class Level:
    """A loop that the sequencer is in: where its body begins, cycles since this iteration began, and which it is."""

    live: Value
    head: Value
    elapsed: Value
    iteration: Value

    @staticmethod
    def none() -> "Level":
        return Level(Const(0, 1), Const(0, INDEX_BITS), Const(0, COUNT_BITS), Const(0, COUNT_BITS))

    def wired(self, m: Module, name: str) -> "Level":
        """The same level, built once however often it is used."""
        return Level(*(wire(m, f"{name}_{part}", getattr(self, part)) for part in LEVEL.members))

    def assign(self, target: data.View) -> list[Value]:
        """Statements that keep this level in a register."""
        return [target[name].eq(getattr(self, name)) for name in LEVEL.members]


def _counted(cycles: Value) -> Value:
    """One cycle more, up to a number that no period reaches: a body that is too long stays too long."""
    return Mux(cycles.all(), cycles, cycles + 1)[:COUNT_BITS]


def chosen(condition: Value, yes: Level, no: Level) -> Level:
    """One level or the other."""
    return Level(*(Mux(condition, getattr(yes, name), getattr(no, name)) for name in LEVEL.members))


class Store(wiring.Component):
    """The entries of a queue, and what is noted about each when it is loaded: its cause if it is illegal, its heads.

    Entries must be loaded in order, each from its lowest 32 bits on.
    """

    def __init__(self, chip: Chip, kind: SliceKind, executed: tuple[str, ...]) -> None:
        self.chip, self.word_bits, self.executed = chip, word_bits(kind), executed
        self.accepted = tuple(row.mnemonic for row in accepted(kind))
        super().__init__({
            "load": In(LoadBus()),
            "index": In(INDEX_BITS),
            "window": Out(data.ArrayLayout(CONTROL_BITS, WINDOW)),
            "word": Out(self.word_bits),
            "cause": Out(data.ArrayLayout(CAUSE_BITS, WINDOW)),
            "heads": Out(2),
            "length": Out(INDEX_BITS),
            "starts": Out(1),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        staged = Signal(self.word_bits)
        entry = wire(m, "entry", Cat(staged[WORD_BITS:], self.load.data))
        last = wire(m, "last", self.load.valid & (self.load.column == self.word_bits // WORD_BITS - 1))
        executed = {*CONTROL, *self.executed}
        cause = wire(m, "entry_cause", cause_of(m, entry, self.chip, self.accepted, executed))
        with m.If(self.load.valid):
            m.d.sync += staged.eq(entry)
        with m.If(last):
            m.d.sync += self.length.eq(self.load.row + 1)
            with m.If(self.load.row == 0):
                m.d.sync += self.starts.eq(is_opcode(entry, "icu.start") & (cause == 0))
        seen = self._ram(m, platform, "control", Cat(entry[:CONTROL_BITS], cause), WINDOW, last)
        for place in range(WINDOW):
            m.d.comb += seen.look_up[place].eq(self.index + place)
            m.d.comb += Cat(self.window[place], self.cause[place]).eq(seen.found[place])
        words = self._ram(m, platform, "words", entry, 1, last)
        m.d.comb += [words.look_up[0].eq(self.index), self.word.eq(words.found[0])]
        self._note_heads(m, platform, last, entry)
        return m

    def _ram(self, m: Module, platform: object, name: str, value: Value, num_ports: int, enable: Value) -> LookUpRam:
        """A memory with a row for each entry, written as entries are loaded."""
        ram = LookUpRam(len(value), self.chip.max_queue_entries, num_ports)
        m.submodules[name] = ram
        m.d.comb += [ram.address.eq(self.load.row), ram.data.eq(value), ram.enable.eq(enable)]
        return ram

    def _note_heads(self, m: Module, platform: object, last: Value, entry: Value) -> None:
        """An entry begins no loop until a loop behind it says so."""
        m.submodules.heads = ram = LookUpRam(2, self.chip.max_queue_entries, 2)
        head = self.load.row - fields_of(entry, "icu.loop")["body"]
        first = self.load.valid & (self.load.column == 0)
        m.d.comb += [
            ram.look_up[0].eq(head), ram.look_up[1].eq(self.index), self.heads.eq(ram.found[1]),
            ram.address.eq(Mux(first, self.load.row, head)),
            ram.data.eq(Mux(first, 0, ram.found[0] + 1)),
            ram.enable.eq(first | (last & is_opcode(entry, "icu.loop"))),
        ]  # fmt: skip


class Icu(wiring.Component):
    """One queue of a slice of `kind`. Issues have the fields of `mnemonics`, some of which its unit executes.

    `setting` is `icu.set_param`, which is no instruction of the slice.
    """

    def __init__(self, chip: Chip, kind: SliceKind, mnemonics: tuple[str, ...], executed: tuple[str, ...]) -> None:
        self.chip, self.kind, self.mnemonics, self.executed = chip, kind, mnemonics, executed
        super().__init__({
            "load": In(LoadBus()),
            "launch": In(1),
            "params": In(params_layout(chip)),
            "issue": Out(issue_layout(self.mnemonics)),
            "setting": Out(issue_layout((SET_PARAM,))),
            "trace": Out(trace_layout()),
            "running": Out(1),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.store = store = Store(self.chip, self.kind, (SET_PARAM, *self.executed))
        m.submodules.sequencer = sequencer = Sequencer()
        wiring.connect(m, wiring.flipped(self.load), store.load)
        m.d.comb += [
            store.index.eq(sequencer.index), sequencer.window.eq(store.window), sequencer.causes.eq(store.cause),
            sequencer.heads.eq(store.heads), sequencer.length.eq(store.length), sequencer.starts.eq(store.starts),
            sequencer.launch.eq(self.launch), self.running.eq(sequencer.running),
        ]  # fmt: skip
        front = {"valid": sequencer.valid, "cause": sequencer.cause, "entry": sequencer.index}
        front |= {f"iteration.{level}": sequencer.iteration[level] for level in range(NUM_LEVELS)}
        lead = self._lead({**front, "word": store.word})
        place_while_active(m, platform, "lead", lead, sequencer.valid | sequencer.cause.any(), LEAD_CYCLES)
        return m

    def _lead(self, front: Values) -> Module:
        """The way of an entry from the sequencer's decision to its issue."""
        m = Module()
        read = registered(m, "read", front)
        iterations = {name: value for name, value in read.items() if name != "word"}
        decoded = registered(m, "decoded", decode(m, read["word"], (SET_PARAM, *self.mnemonics)))
        steered = registered(m, "steered", iterations)
        iteration = [steered[f"iteration.{level}"] for level in range(NUM_LEVELS)]
        params = [self.params[index] for index in range(self.chip.num_params)]
        values = resolve(m, decoded, iteration, params)
        late = delay(m, "late", {**decoded, **steered}, ADDRESS_CYCLES - 1)
        self._drive(m, registered(m, "issue", {**late, **values}))
        return m

    def _drive(self, m: Module, values: Values) -> None:
        for port, mnemonics in ((self.issue, self.mnemonics), (self.setting, (SET_PARAM,))):
            m.d.comb += [port[path].eq(values[path]) for path in issue_layout(mnemonics).members]
        sets = is_opcode(values["opcode"], SET_PARAM)
        m.d.comb += [self.issue.valid.eq(values["valid"] & ~sets), self.setting.valid.eq(values["valid"] & sets)]
        outside = values["valid"] & is_outside(self.chip, self.mnemonics, values)
        m.d.comb += [self.trace[name].eq(values[name]) for name in ("valid", "entry")]
        m.d.comb += self.trace.cause.eq(Mux(outside, Cause.ADDRESS, values["cause"]))
        m.d.comb += [self.trace.iteration[level].eq(values[f"iteration.{level}"]) for level in range(NUM_LEVELS)]


SEQUENCER = wiring.Signature({
    "launch": In(1),
    "index": Out(INDEX_BITS),
    "window": In(data.ArrayLayout(CONTROL_BITS, WINDOW)),
    "causes": In(data.ArrayLayout(CAUSE_BITS, WINDOW)),
    "heads": In(2),
    "length": In(INDEX_BITS),
    "starts": In(1),
    "valid": Out(1),
    "cause": Out(CAUSE_BITS),
    "iteration": Out(data.ArrayLayout(COUNT_BITS, NUM_LEVELS)),
    "running": Out(1),
})  # fmt: skip


class Sequencer(wiring.Component):
    """Decides in every cycle which entry is at hand, whether it issues, with which iterations, and where to go next.

    A launch begins anew, whatever went on: what is left of the launch before can only be waiting. `starts` says that
    entry 0 is a legal start.
    """

    def __init__(self) -> None:
        super().__init__(SEQUENCER)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fresh, waiting, count, repeats = Signal(), Signal(), Signal(COUNT_BITS), Signal(COUNT_BITS)
        self.fresh, self.waiting, self.count, self.repeats = fresh, waiting, count, repeats
        kept = [Signal(LEVEL, name=f"level_{number}") for number in range(MAX_LOOPS)]
        levels, crowded = self._entered(m, [Level(*(one[name] for name in LEVEL.members)) for one in kept])
        self.inside = levels
        at_hand = self.running & ~waiting & (self.index < self.length)
        is_nop, is_issue = self._is(0, "icu.nop"), self._is_issue()
        repeat = fields_of(self.window[1], "icu.repeat")
        is_repeated = is_issue & self._is(1, "icu.repeat")
        strike = count == 0
        nop_ends = count + 1 == fields_of(self.window[0], "icu.nop")["n"]
        ends = Mux(is_nop, nop_ends, ~is_repeated | (strike & (repeats == repeat.n)))
        misplaced = crowded | (self.index == 0)
        finished = waiting | ends
        m.d.comb += self.valid.eq(at_hand & is_issue & strike & ~misplaced)
        with m.If(at_hand & (misplaced | ~(is_nop | is_issue))):
            m.d.comb += self.cause.eq(Mux(self.causes[0] != 0, self.causes[0], Cause.SEQUENCE))
        m.d.comb += self.iteration[0].eq(repeats)
        m.d.comb += [self.iteration[1 + number].eq(level.iteration) for number, level in enumerate(levels)]
        with m.If(self.launch & (self.length != 0)):
            m.d.sync += [self.running.eq(1), fresh.eq(1), waiting.eq(0), count.eq(0), repeats.eq(0)]
            m.d.sync += [statement for target in kept for statement in Level.none().assign(target)]
            m.d.sync += self.index.eq(self.starts)
        with m.Elif(self.running):
            older = [Level(one.live, one.head, _counted(one.elapsed), one.iteration) for one in levels]
            older = [level.wired(m, f"older_{number}") for number, level in enumerate(older)]
            m.d.sync += [statement for one, target in zip(older, kept, strict=True) for statement in one.assign(target)]
            wraps = is_repeated & (count + 1 == repeat.distance)
            m.d.sync += [fresh.eq(0), count.eq(Mux(wraps, 0, count + 1)), repeats.eq(repeats + wraps)]
            with m.If(finished):
                m.d.sync += [count.eq(0), repeats.eq(0)]
                self._leave(m, older, kept, is_repeated & ~waiting)
            with m.If((self.cause != 0) | (~waiting & (self.index >= self.length))):
                m.d.sync += self.running.eq(0)
        return m

    def _is(self, place: int, mnemonic: str) -> Value:
        """Whether the window shows a legal entry of this mnemonic here."""
        return is_opcode(self.window[place], mnemonic) & (self.causes[place] == 0) & self._in_queue(place)

    def _in_queue(self, place: int) -> Value:
        return self.index + place < self.length

    def _is_issue(self) -> Value:
        control = any_of(is_opcode(self.window[0], mnemonic) for mnemonic in sorted(CONTROL))
        return ~control & (self.causes[0] == 0)

    def _entered(self, m: Module, levels: list[Level]) -> tuple[list[Level], Value]:
        """The levels with those added whose loops begin at the entry at hand; whether they are too many.

        After a jump back to a head the loops around the one that jumped are still there and are not entered again.
        """
        known = sum((level.live & (level.head == self.index) for level in levels), start=0)
        num_new = wire(m, "num_new", Mux(self.fresh, self.heads - known, 0))
        new = Level(Const(1, 1), self.index, Const(0, COUNT_BITS), Const(0, COUNT_BITS))
        crowded = Const(0, 1)
        for number in range(MAX_LOOPS):
            enters = num_new > number
            crowded = crowded | (enters & levels[-1].live)
            levels = [chosen(enters, after, before) for before, after in zip(levels, [new, *levels[:-1]], strict=True)]
        return [level.wired(m, f"inside_{number}") for number, level in enumerate(levels)], wire(m, "crowded", crowded)

    def _leave(self, m: Module, levels: list[Level], kept: list[data.View], skip: Value) -> None:
        """Go on from a finished entry, over the repeat behind it if `skip`, through the loop ends that follow."""
        window = [
            {
                "is_loop": Mux(skip, self._is(place + 1, "icu.loop"), self._is(place, "icu.loop")),
                "word": Mux(skip, self.window[place + 1], self.window[place]),
            }
            for place in range(1, 1 + MAX_LOOPS)
        ]
        first = Signal(INDEX_BITS, name="first")
        m.d.comb += first.eq(self.index + 1 + skip)
        self._walk(m, levels, kept, window, first, 0)

    def _walk(
        self,
        m: Module,
        levels: list[Level],
        kept: list[data.View],
        window: list[dict[str, Value]],
        first: Value,
        at: int,
    ) -> None:
        """Take the loop end `at` places behind `first`: jump back, wait for the period, or pass; else arrive there."""

        def go(index: Value, waits: int, now: list[Level]) -> None:
            m.d.sync += [self.index.eq(index), self.waiting.eq(waits), self.fresh.eq(1 - waits)]
            m.d.sync += [statement for one, target in zip(now, kept, strict=True) for statement in one.assign(target)]

        if at == MAX_LOOPS:
            go(first + at, 0, levels)
            return
        top, loop = levels[0], fields_of(window[at]["word"], "icu.loop")
        closes = top.live & (top.head + loop.body == first + at) & (top.elapsed <= loop.distance)
        with m.If(window[at]["is_loop"] & closes):
            with m.If(top.elapsed != loop.distance):
                go(first + at - 1, 1, levels)
            with m.Elif(top.iteration + 1 != loop.n):
                again = Level(top.live, top.head, Const(0, COUNT_BITS), top.iteration + 1)
                go(top.head, 0, [again, *levels[1:]])
            with m.Else():
                self._walk(m, [*levels[1:], Level.none()], kept, window, first, at + 1)
        with m.Else():
            go(first + at, 0, levels)
