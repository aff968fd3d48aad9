"""Bound: cycles that no schedule of a program can beat, from Graph and Chip alone.

Two limits, and the larger counts: the busiest resource (work spread perfectly over all units that can do it), and the
longest chain of minimum latencies and hops. Along the chain a value has two times: when its first element can be there
and when its last can. A reduction over the token waits for the last; a matrix product can't end before all MXMs have
worked off its tiles between the arrival of the first input and the departure of the last result. Where a launch takes
several tokens, all of them are work, and the last one's chain is as long as any; what follows the layers is done for it
alone.

Nothing here sees tile operations, schedules or instructions.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from waterclock.chip import Chip, SliceKind
from waterclock.compiler.context import Shape
from waterclock.compiler.layout import Layout
from waterclock.frontends.graph import Graph, Node
from waterclock.isa.table import INSTRUCTIONS, Unit


@dataclass(frozen=True)
class Times:
    """The earliest cycles at which the first and the last vector of a value can be at the VXM."""

    first: int
    last: int

    def later(self, cycles: int) -> "Times":
        return Times(self.first + cycles, self.last + cycles)


@dataclass(frozen=True)
class Bound:
    """The limits of a program in cycles. `busy_cycles` is by resource: work over the number of units."""

    chain_cycles: int
    busy_cycles: Mapping[str, int]

    @property
    def busiest(self) -> str:
        """The resource with the most work for each of its units."""
        return max(self.busy_cycles, key=lambda name: self.busy_cycles[name])

    @property
    def cycles(self) -> int:
        """No program is shorter."""
        return max(self.chain_cycles, self.busy_cycles[self.busiest])


def bound(graph: Graph, layouts: Mapping[str, Layout], chip: Chip, shape: Shape) -> Bound:
    """The bound of a launch of this shape, next token chosen on the chip."""
    state = _State(chip, layouts, shape.num_positions)
    last_in_layers = max(i for i, node in enumerate(graph.nodes) if node.layer is not None)
    for i, node in enumerate(graph.nodes):
        results = _RULES[node.op](state, node)
        state.times.update(zip(node.outputs, results, strict=True))
        if i == last_in_layers:
            state.work = Counter({unit: shape.num_tokens * count for unit, count in state.work.items()})
    end = state.argmax(state.times[graph.outputs[0]], state.count(graph.outputs[0]))
    return Bound(end, state.rounds(state.work))


@dataclass
class _State:
    """Times of the values so far, and the work of each kind of unit."""

    chip: Chip
    layouts: Mapping[str, Layout]
    context: int
    times: dict[str, Times] = field(default_factory=lambda: dict[str, Times]())
    work: Counter[str] = field(default_factory=lambda: Counter[str]())

    def latency(self, *names: str) -> int:
        """The latencies of VXM instructions one after another."""
        rows = (INSTRUCTIONS[f"vxm.{name}"].latency for name in names)
        return sum(latency(self.chip) for latency in rows if latency is not None)

    def count(self, name: str) -> int:
        return self.layouts[name].num_vectors

    def rounds(self, work: Counter[str]) -> dict[str, int]:
        """The cycles that work takes each kind of unit, spread perfectly."""
        vxm = self.chip.vxm
        units = {"alu": vxm.num_alus, "special": vxm.num_special, "reduce": vxm.num_reduce, "mxm": self.chip.num_mxm}
        return {name: -(-work[name] // count) for name, count in units.items()}

    @property
    def distances(self) -> list[int]:
        """Hops from the VXM to each MXM."""
        vxm = self.chip.slice_by_name["vxm"].x
        return [abs(s.x - vxm) for s in self.chip.slices_of(SliceKind.MXM)]

    @property
    def trip(self) -> int:
        """The shortest way of a vector through an MXM and back."""
        return 2 * min(self.distances) + self.chip.latency.matvec

    def issue(self, count: int, *names: str) -> None:
        """Count VXM instructions, each name `count` times."""
        for name in names:
            unit = INSTRUCTIONS[f"vxm.{name}"].unit
            self.work["alu"] += count
            if unit is not Unit.ANY:
                self.work[unit.value] += count

    def each(self, x: Times, count: int, *names: str) -> Times:
        """The same instructions on each of `count` vectors: a chain for each, all of them on the units there are."""
        self.issue(count, *names)
        special = count * sum(INSTRUCTIONS[f"vxm.{n}"].unit is Unit.SPECIAL for n in names)
        rounds = max(-(-count * len(names) // self.chip.vxm.num_alus), -(-special // self.chip.vxm.num_special))
        chain, final = self.latency(*names), self.latency(*names[-1:])
        return Times(x.first + chain, max(x.last + chain, x.first + rounds - 1 + final))

    def tree(self, x: Times, count: int, combine: str, reduce: str) -> int:
        """When the reduction of all elements can be there: every vector goes through each whole level of the tree."""
        self.issue(count - 1, combine)
        self.issue(1, reduce)
        return x.last + (count.bit_length() - 1) * self.latency(combine) + self.latency(reduce)

    def quantize(self, x: Times, count: int, convert: str = "to_int8") -> tuple[Times, int]:
        """Codes, and the time of the scale: the largest magnitude, its reciprocal, a product and a conversion."""
        self.issue(count, *(["abs"] if convert == "to_int8" else []))
        magnitudes = x.later(self.latency("abs") if convert == "to_int8" else 0)
        largest = self.tree(magnitudes, count, "max", "reduce_max")
        self.issue(1, "reciprocal", "mul", "mul")
        start = largest + self.latency("reciprocal", "mul")
        return self.each(Times(start, start), count, "mul", convert), largest + self.latency("mul")

    def product(self, x: Times, rows: int, columns: int) -> Times:
        """A matrix product of rows x columns tiles: an MXM at distance d works between first input + d and end - d."""
        fixed, tiles = self.chip.latency.matvec, rows * columns
        self.work["mxm"] += tiles
        self.work["bank"] += tiles * self.chip.mxm.sense_cycles
        longest = self.trip + tiles * self.chip.mxm.sense_cycles
        window = bisect_left(range(longest + 1), tiles, key=lambda w: self._done_in(w - fixed))
        first = max(x.last, x.first + columns - 1) + self.trip
        after_last_input = x.last + self.trip + -(-rows // self.chip.num_mxm) - 1
        return Times(first, max(first, x.first + window, after_last_input))

    def _done_in(self, cycles: int) -> int:
        """Tiles that all MXMs can work off in a window, their ways there and back included: one a cycle, and each bank
        one in `sense_cycles`."""
        mxm = self.chip.mxm
        open_cycles = [max(0, cycles - 2 * d + 1) for d in self.distances]
        return sum(min(n, mxm.num_reram_banks * -(-n // mxm.sense_cycles)) for n in open_cycles)

    def scaled(self, sums: Times, count: int, scale: int) -> Times:
        """int32 sums to fp32, times a constant, times a scale that is there from cycle `scale`."""
        values = self.each(sums, count, "to_fp32", "mul")
        waited = Times(max(values.first, scale), max(values.last, scale))
        return self.each(waited, count, "mul")

    def argmax(self, logits: Times, count: int) -> int:
        """The lowest index of the largest logit, as the next launch's parameter."""
        self.issue(count - 1, "max", "compare_lt", "select")
        largest = self.tree(logits, 1, "max", "reduce_max")
        self.issue(1, "compare_eq", "select", "reduce_max", "mul", "to_int32")
        last = self.latency("compare_eq", "select", "reduce_max", "mul", "to_int32")
        return largest + last + self.chip.param_latency_cycles + 1


