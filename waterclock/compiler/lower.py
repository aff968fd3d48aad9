"""Lower: a quantized Graph becomes three segments of tile operations: prologue, layer, head.

Each Graph operation has one function here that builds, on vectors, the sequence that the reference evaluator
(`waterclock.quantize.evaluate`) defines; the order of every fp32 operation is the same, so the bits are.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from waterclock.chip import Chip
from waterclock.compiler.builder import Builder, bits_of
from waterclock.compiler.layout import Layout, heads, plain
from waterclock.compiler.model import LayeredGraph
from waterclock.compiler.place import Placement, TileGrid, reference
from waterclock.compiler.tileops import Broadcast, Immediate, Link, Reference, Segment, TileOp, Use, Vector
from waterclock.errors import InputError
from waterclock.frontends.graph import Graph, Node
from waterclock.frontends.rope import rope_tables
from waterclock.isa.program import Object, Role
from waterclock.isa.record import Records, address
from waterclock.isa.table import Width

POSITION, TOKEN = 0, 1
"""Launch parameters of a decode program."""

LOG2_E = 1.4426950408889634
MINUS_INFINITY = Immediate(bits_of(-math.inf))
SIGN = Immediate(-(1 << 31))


@dataclass(frozen=True)
class Lowered:
    """The segments of a decode program and the vectors of its outputs."""

    segments: tuple[Segment, ...]
    logits: tuple[Vector, ...]


@dataclass
class Context:
    """What lowering functions need: where they build, what is placed where, and the vectors of each Graph value."""

    chip: Chip
    model: LayeredGraph
    placement: Placement
    num_positions: int
    builder: Builder
    vectors: dict[str, list[Vector]] = field(default_factory=lambda: dict[str, list[Vector]]())
    layouts: dict[str, Layout] = field(default_factory=lambda: dict[str, Layout]())
    tables: dict[str, tuple[Object, ...]] = field(default_factory=lambda: dict[str, tuple[Object, ...]]())
    stores: dict[Vector, Reference] = field(default_factory=lambda: dict[Vector, Reference]())
    cos: list[Vector] = field(default_factory=lambda: list[Vector]())
    sin: list[Vector] = field(default_factory=lambda: list[Vector]())
    masks: list[Vector] = field(default_factory=lambda: list[Vector]())
    plan: dict[str, list[list[tuple[int, range]]]] = field(default_factory=lambda: dict[str, list[list[tuple[int, range]]]]())

    @property
    def num_blocks(self) -> int:
        """Vectors that hold one value per position of the program's context bucket."""
        return self.num_positions // self.chip.lanes

    def stored(self, name: str, vector: Vector, copies: int = 1) -> Vector:
        """The vector, to be read in later segments: `copies` places in MEM, each written in this segment."""
        homes = tuple(reference(self.placement.words(f"{name}.{i}", 1, Role.TEMPORARY)) for i in range(copies))
        for i, home in enumerate(homes):
            self.stores[vector if i == 0 else self.builder.alu("vxm.move", vector)] = home
        return Vector(name, vector.width, homes)

    def constant(self, name: str, data: npt.NDArray[np.generic], index: int = 0) -> Vector:
        """A constant vector: `data[layer or 0, word, lane]`, read at word `index`."""
        return Vector(name, homes=(reference(self.placement.constant(name, data), index),))


Lowering = Callable[[Context, Node], list[list[Vector]]]


def lower(model: LayeredGraph, chip: Chip, placement: Placement, num_positions: int) -> Lowered:
    """Segments for one decode step with a context bucket of `num_positions` positions."""
    context = Context(chip, model, placement, num_positions, Builder(chip.lanes))
    context.layouts = model_layouts(model, chip.lanes)
    context.plan = plan_weights(context)
    return Lowered((prologue(context), layer(context), head := head_segment(context)), head.outputs)


