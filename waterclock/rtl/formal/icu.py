"""What is proven of the instruction queues: the cycle of every issue, for all lengths of nop, repeat and loop at once.

A queue's shape (which entries, how nested) is given; all its counts, distances and periods are free in their full
width, and its other fields too. The model below says from the contract when each issue is due: it walks the shape as a
tree and only adds. It knows nothing of windows, heads or where in an entry the sequencer is; `Coupling` states how the
two belong together, is itself proven on the way, and makes the proof reach all cycles.

The harness shows the sequencer the entries themselves. Loading, decoding and the pipeline behind it are not part of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from amaranth.asserts import AnyConst
from amaranth.hdl import Array, Assert, Assume, Cat, Const, Fragment, Module, Mux, Signal, Value, signed

from waterclock.isa.layout import OPCODE_BITS, layout
from waterclock.isa.table import CONTROL, OPCODES
from waterclock.rtl.entry import CONTROL_BITS, any_of
from waterclock.rtl.formal.proof import Design, Method, Proof
from waterclock.rtl.formal.words import implies
from waterclock.rtl.icu import COUNT_BITS, MAX_LOOPS, WINDOW, Sequencer
from waterclock.rtl.pipeline import wire

TIME_BITS = 30
LONG_AGO = (1 << COUNT_BITS) - 1
"""More cycles than any period has."""


@dataclass(frozen=True)
class Issue:
    """An instruction, followed by a repeat or not."""

    repeated: bool = False


@dataclass(frozen=True)
class Nop:
    """A nop."""


@dataclass(frozen=True)
class Loop:
    """A loop over a body that issues something."""

    body: "tuple[Item, ...]"


Item = Issue | Nop | Loop
Path = tuple[int, ...]
"""Where an item is: its number in each body from the outside in."""

SHAPES: Final[Mapping[str, tuple[Item, ...]]] = {
    "straight": (Issue(), Nop(), Issue(True), Nop(), Nop(), Issue()),
    "in_turn": (Loop((Issue(), Nop())), Nop(), Loop((Nop(), Issue(True))), Issue()),
    "nested": (Issue(), Loop((Issue(True), Loop((Nop(), Loop((Issue(), Nop())), Issue())))), Issue()),
    "heads_meet": (Loop((Loop((Loop((Issue(), Nop())), Issue())), Nop())), Issue()),
    "ends_meet": (Nop(), Loop((Issue(), Loop((Issue(), Loop((Issue(True),)))))), Issue()),
}
"""Queues that between them have every entry after every other, three nested loops, common heads and common ends."""


@dataclass
class Entries:
    """The entries of a shape in queue order, with their free lengths."""

    m: Module
    words: list[Value] = field(default_factory=list[Value])
    num_heads: list[int] = field(default_factory=list[int])
    index: dict[Path, int] = field(default_factory=dict[Path, int])
    num_entries: dict[Path, int] = field(default_factory=dict[Path, int])
    lengths: dict[Path, dict[str, Value]] = field(default_factory=dict[Path, dict[str, Value]])

    @staticmethod
    def of(m: Module, shape: tuple[Item, ...]) -> "Entries":
        entries = Entries(m)
        entries._control("icu.start", {})
        entries._all(shape, ())
        return entries

    def _all(self, items: tuple[Item, ...], outer: Path) -> None:
        for number, item in enumerate(items):
            path = (*outer, number)
            if isinstance(item, Loop):
                self._loop(item, path)
            elif isinstance(item, Nop):
                self.index[path] = len(self.words)
                self.lengths[path] = self._control("icu.nop", {})
            else:
                self._issue(item, path)

    def _issue(self, item: Issue, path: Path) -> None:
        self.index[path] = len(self.words)
        word = wire(self.m, f"entry_{len(self.words)}", AnyConst(CONTROL_BITS))
        for mnemonic in sorted(CONTROL):
            self.m.d.comb += Assume(word[:OPCODE_BITS] != OPCODES[mnemonic])
        self._append(word)
        if item.repeated:
            self.lengths[path] = self._control("icu.repeat", {})

    def _loop(self, item: Loop, path: Path) -> None:
        first = len(self.words)
        self._all(item.body, path)
        self.num_heads[first] += 1
        self.index[path], self.num_entries[path] = len(self.words), len(self.words) - first
        self.lengths[path] = self._control("icu.loop", {"body": len(self.words) - first})

    def _control(self, mnemonic: str, fixed: dict[str, int]) -> dict[str, Value]:
        """A control entry with its fixed fields, the others free within their limits."""
        values: dict[str, Value] = {}
        parts: list[Value] = [Const(OPCODES[mnemonic], OPCODE_BITS)]
        for one in layout(mnemonic):
            name = f"entry_{len(self.words)}_{one.path}"
            value = Const(fixed[one.path], one.bits) if one.path in fixed else AnyConst(one.bits)
            values[one.path] = wire(self.m, name, value)
            self.m.d.comb += Assume(values[one.path] >= one.low)
            parts.append(values[one.path])
        self._append(wire(self.m, f"entry_{len(self.words)}", Cat(*parts)))
        return values

    def _append(self, word: Value) -> None:
        self.words.append(word)
        self.num_heads.append(0)


Values = dict[Path, Value]
"""A value of each loop that is meant, by its path."""


@dataclass(frozen=True)
class Due:
    """What comes next: a state of the model, in how many cycles, at which entry, and the loops it is then in."""

    state: Value
    wait: Value
    entry: Value
    begins: Values
    counts: Values


def _either(condition: Value, yes: Due, no: Due) -> Due:
    """One or the other; where a loop is known to one of them only, it says what is."""

    def merged(ones: Values, others: Values) -> Values:
        both = {**others, **ones}
        return {path: Mux(condition, ones.get(path, value), others.get(path, value)) for path, value in both.items()}

    return Due(
        Mux(condition, yes.state, no.state), Mux(condition, yes.wait, no.wait), Mux(condition, yes.entry, no.entry),
        merged(yes.begins, no.begins), merged(yes.counts, no.counts),
    )  # fmt: skip


class Model:
    """What is due next and in how many cycles, by the contract alone: registers that move on whenever it has come.

    All times are relative to the cycle at hand: `wait` until what is due, `begins` of the loops, in the past or not.
    """

    def __init__(self, shape: tuple[Item, ...], entries: Entries) -> None:
        self.shape, self.entries = shape, entries
        self.paths = self._paths(shape, ())
        self.codes = {path: code for code, path in enumerate(p for p in self.paths if isinstance(self.item(p), Issue))}
        self.loops = [path for path in self.paths if isinstance(self.item(path), Loop)]
        self.done, self.broken = len(self.codes), len(self.codes) + 1
        self.state, self.entry = Signal(8), Signal(8)
        self.wait, self.repeats = Signal(signed(TIME_BITS)), Signal(TIME_BITS)
        self.begins = {path: Signal(signed(TIME_BITS), name=_named("begins", path)) for path in self.loops}
        self.counts = {path: Signal(TIME_BITS, name=_named("count", path)) for path in self.loops}

    def _paths(self, items: tuple[Item, ...], outer: Path) -> list[Path]:
        paths: list[Path] = []
        for number, item in enumerate(items):
            path = (*outer, number)
            paths += [path, *(self._paths(item.body, path) if isinstance(item, Loop) else [])]
        return paths

    def items(self, outer: Path) -> tuple[Item, ...]:
        items = self.shape
        for number in outer:
            loop = items[number]
            items = loop.body if isinstance(loop, Loop) else ()
        return items

    def item(self, path: Path) -> Item:
        return self.items(path[:-1])[path[-1]]

    def arrive(self, path: Path, cursor: Value, begins: Values, counts: Values) -> Due:
        """What is due when the queue comes to the item at `path`, or to the end of the body that it would be in."""
        outer = path[:-1]
        if path[-1] == len(self.items(outer)):
            return self.end(outer, cursor, begins, counts) if outer else self._due(self.done, cursor, 0, {}, {})
        item = self.item(path)
        if isinstance(item, Nop):
            return self.arrive(_after(path), cursor + self.entries.lengths[path]["n"], begins, counts)
        if isinstance(item, Loop):
            return self.arrive((*path, 0), cursor, {**begins, path: cursor}, {**counts, path: Const(0, 1)})
        return self._due(self.codes[path], cursor, self.entries.index[path], begins, counts)

    def end(self, loop: Path, cursor: Value, begins: Values, counts: Values) -> Due:
        """At a loop's end: once more from its start, one period after the last; or on; refused if it came too late."""
        lengths = self.entries.lengths[loop]
        end, count = begins[loop] + lengths["distance"], (counts[loop] + 1)[:TIME_BITS]
        again = self.arrive((*loop, 0), end, {**begins, loop: end}, {**counts, loop: count})
        on = self.arrive(_after(loop), end, _without(begins, loop), _without(counts, loop))
        late = self._due(self.broken, cursor, self.entries.index[loop], {}, {})
        return _either(cursor > end, late, _either(count == lengths["n"], on, again))

    def _due(self, state: int, wait: Value, entry: int, begins: Values, counts: Values) -> Due:
        return Due(Const(state, 8), wait, Const(entry, 8), begins, counts)

    def begin(self) -> Due:
        return self.arrive((0,), Const(0, 1), {}, {})

    def become(self, due: Due) -> list[Value]:
        """The registers of the next cycle; `due` is relative to it."""
        registers = [(self.state, due.state), (self.wait, due.wait), (self.entry, due.entry)]
        registers += [(self.begins[path], value) for path, value in due.begins.items()]
        registers += [(self.counts[path], value) for path, value in due.counts.items()]
        return [register.eq(value) for register, value in registers]

    def grow_older(self, m: Module) -> None:
        """A cycle in which nothing comes."""
        m.d.sync += self.wait.eq(self.wait - 1)
        m.d.sync += [begins.eq(_earlier(begins)) for begins in self.begins.values()]

    def move_on(self, m: Module, path: Path) -> None:
        """The issue at `path` comes in this cycle."""
        lengths = self.entries.lengths.get(path)
        around = _around(path)
        begins = {loop: _earlier(self.begins[loop]) for loop in around}
        after = self.arrive(_after(path), Const(0, 1), begins, {loop: self.counts[loop] for loop in around})
        if lengths is None:
            m.d.sync += self.become(after)
            return
        with m.If(self.repeats != lengths["n"]):
            m.d.sync += [self.repeats.eq(self.repeats + 1), self.wait.eq(lengths["distance"] - 1)]
        with m.Else():
            m.d.sync += [self.repeats.eq(0), *self.become(after)]

    def iterations(self, path: Path) -> list[Value]:
        """Of an issue: the repeat, then the loops around it, innermost first, then zeros."""
        around = [self.counts[loop] for loop in _around(path)]
        return [self.repeats, *around, *[Const(0, 1)] * (MAX_LOOPS - len(around))]


