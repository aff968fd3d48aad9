"""Rotate the residual stream by a blockwise Hadamard matrix that is folded into the weights around it.

The rotated model computes the same logits; outliers of single channels are spread over their block, so that one int8
scale per token suffices. Method: QuaRot (arXiv 2404.00456) and SliceGPT (arXiv 2401.15024), with H instead of a random
matrix. The rotation commutes with a norm whose gain is one; where a gain had to stay (tied head), the norm's output is
turned back, scaled and turned again at run time: Q diag(g) Q = H diag(g / block) H.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from waterclock.frontends.graph import Graph, GraphError, Node
from waterclock.quantize.hadamard import largest_block, rotate_inputs, rotate_outputs
from waterclock.quantize.rewrite import float64_of, num_uses_by_constant, with_nodes, writing_weight

_FOLLOWERS = frozenset({"embedding", "rms_norm", "linear", "add"})
"""Operations that take a rotated value, or in the embedding's case make one, as they are or through their weights."""


def rotate_residual(graph: Graph) -> Graph:
    """The graph with every value from embedding to head rotated; raises GraphError where an operation can't follow."""
    block = largest_block(graph.config.hidden)
    if block == 1:
        return graph
    inputs, outputs = _rotated_weights(graph)
    constants = dict(graph.constants)
    for name in inputs:
        constants[name] = rotate_inputs(constants[name], block)
    for name in outputs:
        constants[name] = rotate_outputs(constants[name], block)
    nodes: list[Node] = []
    for node in graph.nodes:
        gain = graph.constants[node.constants["weight"]] if node.op == "rms_norm" else None
        if gain is None or np.all(gain == 1):
            nodes.append(node)
            continue
        name = node.constants["weight"]
        constants[f"{name}.unit"] = np.ones_like(gain)
        constants[name] = (float64_of(gain) / block).astype(np.float32)
        nodes += _with_gain_between_transforms(node, block)
    return with_nodes(graph, nodes, constants)


def _rotated_weights(graph: Graph) -> tuple[list[str], list[str]]:
    """The weights whose input axis and those whose output axis must be rotated, each once."""
    inputs: Counter[str] = Counter()
    outputs: list[str] = []
    rotated: set[str] = set()
    for node in graph.nodes:
        is_rotated = [name in rotated for name in node.inputs]
        if node.op != "embedding" and not any(is_rotated):
            continue
        if node.op not in _FOLLOWERS:
            raise GraphError(f"graph {graph.name}: node {node.op} at {node.source}: can't follow a rotated residual")
        if node.op in ("embedding", "linear"):
            inputs[node.constants["weight"]] += 1
        if node.op == "add":
            outputs += [writing_weight(graph, name) for name in node.inputs if name not in rotated]
        if node.op != "linear":
            rotated.update(node.outputs)
    _check_complete(graph, inputs, rotated)
    return list(inputs), outputs


def _check_complete(graph: Graph, inputs: Counter[str], rotated: set[str]) -> None:
    num_uses = num_uses_by_constant(graph)
    if shared := [name for name, count in inputs.items() if num_uses[name] != count]:
        raise GraphError(f"graph {graph.name}: weight {shared[0]} is also used outside the residual stream")
    if visible := [name for name in graph.outputs if name in rotated]:
        raise GraphError(f"graph {graph.name}: output {visible[0]} is a residual value, which a rotation would change")


def _with_gain_between_transforms(norm: Node, block: int) -> Iterator[Node]:
    (output,) = norm.outputs
    unit, turned_back, scaled = (f"{output}.{part}" for part in ("unit", "turned_back", "scaled"))
    gain = norm.constants["weight"]
    turn = replace(norm, op="hadamard", constants={}, attributes={"block": block})
    yield replace(norm, outputs=(unit,), constants={"weight": f"{gain}.unit"})
    yield replace(turn, inputs=(unit,), outputs=(turned_back,))
    yield replace(norm, op="scale", inputs=(turned_back,), outputs=(scaled,), attributes={})
    yield replace(turn, inputs=(scaled,), outputs=(output,))