def model_layouts(model: LayeredGraph, lanes: int) -> dict[str, Layout]:
    """The layout of every value: each head starts a vector of its own where heads are told apart, else plain."""
    graph = model.graph
    layouts = {name: plain(math.prod(value.shape), lanes) for name, value in graph.values.items()}
    headed: dict[str, Layout] = {}
    for node in reversed(graph.nodes):
        if "head_dim" in node.attributes:
            head_dim = int(node.attributes["head_dim"])
            for name in (*node.inputs, *node.outputs):
                headed[name] = heads(math.prod(graph.values[name].shape) // head_dim, head_dim, lanes)
    for node in graph.nodes:
        if node.op == "quantize_int8" and node.inputs[0] in headed:
            headed[node.outputs[0]] = headed[node.inputs[0]]
    return layouts | headed


def plan_weights(context: Context) -> dict[str, list[list[tuple[int, range]]]]:
    """Which MXM holds which tiles of a layer: matrices with one input are spread together."""
    groups: dict[str, list[tuple[str, int, int]]] = {}
    for node in context.model.layer_nodes:
        if node.op == "linear_int8":
            rows, columns = context.layouts[node.outputs[0]], context.layouts[node.inputs[0]]
            groups.setdefault(node.inputs[0], []).append((node.outputs[0], rows.num_vectors, columns.num_vectors))
    return context.placement.plan_layer(list(groups.values()))


def lower_nodes(context: Context, nodes: Sequence[Node]) -> None:
    """Build every node, each by the function of its operation."""
    for node in nodes:
        context.builder.operation = node.source
        results = LOWERINGS[node.op](context, node)
        context.vectors.update(zip(node.outputs, results, strict=True))


def prologue(context: Context) -> Segment:
    """What happens once a token before the layers: embedding, RoPE vectors, masks."""
    lower_nodes(context, context.model.before)
    context.builder.operation = "rope"
    rope_vectors(context)
    context.builder.operation = "mask"
    position_masks(context)
    for i, vector in enumerate(context.vectors[context.model.layer_input]):
        home = reference(context.placement.words(f"residual[{i}]", 1, Role.TEMPORARY))
        context.stores[vector] = home
        context.vectors[context.model.layer_input][i] = Vector(f"residual[{i}]", homes=(home,))
    return close(context, "prologue")


def layer(context: Context) -> Segment:
    """One layer: from the residual stream's places in MEM back to the same places."""
    residual = context.vectors[context.model.layer_input]
    lower_nodes(context, context.model.layer_nodes)
    for vector, home in zip(context.vectors[context.model.layer_output], residual, strict=True):
        context.stores[vector] = home.homes[0]
    segment = close(context, "layer", context.model.num_layers)
    context.vectors[context.model.head_input] = residual
    return segment


def head_segment(context: Context) -> Segment:
    """From the residual stream to logits, argmax and the next token's parameter."""
    lower_nodes(context, context.model.after)
    logits = context.vectors[context.model.graph.outputs[0]]
    context.builder.operation = "argmax"
    argmax(context, logits)
    return close(context, "head", outputs=tuple(logits))


def close(context: Context, name: str, count: int = 1, outputs: tuple[Vector, ...] = ()) -> Segment:
    """The segment built so far; the next one starts empty."""
    segment = Segment(name, context.builder.operations, dict(context.stores), outputs, count)
    context.builder, context.stores = Builder(context.chip.lanes), {}
    return segment


def rope_vectors(context: Context) -> None:
    """C and S of the token's position from a table that holds cos and sin in turn, one word a position."""
    node = next((n for n in context.model.layer_nodes if n.op == "rope"), None)
    if node is None:
        return
    build, lanes = context.builder, context.chip.lanes
    head_dim, positions = int(node.attributes["head_dim"]), context.placement.max_context
    cos, sin = rope_tables(positions, head_dim, float(node.attributes["theta"]))
    table = plain(head_dim, lanes).spread(np.where(np.arange(head_dim) % 2, sin, cos).astype(np.float32))
    odd = build.alu("vxm.and", build.alu("vxm.lane_index"), Immediate(1))
    for b in range(table.shape[1]):
        obj = context.placement.constant(f"rope[{b}]", table[None, :, b])
        word = Vector(obj.name, homes=(reference(obj, 0, (1, POSITION, 0, 0, mask_of(positions))),))
        swapped = build.alu("vxm.move", Use(word, 1))
        negative = build.alu("vxm.xor", swapped, SIGN)
        context.cos.append(context.stored(f"cos[{b}]", build.alu("vxm.select", odd, swapped, word), copies=2))
        context.sin.append(context.stored(f"sin[{b}]", build.alu("vxm.select", odd, word, negative), copies=2))


def position_masks(context: Context) -> None:
    """For each vector of positions: -1 in the lanes whose position is not after the token's."""
    build, lanes = context.builder, context.chip.lanes
    position = build.alu("vxm.to_fp32", Broadcast(POSITION))
    lane = build.alu("vxm.to_fp32", build.alu("vxm.lane_index"))
    for b in range(context.num_blocks):
        mask = build.alu("vxm.compare_le", build.add(lane, float(b * lanes)), position)
        context.masks.append(context.stored(f"mask[{b}]", mask))


def mask_of(count: int) -> int:
    """The smallest mask 2^n - 1 that keeps all of 0 .. count - 1."""
    return (1 << max(count - 1, 0).bit_length()) - 1


def embedding(context: Context, node: Node) -> list[list[Vector]]:
    """The token's row from the table's tiles. Row block j lies in MXM j mod M: every MXM reads the row it would hold, and
    the owner's is selected."""
    build, chip, graph = context.builder, context.chip, context.model.graph
    rows, columns = weight_layouts(context, node, embedded=True)
    tables = table_of(context, node.constants["weight"], rows, columns)
    num_mxm, width = len(tables), columns.num_vectors
    if num_mxm & (num_mxm - 1):
        raise InputError(f"chip {chip.name}: {num_mxm} MXM slices: the embedding needs a power of two")
    block_shift, lane_mask = chip.log2_lanes, address(0, (1, TOKEN, 0, 0, chip.lanes - 1))
    mxm_shift = num_mxm.bit_length() - 1
    round_mask = mask_of(-(-rows.num_vectors // num_mxm))
    block = build.alu("vxm.sar", build.alu("vxm.move", Broadcast(TOKEN)), Immediate(block_shift))
    owner = build.alu("vxm.to_fp32", build.alu("vxm.and", block, Immediate(num_mxm - 1)))
    chosen: list[Vector] = []
    for m, table in enumerate(tables):
        rows_read: list[Vector] = []
        for k in range(width):
            tile = reference(table, k, (width, TOKEN, 0, block_shift + mxm_shift, round_mask))
            row = build.vector(Width.BYTE)
            build.memory("mxm.read_row", table.slice, [], tile, lane_mask, result=row)
            rows_read.append(build.alu("vxm.widen8", row))
        if chosen:
            owned = build.alu("vxm.compare_eq", owner, float(m))
            rows_read = [build.alu("vxm.select", owned, row, other) for row, other in zip(rows_read, chosen, strict=True)]
        chosen = rows_read
    scale = token_scale(context, graph, node, rows)
    return [[build.mul(build.alu("vxm.to_fp32", vector), scale) for vector in chosen]]


def token_scale(context: Context, graph: Graph, node: Node, rows: Layout) -> Vector:
    """The scale of the token's embedding row in every lane."""
    build, chip = context.builder, context.chip
    data = rows.spread(np.asarray(graph.constants[node.constants["scale"]]))[None]
    obj = context.placement.constant(f"{node.constants['scale']}.by_token", data)
    last = rows.num_vectors
    word = Vector(obj.name, homes=(reference(obj, 0, (1, TOKEN, 0, chip.log2_lanes, mask_of(last))),))
    result = build.vector()
    build.memory("sxm.broadcast", "sxm0", [word], Reference(None, address(0, (1, TOKEN, 0, 0, chip.lanes - 1))),
                 result=result)  # fmt: skip
    return result


def table_of(context: Context, name: str, rows: Layout, columns: Layout) -> tuple[Object, ...]:
    """The tiles of a matrix outside the layers, placed when first asked for."""
    if name not in context.tables:
        weight = np.asarray(context.model.graph.constants[name], np.int8)
        context.tables[name] = context.placement.table(name, weight, rows, columns)
    return context.tables[name]


def weight_layouts(context: Context, node: Node, *, embedded: bool = False) -> tuple[Layout, Layout]:
    """Row and column layout of the node's weight; an embedding's rows are looked up, its columns come out."""
    if embedded:
        vocab = context.model.graph.constants[node.constants["weight"]].shape[0]
        return plain(vocab, context.chip.lanes), context.layouts[node.outputs[0]]
    return context.layouts[node.outputs[0]], context.layouts[node.inputs[0]]


def weight_grid(context: Context, node: Node, rows: Layout, columns: Layout) -> TileGrid:
    """The tiles of a linear node, by output block."""
    if node.layer is not None:
        weights = [np.asarray(w, np.int8) for w in context.model.constant(node, "weight")]
        return context.placement.layer_weights(context.model.label(node), weights, rows, columns, context.plan[node.outputs[0]])
    return context.placement.grid(table_of(context, node.constants["weight"], rows, columns), rows.num_vectors)


def linear(context: Context, node: Node) -> list[list[Vector]]:
    """(int32 sums, as fp32, times the outputs' scales) times the token's scale."""
    build = context.builder
    x, (token,) = (context.vectors[name] for name in node.inputs)
    rows, columns = weight_layouts(context, node)
    grid = weight_grid(context, node, rows, columns)
    data = np.stack([rows.spread(np.asarray(s)) for s in context.model.constant(node, "scale")])
    name = f"{context.model.label(node)}.scale"
    results: list[Vector] = []
    for j, parts in enumerate(grid):
        sums = [build.chain("mxm.matvec", part.slice, [Link(tile, x[k]) for k, tile in part.links]) for part in parts]
        total = build.tree(lambda a, b: build.alu("vxm.iadd", a, b), sums)
        scale = context.constant(f"{name}[{j}]", data[:, j : j + 1])
        results.append(build.mul(build.mul(build.alu("vxm.to_fp32", total), scale), token))
    return [results]


def quantized(build: Builder, x: Sequence[Vector]) -> tuple[list[Vector], Vector]:
    """int8 codes and the scale, by the vector's own maximum."""
    largest = build.reduce_max([build.abs(v) for v in x])
    inverse = build.mul(build.alu("vxm.reciprocal", largest), 127.0)
    codes = [build.alu("vxm.to_int8", build.mul(v, inverse)) for v in x]
    return codes, build.mul(largest, 1 / 127)


def quantize_int8(context: Context, node: Node) -> list[list[Vector]]:
    codes, scale = quantized(context.builder, context.vectors[node.inputs[0]])
    return [codes, [scale]]


def rms_scale(context: Context, node: Node) -> list[list[Vector]]:
    build = context.builder
    total = build.reduce_add([build.mul(v, v) for v in context.vectors[node.inputs[0]]])
    size = math.prod(context.model.graph.values[node.inputs[0]].shape)
    mean = build.mul(total, 1 / size)
    return [[build.alu("vxm.rsqrt", build.add(mean, float(node.attributes["eps"])))]]


def hadamard(context: Context, node: Node) -> list[list[Vector]]:
    return [context.builder.hadamard(context.vectors[node.inputs[0]], int(node.attributes["block"]))]


def scale(context: Context, node: Node) -> list[list[Vector]]:
    layout = context.layouts[node.inputs[0]]
    data = np.stack([layout.spread(np.asarray(w)) for w in context.model.constant(node, "weight")])
    weights = [context.constant(f"{context.model.label(node)}[{j}]", data[:, j : j + 1]) for j in range(layout.num_vectors)]
    return [[context.builder.mul(v, w) for v, w in zip(context.vectors[node.inputs[0]], weights, strict=True)]]


def elementwise(mnemonic: str) -> Lowering:
    def lowering(context: Context, node: Node) -> list[list[Vector]]:
        a, b = (context.vectors[name] for name in node.inputs)
        return [[context.builder.alu(mnemonic, *pair) for pair in zip(a, b, strict=True)]]

    return lowering


def silu(context: Context, node: Node) -> list[list[Vector]]:
    build = context.builder

    def one(x: Vector) -> Vector:
        exponential = build.alu("vxm.exp2", build.mul(x, -LOG2_E))
        return build.mul(x, build.alu("vxm.reciprocal", build.add(1.0, exponential)))

    return [[one(x) for x in context.vectors[node.inputs[0]]]]


def rope(context: Context, node: Node) -> list[list[Vector]]:
    build, width = context.builder, len(context.cos)

    def one(x: Vector, cos: Vector, sin: Vector) -> Vector:
        return build.add(build.mul(x, cos), build.mul(Use(x, 1), sin))

    return [[one(x, context.cos[i % width], context.sin[i % width]) for i, x in enumerate(context.vectors[node.inputs[0]])]]


@dataclass(frozen=True)
class CachedHead:
    """Where one kv head's keys or values and their scales live, and who writes this token's: for each vector of the head a
    run of tiles, one for each vector of positions."""

    tiles: Object
    scales: tuple[Vector, ...]
    writers: tuple[TileOp, ...]

    def link(self, b: int, p: int, x: Vector) -> Link:
        """The product of x with vector b of the head at the positions of vector p."""
        run = self.tiles.size // len(self.writers)
        return Link(reference(self.tiles, b * run + p), x, self.writers[b])


def attention(context: Context, node: Node) -> list[list[Vector]]:
    """Attention over the KV cache; see `attention_int8` of the reference evaluator."""
    num_heads, num_kv, head_dim = (int(node.attributes[name]) for name in ("num_heads", "num_kv_heads", "head_dim"))
    q, k, v = (context.vectors[name] for name in node.inputs)
    width = -(-head_dim // context.chip.lanes)
    keys = [cached(context, node, "k", 2 * h, k[h * width : (h + 1) * width]) for h in range(num_kv)]
    values = [cached(context, node, "v", 2 * h + 1, v[h * width : (h + 1) * width]) for h in range(num_kv)]
    group = num_heads // num_kv
    return [[
        vector
        for h in range(num_heads)
        for vector in one_head(context, q[h * width : (h + 1) * width], keys[h // group], values[h // group], head_dim)
    ]]  # fmt: skip


def cached(context: Context, node: Node, what: str, turn: int, x: Sequence[Vector]) -> CachedHead:
    """Quantize a head's key or value and write it, with its scale, at the token's position."""
    build, chip, placement = context.builder, context.chip, context.placement
    name = f"{context.model.label(node)}.{what}[{turn // 2}]"
    tiles = placement.kv_tiles(name, turn, len(x))
    scales = placement.words(f"{name}.scale", placement.num_positions_blocks, Role.STATE, layered=True)
    lane, block = address(0, (1, POSITION, 0, 0, chip.lanes - 1)), mask_of(placement.num_positions_blocks)
    codes, scale = quantized(build, x)
    readers = tuple(Vector(f"{scales.name}[{p}]", homes=(reference(scales, p),)) for p in range(context.num_blocks))
    build.memory("mem.write_lane", scales.slice, [scale], reference(scales, 0, (1, POSITION, 0, chip.log2_lanes, block)),
                 lane, publishes=readers)  # fmt: skip
    writers = [write_row(context, tiles, b, code, lane, block) for b, code in enumerate(codes)]
    return CachedHead(tiles, readers, tuple(writers))


def write_row(context: Context, tiles: Object, b: int, code: Vector, lane: Records, block_mask: int) -> TileOp:
    """Vector b of the head becomes the row of the token's position."""
    first = b * context.placement.num_positions_blocks
    tile = reference(tiles, first, (1, POSITION, 0, context.chip.log2_lanes, block_mask))
    return context.builder.memory("mxm.write_row", tiles.slice, [code], tile, lane)


def one_head(context: Context, q: Sequence[Vector], key: CachedHead, value: CachedHead, head_dim: int) -> list[Vector]:
    build, width = context.builder, len(q)
    codes, q_scale = quantized(build, q)
    score_scale = build.mul(q_scale, LOG2_E / math.sqrt(head_dim))

    def score(p: int) -> Vector:
        sums = build.chain("mxm.matvec", key.tiles.slice, [key.link(b, p, codes[b]) for b in range(width)], sram=True)
        scaled = build.mul(build.mul(build.alu("vxm.to_fp32", sums), key.scales[p]), score_scale)
        return build.alu("vxm.select", context.masks[p], scaled, MINUS_INFINITY)

    scores = [score(p) for p in range(context.num_blocks)]
    largest_score = build.reduce_max(scores)
    weights = [build.alu("vxm.exp2", build.sub(s, largest_score)) for s in scores]
    total = build.reduce_add(weights)
    scaled = [build.mul(w, s) for w, s in zip(weights, value.scales, strict=True)]
    largest = build.reduce_max(scaled)
    inverse = build.mul(build.alu("vxm.reciprocal", largest), 255.0)
    probabilities = [build.alu("vxm.to_uint8", build.mul(s, inverse)) for s in scaled]
    output_scale = build.mul(build.mul(largest, 1 / 255), build.alu("vxm.reciprocal", total))

    def output(b: int) -> Vector:
        links = [value.link(b, p, probability) for p, probability in enumerate(probabilities)]
        sums = build.chain("mxm.matvec_t", value.tiles.slice, links, unsigned=True, sram=True)
        return build.mul(build.alu("vxm.to_fp32", sums), output_scale)

    return [output(b) for b in range(width)]


NUM_ARGMAX_CHAINS = 4
"""Running maxima side by side, so that the latency of one step is not waited for."""


def argmax(context: Context, logits: Sequence[Vector]) -> None:
    """The lowest index of the largest logit becomes the next token: running maxima over blocks, lane by lane, then the
    lowest index among the lanes and chains that hold the overall maximum."""
    build, chip = context.builder, context.chip
    logits = mask_padding(context, list(logits))
    chains = [chain_maximum(build, logits, c) for c in range(min(NUM_ARGMAX_CHAINS, len(logits)))]
    largest = build.reduce_max([value for value, _ in chains])
    lane = build.alu("vxm.lane_index")

    def candidate(value: Vector, block: Vector) -> Vector:
        index = build.alu("vxm.iadd", build.alu("vxm.shl", block, Immediate(chip.log2_lanes)), lane)
        negative = build.mul(build.alu("vxm.to_fp32", index), -1.0)
        return build.alu("vxm.select", build.alu("vxm.compare_eq", value, largest), negative, MINUS_INFINITY)

    lowest = build.reduce_max([candidate(value, block) for value, block in chains])
    token = build.alu("vxm.to_int32", build.mul(lowest, -1.0))
    build.emit(TileOp("icu.set_param", (Use(token),), None, build.operation, settings={"param": TOKEN}))


def mask_padding(context: Context, logits: list[Vector]) -> list[Vector]:
    """The last block's padding lanes as -inf."""
    layout = context.layouts[context.model.graph.outputs[0]]
    valid = int((layout.elements[-1] >= 0).sum())
    if valid < context.chip.lanes:
        build = context.builder
        lane = build.alu("vxm.to_fp32", build.alu("vxm.lane_index"))
        inside = build.alu("vxm.compare_lt", lane, float(valid))
        logits[-1] = build.alu("vxm.select", inside, logits[-1], MINUS_INFINITY)
    return logits


def chain_maximum(build: Builder, logits: Sequence[Vector], start: int) -> tuple[Vector, Vector]:
    """Lane by lane over every NUM_ARGMAX_CHAINS-th block: the maximum and the first block that holds it."""
    value, block = logits[start], build.alu("vxm.move", Immediate(start))
    for b in range(start + NUM_ARGMAX_CHAINS, len(logits), NUM_ARGMAX_CHAINS):
        better = build.alu("vxm.compare_lt", value, logits[b])
        block = build.alu("vxm.select", better, Immediate(b), block)
        value = build.max(value, logits[b])
    return value, block


LOWERINGS: Mapping[str, Lowering] = {
    "embedding_int8": embedding,
    "rms_scale": rms_scale,
    "quantize_int8": quantize_int8,
    "linear_int8": linear,
    "hadamard": hadamard,
    "scale": scale,
    "mul": elementwise("vxm.mul"),
    "add": elementwise("vxm.add"),
    "rope": rope,
    "silu": silu,
    "attention_int8": attention,
}
