"""The reference evaluator of a quantized Graph: one short function per operation. It is the specification.

Every fp32 step is an operation of `waterclock.numerics`, in the order written here; whoever compiles a graph must
reproduce these bits. Arrays carry the token axis in front of a value's own shape, and any batch axes before it;
position t is index t of the token axis. Attention is causal, so a token's result does not depend on how many follow.
"""

import math
from collections.abc import Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray

from waterclock.frontends.evaluate import Array, OpFunction, Progress, evaluate, join_heads, split_heads
from waterclock.frontends.graph import Graph
from waterclock.frontends.rope import rope_tables
from waterclock.numerics.convert import to_fp32, to_int8, to_uint8
from waterclock.numerics.fp32 import absolute, add, mul, sub
from waterclock.numerics.functions import exp2, reciprocal, rsqrt
from waterclock.numerics.products import matmul
from waterclock.numerics.reductions import hadamard, reduce_add, reduce_max

Floats = NDArray[np.float32]
Integers = NDArray[np.int32]
Codes = tuple[Integers, Floats]
"""int8 codes [..., n] and the scale [..., 1] that they are multiples of."""

ONE = np.float32(1)
LOG2_E = 1.4426950408889634
MAX_INT8, MAX_UINT8 = np.float32(127), np.float32(255)
INT8_STEP, UINT8_STEP = np.float32(1 / 127), np.float32(1 / 255)
QUERY_BLOCK = 16
"""Attention is evaluated for so many tokens at a time, which saves time (caches, half of the scores) and no bit."""


def evaluate_quantized(graph: Graph, tokens: Array, progress: Progress | None = None) -> Floats:
    """Logits float32 [..., T, vocab] of a quantized graph for token ids [..., T], bit for bit those of the machine.

    Raises InputError for a token outside the vocabulary or an operation that is not of the quantized graph.
    """
    outputs = evaluate(graph, tokens, QUANTIZED_FUNCTIONS, progress)
    return cast(Floats, outputs[graph.outputs[0]])


def embedding_int8(token: Integers, weight: Array, scale: Floats) -> Floats:
    """The row of each token, times the row's scale."""
    return mul(to_fp32(weight[token].astype(np.int32)), scale[token][..., np.newaxis])


def rms_scale(x: Floats, eps: float) -> Floats:
    """1 / sqrt(mean(x^2) + eps) of each vector, shape [..., 1]."""
    mean_square = mul(reduce_add(mul(x, x)), np.float32(1 / x.shape[-1]))
    return rsqrt(add(mean_square, np.float32(eps)))


def quantize_int8(x: Floats) -> Codes:
    """int8 codes of each vector and its scale [..., 1]; a vector of zeros has codes 0 and scale 0."""
    largest = reduce_max(absolute(x))
    codes = to_int8(mul(x, mul(reciprocal(largest), MAX_INT8)))
    return codes, mul(largest, INT8_STEP)


def linear_int8(q: Integers, q_scale: Floats, weight: Array, scale: Floats) -> Floats:
    """(weight @ q in int32, times the output's scale), times the token's scale."""
    return mul(mul(to_fp32(matmul(q, weight.T)), scale), q_scale)


def rope(x: Floats, head_dim: int, theta: float) -> Floats:
    """x * C + (x with neighbours exchanged) * S for each head."""
    cos, sin = rope_tables(x.shape[-2], head_dim, theta)
    heads = split_heads(x, head_dim)
    return join_heads(add(mul(heads, cos), mul(exchange_neighbours(heads), sin)))


def exchange_neighbours(x: Floats) -> Floats:
    """Elements 2i and 2i + 1 of the last axis in each other's place: lane-xor 1."""
    return x.reshape(*x.shape[:-1], -1, 2)[..., ::-1].reshape(x.shape)


def silu(x: Floats) -> Floats:
    """x / (1 + exp(-x))."""
    return mul(x, reciprocal(add(ONE, exp2(mul(x, np.float32(-LOG2_E))))))


def attention_int8(q: Floats, k: Floats, v: Floats, head_dim: int) -> Floats:
    """Causal attention with int8 queries, keys and values, and uint8 probabilities that carry the values' scales."""
    queries, keys, values = (quantize_int8(split_heads(x, head_dim)) for x in (q, k, v))
    group = q.shape[-1] // k.shape[-1]
    keys, values = ((np.repeat(codes, group, -3), np.repeat(scale, group, -3)) for codes, scale in (keys, values))
    num_tokens = q.shape[-2]
    blocks = [
        attend(at(queries, slice(first, first + QUERY_BLOCK)), at(keys, seen), at(values, seen), first)
        for first in range(0, num_tokens, QUERY_BLOCK)
        for seen in [slice(min(first + QUERY_BLOCK, num_tokens))]
    ]
    return join_heads(np.concatenate(blocks, axis=-2))


def at(x: Codes, tokens: slice) -> Codes:
    """The codes and scales of some of the tokens."""
    return x[0][..., tokens, :], x[1][..., tokens, :]


def attend(queries: Codes, keys: Codes, values: Codes, first: int) -> Floats:
    """The outputs [..., heads, queries, head_dim] of the queries of tokens `first` and on."""
    (q_codes, q_scale), (k_codes, k_scale), (v_codes, v_scale) = queries, keys, values
    products = to_fp32(matmul(q_codes, k_codes.swapaxes(-1, -2)))
    score_scale = mul(q_scale, np.float32(LOG2_E / math.sqrt(q_codes.shape[-1])))
    scores = hide_future(mul(mul(products, k_scale.swapaxes(-1, -2)), score_scale), first)
    weights = exp2(sub(scores, reduce_max(scores)))
    total = reduce_add(weights)

    scaled = mul(weights, v_scale.swapaxes(-1, -2))
    largest = reduce_max(scaled)
    probabilities = to_uint8(mul(scaled, mul(reciprocal(largest), MAX_UINT8)))
    output_scale = mul(mul(largest, UINT8_STEP), reciprocal(total))
    return mul(to_fp32(matmul(probabilities, v_codes)), output_scale)


def hide_future(scores: Floats, first: int) -> Floats:
    """-inf where the position (last axis) is after the token (the axis before it, counted from `first`)."""
    future = np.triu(np.ones(scores.shape[-2:], dtype=np.bool_), k=first + 1)
    return np.where(future, np.float32(-np.inf), scores)


QUANTIZED_FUNCTIONS: Mapping[str, OpFunction] = {
    "embedding_int8": lambda inputs, constants, attributes: (embedding_int8(*inputs, **constants),),
    "rms_scale": lambda inputs, constants, attributes: (rms_scale(inputs[0], float(attributes["eps"])),),
    "quantize_int8": lambda inputs, constants, attributes: quantize_int8(inputs[0]),
    "linear_int8": lambda inputs, constants, attributes: (linear_int8(*inputs, **constants),),
    "hadamard": lambda inputs, constants, attributes: (hadamard(inputs[0], int(attributes["block"])),),
    "scale": lambda inputs, constants, attributes: (mul(inputs[0], constants["weight"]),),
    "mul": lambda inputs, constants, attributes: (mul(inputs[0], inputs[1]),),
    "add": lambda inputs, constants, attributes: (add(inputs[0], inputs[1]),),
    "rope": lambda inputs, constants, attributes: (
        rope(inputs[0], int(attributes["head_dim"]), float(attributes["theta"])),
    ),
    "silu": lambda inputs, constants, attributes: (silu(inputs[0]),),
    "attention_int8": lambda inputs, constants, attributes: (
        attention_int8(inputs[0], inputs[1], inputs[2], int(attributes["head_dim"])),
    ),
}