_Rule = Callable[[_State, Node], list[Times]]


def _embedding(state: _State, node: Node) -> list[Times]:
    count = state.count(node.outputs[0])
    start = state.chip.latency.read_row + min(state.distances)
    return [state.each(Times(start, start), count, "widen8", "to_fp32", "mul")]


def _rms_scale(state: _State, node: Node) -> list[Times]:
    count = state.count(node.inputs[0])
    squares = state.each(state.times[node.inputs[0]], count, "mul")
    total = state.tree(squares, count, "add", "reduce_add")
    return [state.each(Times(total, total), 1, "mul", "add", "rsqrt")]


def _quantize(state: _State, node: Node) -> list[Times]:
    codes, scale = state.quantize(state.times[node.inputs[0]], state.count(node.inputs[0]))
    return [codes, Times(scale, scale)]


def _linear(state: _State, node: Node) -> list[Times]:
    x, scale = (state.times[name] for name in node.inputs)
    rows, columns = state.count(node.outputs[0]), state.count(node.inputs[0])
    return [state.scaled(state.product(x, rows, columns), rows, scale.last)]


def _elementwise(*names: str) -> _Rule:
    def rule(state: _State, node: Node) -> list[Times]:
        inputs = [state.times[name] for name in node.inputs]
        x = Times(max(t.first for t in inputs), max(t.last for t in inputs))
        return [state.each(x, state.count(node.outputs[0]), *names)]

    return rule


