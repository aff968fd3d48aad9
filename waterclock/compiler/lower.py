"""Lower: a quantized Graph becomes three segments of tile operations: prologue, layer, head.

Each Graph operation has one function here that builds, on vectors, the sequence that the reference evaluator
(`waterclock.quantize.evaluate`) defines; the order of every fp32 operation is the same, so the bits are.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from waterclock.chip import Chip
from waterclock.compiler.argmax import argmax
from waterclock.compiler.attention import attention, position_masks, rope, rope_vectors
from waterclock.compiler.builder import Builder
from waterclock.compiler.context import (
    LAST,
    LOG2_E,
    TOKEN,
    Context,
    Lowering,
    Placed,
    Shape,
    mask_of,
    model_layouts,
)
from waterclock.compiler.deployment import TOKENS
from waterclock.compiler.embedding import embedding, table_of
from waterclock.compiler.layout import Layout
from waterclock.compiler.model import LayeredGraph
from waterclock.compiler.place import Placement, TileGrid, reference
from waterclock.compiler.tileops import Link, Segment, TileOp, Use, Vector
from waterclock.frontends.graph import Node
from waterclock.isa.program import Role


def place(model: LayeredGraph, chip: Chip, max_context: int) -> Placed:
    """Room for a model with a KV cache of `max_context` positions: layouts, and which MXM holds what."""
    placement = Placement(chip, model.num_layers, max_context)
    layouts = model_layouts(model.graph, chip.lanes)
    return Placed(chip, model, placement, layouts, plan_weights(model, placement, layouts))


def lower(placed: Placed, shape: Shape) -> tuple[Segment, ...]:
    """The segments of a program; the last one, whose outputs are the vectors of the logits, is the same in all programs
    of a model. The program that takes the most tokens comes first: what is kept for a token has room for all of them.
    """
    context = Context(placed, shape, Builder(placed.chip.lanes))
    segments = prologue(context), layer(context)
    placed.head = placed.head or head(context)
    return (*segments, placed.head)


def plan_weights(
    model: LayeredGraph, placement: Placement, layouts: Mapping[str, Layout]
) -> dict[str, list[list[tuple[int, range]]]]:
    """Which MXM holds which tiles of a layer: matrices with one input are spread together."""
    groups: dict[str, list[tuple[str, int, int]]] = {}
    for node in model.layer_nodes:
        if node.op == "linear_int8":
            rows, columns = layouts[node.outputs[0]], layouts[node.inputs[0]]
            groups.setdefault(node.inputs[0], []).append((node.outputs[0], rows.num_vectors, columns.num_vectors))
    return placement.plan_layer(list(groups.values()))


def lower_nodes(context: Context, nodes: Sequence[Node]) -> None:
    """Build every node, each by the function of its operation."""
    for node in nodes:
        context.builder.operation = context.model.label(node)
        results = LOWERINGS[node.op](context, node)
        context.vectors.update(zip(node.outputs, results, strict=True))


def prologue(context: Context) -> Segment:
    """What happens once a token before the layers: embedding, RoPE vectors, masks."""
    context.builder.operation = "token"
    context.builder.after = next_token(context)
    lower_nodes(context, context.model.before)
    context.builder.after = None
    context.builder.operation = "rope"
    rope_vectors(context)
    context.builder.operation = "mask"
    position_masks(context)
    for i, vector in enumerate(context.vectors[context.model.layer_input]):
        home = context.word_of_token(f"residual[{i}]")
        context.stores[vector] = home
        context.vectors[context.model.layer_input][i] = Vector(f"residual[{i}]", homes=(home,))
    return close(context, "prologue", num_tokens=context.shape.num_tokens)


def next_token(context: Context) -> TileOp | None:
    """Where the launch has several tokens, the next of those that the host left in MEM becomes the parameter."""
    if context.shape.num_tokens == 1:
        return None
    words = context.placement.words(TOKENS, context.shape.num_tokens, Role.STATE)
    token = Vector(TOKENS, homes=(reference(words, token_stride=1),))
    setter = TileOp("icu.set_param", (Use(token),), None, TOKENS, settings={"param": TOKEN})
    return context.builder.emit(setter)


def layer(context: Context) -> Segment:
    """One layer: from the residual stream's places in MEM back to the same places."""
    residual = context.vectors[context.model.layer_input]
    lower_nodes(context, context.model.layer_nodes)
    for vector, home in zip(context.vectors[context.model.layer_output], residual, strict=True):
        context.stores[vector] = home.homes[0]
    segment = close(context, "layer", context.model.num_layers, context.shape.num_tokens)
    context.vectors[context.model.head_input] = [last_of(vector) for vector in residual]
    return segment


def last_of(residual: Vector) -> Vector:
    """The residual stream of the token whose logits are wanted."""
    (home,) = residual.homes
    assert home.object is not None
    return Vector(residual.name, homes=(reference(home.object, 0, (1, LAST, 0, 0, mask_of(home.object.size))),))


def head(context: Context) -> Segment:
    """From the residual stream to logits, argmax and the next token's parameter."""
    lower_nodes(context, context.model.after)
    logits = context.vectors[context.model.graph.outputs[0]]
    context.builder.operation = "argmax"
    argmax(context, logits)
    return close(context, "head", outputs=tuple(logits))


def close(
    context: Context, name: str, count: int = 1, num_tokens: int = 1, outputs: tuple[Vector, ...] = ()
) -> Segment:
    """The segment built so far; the next one starts empty."""
    segment = Segment(name, context.builder.operations, dict(context.stores), outputs, count, num_tokens)
    context.builder, context.stores = Builder(context.chip.lanes), {}
    return segment


def weight_grid(context: Context, node: Node, rows: Layout, columns: Layout) -> TileGrid:
    """The tiles of a linear node, by output block."""
    if node.layer is not None:
        return layer_grid(context.placed, node, rows, columns)
    return context.placement.grid(table_of(context, node.constants["weight"], rows, columns), rows.num_vectors)


def layer_grid(placed: Placed, node: Node, rows: Layout, columns: Layout) -> TileGrid:
    """The tiles of a linear node of the layers, placed when first asked for."""
    name = placed.model.label(node)
    if name not in placed.grids:
        weights = [np.asarray(w, np.int8) for w in placed.model.constant(node, "weight")]
        placed.grids[name] = placed.placement.layer_weights(name, weights, rows, columns, placed.plan[node.outputs[0]])
    return placed.grids[name]


def linear(context: Context, node: Node) -> list[list[Vector]]:
    """(int32 sums, as fp32, times the outputs' scales) times the token's scale."""
    build = context.builder
    x, (token,) = (context.vectors[name] for name in node.inputs)
    rows, columns = context.placed.layouts[node.outputs[0]], context.placed.layouts[node.inputs[0]]
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


def quantize_int8(context: Context, node: Node) -> list[list[Vector]]:
    codes, scale = context.builder.quantized(context.vectors[node.inputs[0]])
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
    layout = context.placed.layouts[node.inputs[0]]
    data = np.stack([layout.spread(np.asarray(w)) for w in context.model.constant(node, "weight")])
    weights = [
        context.constant(f"{context.model.label(node)}[{j}]", data[:, j : j + 1]) for j in range(layout.num_vectors)
    ]
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
