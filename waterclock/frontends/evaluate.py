"""Evaluating a Graph over whole sequences: one obvious numpy function per operation.

`evaluate` walks any Graph with a table of functions; `FP32_FUNCTIONS` is the table of the float operations, the
project's fp32 reference. Arrays carry the token axis in front of a value's own shape, and any batch axes before it:
tokens [..., T] give logits [..., T, vocab]. Position t is index t of the token axis.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from waterclock.errors import InputError
from waterclock.frontends.graph import Attribute, Graph, Node
from waterclock.frontends.rope import rope_table

Array = NDArray[Any]
Floats = NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called as progress(nodes done, nodes in total)."""


class OpFunction(Protocol):
    """Computes one node: operands by position, constants by role, attributes by name."""

    def __call__(
        self, inputs: tuple[Array, ...], constants: Mapping[str, Array], attributes: Mapping[str, Attribute]
    ) -> tuple[Array, ...]: ...


def evaluate(
    graph: Graph, tokens: Array, functions: Mapping[str, OpFunction], progress: Progress | None = None
) -> Mapping[str, Array]:
    """The graph's outputs for token ids [..., T]; raises InputError for an id outside the vocabulary or no function."""
    if tokens.size == 0 or tokens.min() < 0 or tokens.max() >= graph.config.vocab:
        raise InputError(f"graph {graph.name}: tokens must be at least one id from 0 to {graph.config.vocab - 1}")
    if missing := sorted({node.op for node in graph.nodes} - functions.keys()):
        raise InputError(f"graph {graph.name}: no function evaluates {', '.join(missing)}")
    values: dict[str, Array] = dict.fromkeys(graph.inputs, tokens)
    last_uses = _last_uses(graph)
    for index, node in enumerate(graph.nodes):
        constants = {role: graph.constants[name] for role, name in node.constants.items()}
        results = functions[node.op](tuple(values[name] for name in node.inputs), constants, node.attributes)
        values.update(zip(node.outputs, results, strict=True))
        for name in last_uses[index]:
            del values[name]
        if progress is not None:
            progress(index + 1, len(graph.nodes))
    return {name: values[name] for name in graph.outputs}


def evaluate_fp32(graph: Graph, tokens: Array, progress: Progress | None = None) -> Floats:
    """Logits float32 [..., T, vocab] of a float graph for token ids [..., T]."""
    with np.errstate(over="ignore"):  # silu: exp(-x) may become inf, and x / inf is the right answer
        outputs = evaluate(graph, tokens, FP32_FUNCTIONS, progress)
    return cast(Floats, outputs[graph.outputs[0]])


def _last_uses(graph: Graph) -> list[list[str]]:
    """For each node, the values that nothing after it needs."""
    last = {name: index for index, node in enumerate(graph.nodes) for name in _names(node)}
    released: list[list[str]] = [[] for _ in graph.nodes]
    for name, index in last.items():
        if name not in graph.outputs:
            released[index].append(name)
    return released


def _names(node: Node) -> tuple[str, ...]:
    return node.inputs + node.outputs


def split_heads(x: Array, head_dim: int) -> Array:
    """[..., T, heads * head_dim] as [..., heads, T, head_dim]."""
    return x.reshape(*x.shape[:-1], -1, head_dim).swapaxes(-2, -3)


def join_heads(x: Array) -> Array:
    """[..., heads, T, head_dim] as [..., T, heads * head_dim]."""
    x = x.swapaxes(-2, -3)
    return x.reshape(*x.shape[:-2], -1)


def rotate_pairs(x: Array, head_dim: int, theta: float) -> Array:
    """Rotate pair (2i, 2i+1) of each head of x [..., T, heads * head_dim] by its position's angle."""
    cos, sin = rope_table(x.shape[-2], head_dim, theta)
    even, odd = split_heads(x, head_dim)[..., 0::2], split_heads(x, head_dim)[..., 1::2]
    rotated = np.stack([even * cos - odd * sin, odd * cos + even * sin], axis=-1)
    return join_heads(rotated.reshape(*even.shape[:-1], head_dim))


def causal_attention(q: Array, k: Array, v: Array, head_dim: int) -> Array:
    """softmax(q K^T / sqrt(head_dim)) V per head, each token seeing itself and those before it.

    Query head h uses key and value head h // (query heads per key head).
    """
    queries, keys, values = (split_heads(x, head_dim) for x in (q, k, v))
    keys, values = (np.repeat(x, queries.shape[-3] // keys.shape[-3], axis=-3) for x in (keys, values))
    scores = queries @ keys.swapaxes(-1, -2) / np.float32(np.sqrt(head_dim))
    future = np.triu(np.ones(scores.shape[-2:], dtype=np.bool_), k=1)
    scores = np.where(future, np.float32(-np.inf), scores)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return join_heads(weights @ values / weights.sum(axis=-1, keepdims=True))


def rms_norm(x: Array, weight: Array, eps: float) -> Array:
    """x / sqrt(mean(x^2) + eps) * weight over the last axis."""
    mean_square = np.mean(x * x, axis=-1, keepdims=True)
    return x / np.sqrt(mean_square + np.float32(eps)) * weight


FP32_FUNCTIONS: Mapping[str, OpFunction] = {
    "embedding": lambda inputs, constants, attributes: (constants["weight"][inputs[0]],),
    "rms_norm": lambda inputs, constants, attributes: (
        rms_norm(inputs[0], constants["weight"], float(attributes["eps"])),
    ),
    "linear": lambda inputs, constants, attributes: (inputs[0] @ constants["weight"].T,),
    "rope": lambda inputs, constants, attributes: (
        rotate_pairs(inputs[0], int(attributes["head_dim"]), float(attributes["theta"])),
    ),
    "scaled_dot_product_attention": lambda inputs, constants, attributes: (
        causal_attention(*inputs, head_dim=int(attributes["head_dim"])),
    ),
    "silu": lambda inputs, constants, attributes: (inputs[0] / (1 + np.exp(-inputs[0])),),
    "mul": lambda inputs, constants, attributes: (inputs[0] * inputs[1],),
    "add": lambda inputs, constants, attributes: (inputs[0] + inputs[1],),
}
