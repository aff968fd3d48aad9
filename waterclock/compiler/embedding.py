"""The embedding: a token's row, looked up in the tiles that also hold the head's weights."""

import numpy as np

from waterclock.compiler.context import TOKEN, Context, mask_of
from waterclock.compiler.layout import Layout, plain
from waterclock.compiler.place import reference
from waterclock.compiler.tileops import Broadcast, Immediate, Reference, Vector
from waterclock.errors import InputError
from waterclock.frontends.graph import Node
from waterclock.isa.program import Object
from waterclock.isa.record import address
from waterclock.isa.table import Width


def embedding(context: Context, node: Node) -> list[list[Vector]]:
    """The token's row from the table's tiles. Row block j lies in MXM j mod M: every MXM reads the row it would hold,
    and the owner's is selected."""
    build, chip = context.builder, context.chip
    rows, columns = plain(context.model.graph.config.vocab, chip.lanes), context.placed.layouts[node.outputs[0]]
    tables = table_of(context, node.constants["weight"], rows, columns)
    num_mxm, width = len(tables), columns.num_vectors
    if num_mxm & (num_mxm - 1):
        raise InputError(f"chip {chip.name}: {num_mxm} MXM slices: the embedding needs a power of two")
    block_shift, lane_mask = chip.log2_lanes, address(0, (1, TOKEN, 0, 0, chip.lanes - 1))
    mxm_shift = num_mxm.bit_length() - 1
    round_mask = mask_of(-(-rows.num_vectors // num_mxm))

    def read(table: Object, k: int) -> Vector:
        tile = reference(table, k, (width, TOKEN, 0, block_shift + mxm_shift, round_mask))
        row = build.vector(Width.BYTE)
        build.memory("mxm.read_row", table.slice, [], tile, lane_mask, result=row)
        return build.alu("vxm.widen8", row)

    chosen, *others = [[read(table, k) for k in range(width)] for table in tables]
    if others:
        block = build.alu("vxm.sar", build.alu("vxm.move", Broadcast(TOKEN)), Immediate(block_shift))
        owner = build.alu("vxm.to_fp32", build.alu("vxm.and", block, Immediate(num_mxm - 1)))
        for m, rows_read in enumerate(others, start=1):
            owned = build.alu("vxm.compare_eq", owner, float(m))
            chosen = [build.alu("vxm.select", owned, row, other) for row, other in zip(rows_read, chosen, strict=True)]
    scale = token_scale(context, node, rows)
    return [[build.mul(build.alu("vxm.to_fp32", vector), scale) for vector in chosen]]


def token_scale(context: Context, node: Node, rows: Layout) -> Vector:
    """The scale of the token's embedding row in every lane."""
    build, chip = context.builder, context.chip
    data = rows.spread(np.asarray(context.model.graph.constants[node.constants["scale"]]))[None]
    obj = context.placement.constant(f"{node.constants['scale']}.by_token", data)
    last = rows.num_vectors
    home = reference(obj, 0, (1, TOKEN, 0, chip.log2_lanes, mask_of(last)))
    word = Vector(obj.name, homes=(home,), after=build.after)
    result = build.vector()
    build.memory("sxm.broadcast", "sxm0", [word], Reference(None, address(0, (1, TOKEN, 0, 0, chip.lanes - 1))),
                 result=result)  # fmt: skip
    return result


def table_of(context: Context, name: str, rows: Layout, columns: Layout) -> tuple[Object, ...]:
    """The tiles of a matrix outside the layers, placed when first asked for."""
    tables = context.placed.tables
    if name not in tables:
        weight = np.asarray(context.model.graph.constants[name], np.int8)
        tables[name] = context.placement.table(name, weight, rows, columns)
    return tables[name]