def _rope(state: _State, node: Node) -> list[Times]:
    count = state.count(node.outputs[0])
    state.issue(count, "mul")
    return [state.each(state.times[node.inputs[0]], count, "mul", "add")]


def _hadamard(state: _State, node: Node) -> list[Times]:
    stages = int(node.attributes["block"]).bit_length() - 1
    return [state.each(state.times[node.inputs[0]], state.count(node.inputs[0]), *["butterfly"] * stages)]


def _attention(state: _State, node: Node) -> list[Times]:
    """Heads are independent: the first can start with the first vectors, the last with the last."""
    num_heads, num_kv, head_dim = (int(node.attributes[name]) for name in ("num_heads", "num_kv_heads", "head_dim"))
    q, k, v = (state.times[name] for name in node.inputs)
    width, blocks = -(-head_dim // state.chip.lanes), state.context // state.chip.lanes
    write = min(state.distances) + state.chip.mxm.write_row_cycles
    back = min(state.distances) + state.chip.latency.matvec
    ends: list[int] = []
    starts: list[int] = []
    for time_q, time_k, time_v in ((q.first, k.first, v.first), (q.last, k.last, v.last)):
        mark = state.work.copy()
        codes, _ = state.quantize(Times(time_q, time_q), width)
        keys, _ = state.quantize(Times(time_k, time_k), width)
        values, _ = state.quantize(Times(time_v, time_v), width)
        dots = max(codes.first + state.trip, keys.first + write + back)
        scores = state.each(Times(dots, dots), blocks, "to_fp32", "mul", "mul", "select")
        largest = state.tree(scores, blocks, "max", "reduce_max")
        weights = state.each(Times(largest, largest), blocks, "sub", "exp2")
        scaled = state.each(weights, blocks, "mul")
        probabilities, _ = state.quantize(scaled, blocks, "to_uint8")
        sums = max(probabilities.last + state.trip, values.first + write + back)
        starts.append(dots)
        ends.append(sums + state.latency("to_fp32", "mul"))
        state.work = mark
    return [Times(min(ends), max(*ends, _all_heads(state, min(starts), num_heads, num_kv, width, blocks)))]


def _all_heads(state: _State, start: int, num_heads: int, num_kv: int, width: int, blocks: int) -> int:
    """When the last head can end: from the first scores on all heads share the ALUs, and what comes last of this work
    is followed by its head's output or by the scale of that."""
    nowhere, before = Times(0, 0), state.work.copy()
    state.issue(num_heads * blocks, "to_fp32", "mul", "mul", "select", "sub", "exp2", "mul", "mul", "to_uint8")
    state.issue(num_heads * (blocks - 1), "max", "add", "max")
    state.issue(num_heads, "reduce_max", "reduce_add", "reduce_max", "reciprocal", "mul")
    rounds = max(state.rounds(state.work - before).values())
    state.issue(num_heads, "reciprocal", "mul", "mul", "mul", *["to_fp32", "mul"] * width)
    for _ in range(num_heads + 2 * num_kv):
        state.quantize(nowhere, width)
    state.work["mxm"] += 2 * num_heads * blocks * width + 2 * num_kv * width
    output = state.latency("to_uint8") + state.trip + state.latency("to_fp32", "mul")
    return start + rounds - 1 + min(output, state.latency("reduce_add", "reciprocal", "mul", "mul"))


_RULES: Mapping[str, _Rule] = {
    "embedding_int8": _embedding,
    "rms_scale": _rms_scale,
    "quantize_int8": _quantize,
    "linear_int8": _linear,
    "hadamard": _hadamard,
    "scale": _elementwise("mul"),
    "mul": _elementwise("mul"),
    "add": _elementwise("add"),
    "rope": _rope,
    "silu": _elementwise("mul", "exp2", "add", "reciprocal", "mul"),
    "attention_int8": _attention,
}