def _earlier(begins: Value) -> Value:
    """A begin as it is seen one cycle later; one that is longer ago than any period is as good as any other such."""
    return Mux(begins <= -LONG_AGO, -LONG_AGO, begins - 1)


def _around(path: Path) -> list[Path]:
    """The loops around an item, innermost first."""
    return [path[:depth] for depth in range(len(path) - 1, 0, -1)]


def _after(path: Path) -> Path:
    return (*path[:-1], path[-1] + 1)


def _without(values: Values, path: Path) -> Values:
    return {key: value for key, value in values.items() if key != path}


def _named(what: str, path: Path) -> str:
    return "_".join((what, *map(str, path)))


class Coupling:
    """What the registers of the sequencer say is due next, which is what the model says: the induction's invariant."""

    def __init__(self, m: Module, sequencer: Sequencer, model: Model, when: Value) -> None:
        self.m, self.sequencer, self.model, self.when = m, sequencer, model, when
        self.at_hand = when & sequencer.running & ~sequencer.waiting

    def hold(self) -> None:
        m, sequencer, model = self.m, self.sequencer, self.model
        length = len(model.entries.words)
        places: list[Value] = []
        for path in model.paths:
            places += [self._loop(path) if isinstance(model.item(path), Loop) else self._item(path)]
        at_end = self.at_hand & (sequencer.index == length) & (model.state == model.done)
        stopped = self.when & ~sequencer.running & (model.state == model.done)
        m.d.comb += Assert(Mux(self.when, any_of([*places, at_end, stopped]), model.repeats == 0))

    def _levels(self, around: list[Path]) -> Value:
        """The sequencer is in these loops, innermost first, and no others; all are in one of their iterations."""
        right: Value = Const(1, 1)
        entries = self.model.entries
        for number, level in enumerate(self.sequencer.inside):
            if number >= len(around):
                right = right & ~level.live & (level.iteration == 0)
                continue
            loop = around[number]
            lengths = entries.lengths[loop]
            head = entries.index[loop] - entries.num_entries[loop]
            right = right & level.live & (level.head == head) & (level.iteration < lengths["n"])
        return right

    def _said(self, around: list[Path]) -> tuple[Values, Values]:
        levels = self.sequencer.inside
        begins = {loop: -level.elapsed for loop, level in zip(around, levels, strict=False)}
        return begins, {loop: level.iteration for loop, level in zip(around, levels, strict=False)}

    def _agrees(self, due: Due) -> Value:
        model = self.model
        same = (model.state == due.state) & (model.wait == due.wait) & (model.entry == due.entry)
        for values, registers in ((due.begins, model.begins), (due.counts, model.counts)):
            for loop, value in values.items():
                inside = any_of(model.state == code for path, code in model.codes.items() if loop in _around(path))
                same = same & implies(inside, registers[loop] == value)
        return same

    def _item(self, path: Path) -> Value:
        """At an instruction or a nop: how much of it is over is in `count` and `repeats`."""
        sequencer, model = self.sequencer, self.model
        index, lengths = model.entries.index[path], model.entries.lengths.get(path)
        begins, counts = self._said(_around(path))
        here = self.at_hand & (sequencer.index == index) & self._levels(_around(path))
        if isinstance(model.item(path), Nop):
            n = lengths["n"] if lengths else Const(0, 1)
            due = model.arrive(_after(path), n - sequencer.count, begins, counts)
            return here & (sequencer.count < n) & (sequencer.repeats == 0) & (model.repeats == 0) & self._agrees(due)
        due = Due(Const(model.codes[path], 8), Const(0, 1), Const(index, 8), begins, counts)
        struck = (sequencer.count == 0) & (model.repeats == sequencer.repeats) & self._agrees(due)
        if lengths is None:
            return here & struck & (sequencer.repeats == 0)
        due = replace(due, wait=lengths["distance"] - sequencer.count)
        between = (sequencer.count != 0) & (sequencer.count < lengths["distance"]) & self._agrees(due)
        between = between & (sequencer.repeats < lengths["n"]) & (model.repeats == sequencer.repeats + 1)
        return here & ((struck & (sequencer.repeats <= lengths["n"])) | between)

    def _loop(self, path: Path) -> Value:
        """Waiting at a loop's end for the period to be over, or having come to it too late."""
        sequencer, model = self.sequencer, self.model
        index = model.entries.index[path]
        around = [path, *_around(path)]
        begins, counts = self._said(around)
        waits = self.when & sequencer.running & sequencer.waiting & (sequencer.index == index - 1)
        top = sequencer.inside[0]
        in_time = top.elapsed < model.entries.lengths[path]["distance"]
        waits = waits & self._levels(around) & in_time & (model.repeats == 0)
        waits = waits & self._agrees(model.end(path, Const(0, 1), begins, counts))
        is_late = (model.state == model.broken) & (model.wait == 0) & (model.entry == index)
        return waits | (self.at_hand & (sequencer.index == index) & is_late)


