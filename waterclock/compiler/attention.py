"""Attention over the KV cache, RoPE and the masks of positions; see `attention_int8` of the reference evaluator."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from waterclock.compiler.context import LOG2_E, MINUS_INFINITY, POSITION, Context, mask_of
from waterclock.compiler.layout import plain
from waterclock.compiler.place import reference
from waterclock.compiler.tileops import Axis, Broadcast, Immediate, Link, TileOp, Use, Vector
from waterclock.frontends.graph import Node
from waterclock.frontends.rope import rope_tables
from waterclock.isa.program import Object, Role
from waterclock.isa.record import Records, address

SIGN = Immediate(-(1 << 31))


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
        word = word_of_position(context, f"rope[{b}]", table[:, b])
        swapped = build.alu("vxm.move", Use(word, 1))
        negative = build.alu("vxm.xor", swapped, SIGN)
        context.cos.append(context.stored(f"cos[{b}]", build.alu("vxm.select", odd, swapped, word), copies=2))
        context.sin.append(context.stored(f"sin[{b}]", build.alu("vxm.select", odd, word, negative), copies=2))


def word_of_position(context: Context, name: str, table: npt.NDArray[np.generic]) -> Vector:
    """The token's word of a table with one word a position. No piece of it takes more than half a MEM slice:
    temporaries need room in all of them."""
    size = 1 << (context.chip.mem.num_words // 2).bit_length() - 1
    within = (1, POSITION, 0, 0, mask_of(min(size, len(table))))
    if len(table) > size:
        table = np.pad(table, ((0, -len(table) % size), (0, 0)))
    pieces = [
        Vector(obj.name, homes=(reference(obj, 0, within, token_step=1),))
        for i, start in enumerate(range(0, len(table), size))
        for obj in [context.placement.constant(f"{name}.{i}" if i else name, table[None, start : start + size])]
    ]
    while len(pieces) > 1:  # a bit of the position chooses between each two that are left
        position = context.builder.alu("vxm.move", Broadcast(POSITION, token_step=1))
        chosen = context.builder.alu("vxm.and", position, Immediate(size))
        later = [
            context.builder.alu("vxm.select", chosen, b, a) for a, b in zip(pieces[::2], pieces[1::2], strict=False)
        ]
        pieces = [*later, *pieces[2 * len(later) :]]
        size *= 2
    return pieces[0]


def position_masks(context: Context) -> None:
    """For each vector of positions: -1 in the lanes whose position is not after the token's."""
    build, lanes = context.builder, context.chip.lanes
    position = build.alu("vxm.to_fp32", Broadcast(POSITION, token_step=1))
    lane = build.alu("vxm.to_fp32", build.alu("vxm.lane_index"))
    for b in range(context.num_blocks):
        mask = build.alu("vxm.compare_le", build.add(lane, float(b * lanes)), position)
        context.masks.append(context.stored(f"mask[{b}]", mask))


def rope(context: Context, node: Node) -> list[list[Vector]]:
    build, width = context.builder, len(context.cos)

    def one(x: Vector, cos: Vector, sin: Vector) -> Vector:
        return build.add(build.mul(x, cos), build.mul(Use(x, 1), sin))

    return [
        [one(x, context.cos[i % width], context.sin[i % width]) for i, x in enumerate(context.vectors[node.inputs[0]])]
    ]


@dataclass(frozen=True)
class CachedHead:
    """Where one kv head's keys or values and their scales live, and who writes this token's: for each vector of the
    head a run of tiles, one for each vector of positions."""

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
    lane = address(0, (1, POSITION, 0, 0, chip.lanes - 1), steps={Axis.TOKEN: 1})
    block = mask_of(placement.num_positions_blocks)
    codes, scale = build.quantized(x)
    readers = tuple(Vector(f"{scales.name}[{p}]", homes=(reference(scales, p),)) for p in range(context.num_blocks))
    word = reference(scales, 0, (1, POSITION, 0, chip.log2_lanes, block), token_step=1)
    build.memory("mem.write_lane", scales.slice, [scale], word, lane, publishes=readers)
    writers = [write_row(context, tiles, b, code, lane, block) for b, code in enumerate(codes)]
    return CachedHead(tiles, readers, tuple(writers))


def write_row(context: Context, tiles: Object, b: int, code: Vector, lane: Records, block_mask: int) -> TileOp:
    """Vector b of the head becomes the row of the token's position."""
    first = b * context.placement.num_positions_blocks
    tile = reference(tiles, first, (1, POSITION, 0, context.chip.log2_lanes, block_mask), token_step=1)
    return context.builder.memory("mxm.write_row", tiles.slice, [code], tile, lane)


def one_head(context: Context, q: Sequence[Vector], key: CachedHead, value: CachedHead, head_dim: int) -> list[Vector]:
    build, width = context.builder, len(q)
    codes, q_scale = build.quantized(q)
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
