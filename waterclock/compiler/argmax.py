"""Argmax on the chip: the next token without a word to the host."""

from collections.abc import Sequence

from waterclock.compiler.builder import Builder
from waterclock.compiler.context import MINUS_INFINITY, TOKEN, Context
from waterclock.compiler.tileops import Immediate, TileOp, Use, Vector

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
    layout = context.placed.layouts[context.model.graph.outputs[0]]
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