def _harness(shape: tuple[Item, ...]) -> Callable[[Design], Module]:
    def harness(design: Design) -> Module:
        m = Module()
        entries = Entries.of(m, shape)
        sequencer = design()
        m.submodules.sequencer = Fragment.get(sequencer, None)
        _feed(m, sequencer, entries)
        model, launched = Model(shape, entries), Signal()
        m.d.comb += sequencer.launch.eq(~launched)
        m.d.sync += launched.eq(1)
        model.grow_older(m)
        with m.If(~launched):
            m.d.sync += model.become(model.begin())
        _check(m, sequencer, model, launched)
        Coupling(m, sequencer, model, launched).hold()
        return m

    return harness


def _feed(m: Module, sequencer: Sequencer, entries: Entries) -> None:
    """Show the sequencer the entries at its index, all legal on their own, and how many loops begin there."""
    words = Array([*entries.words, *[Const(0, CONTROL_BITS)] * WINDOW])
    heads = Array([Const(number, 2) for number in [*entries.num_heads, 0]])
    m.d.comb += [sequencer.window[place].eq(words[sequencer.index + place]) for place in range(WINDOW)]
    m.d.comb += [sequencer.heads.eq(heads[sequencer.index]), sequencer.length.eq(len(entries.words))]
    m.d.comb += sequencer.starts.eq(1)


def _check(m: Module, sequencer: Sequencer, model: Model, launched: Value) -> None:
    """An issue where one is due and nowhere else, with its entry and iterations; a cause where a body is too long."""
    is_due = wire(m, "is_due", launched & (model.wait == 0))
    issues = is_due & (model.state < model.done)
    breaks = is_due & (model.state == model.broken)
    m.d.comb += [Assert(sequencer.valid == issues), Assert((sequencer.cause != 0) == breaks)]
    m.d.comb += Assert(implies(issues | breaks, sequencer.index == model.entry))
    with m.If(breaks):
        m.d.sync += model.state.eq(model.done)
    for path, code in model.codes.items():
        with m.If(issues & (model.state == code)):
            expected: Sequence[Value] = model.iterations(path)
            m.d.comb += [Assert(sequencer.iteration[level] == value) for level, value in enumerate(expected)]
            model.move_on(m, path)


PROOFS: Final = tuple(
    Proof(f"icu.{name}", "every issue in its cycle with its iterations, and a cause where a body outlasts its period",
          Sequencer, _harness(shape), Method.INDUCTION, is_long=True)
    for name, shape in SHAPES.items()
)  # fmt: skip
