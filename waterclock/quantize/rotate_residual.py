"""Rotate the residual stream by a blockwise Hadamard matrix that is folded into the weights around it.

The rotated model computes the same logits; outliers of single channels are spread over their block, so that one int8
scale per token suffices. Method: QuaRot (arXiv 2404.00456) and SliceGPT (arXiv 2401.15024), with H instead of a random
matrix. The rotation commutes with a norm whose gain is one; where a gain had to stay (tied head), the norm's output is
turned back, scaled and turned again at run time: Q diag(g) Q = H diag(g / block) H.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from waterclock.frontends.graph import Graph, GraphError, Node
from waterclock.quantize.hadamard import largest_block, rotate_inputs, rotate_outputs
from waterclock.quantize.rewrite import float64_of, private_weight, with_nodes, writer_by_value


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
    inputs: dict[str, None] = {}
    outputs: dict[str, None] = {}
    rotated: set[str] = set()
    writers = writer_by_value(graph)
    for node in graph.nodes:
        is_rotated = [name in rotated for name in node.inputs]
        if node.op == "embedding":
            inputs[node.constants["weight"]] = None
        elif node.op == "linear" and is_rotated[0]:
            inputs[node.constants["weight"]] = None
            continue
        elif node.op == "add" and any(is_rotated):
            straight = [name for name in node.inputs if name not in rotated]
            outputs.update(dict.fromkeys(private_weight(graph, writers[name]) for name in straight))
        elif not any(is_rotated):
            continue
        elif node.op != "rms_norm":
            raise GraphError(f"graph {graph.name}: node {node.op} at {node.source}: can't follow a rotated residual")
        rotated.update(node.outputs)
    return list(inputs), list(outputs)


def _with_gain_between_transforms(norm: Node, block: int) -> Iterator[Node]:
    (output,) = norm.outputs
    unit, turned_back, scaled = (f"{output}.{part}" for part in ("unit", "turned_back", "scaled"))
    gain = norm.constants["weight"]
    turn = replace(norm, op="hadamard", constants={}, attributes={"block": block})
    yield replace(norm, outputs=(unit,), constants={"weight": f"{gain}.unit"})
    yield replace(turn, inputs=(unit,), outputs=(turned_back,))
    yield replace(norm, op="scale", inputs=(turned_back,), outputs=(scaled,), attributes={})
    yield replace(turn, inputs=(scaled,), outputs=(output,))
