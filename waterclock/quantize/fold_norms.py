"""Fold the gain of each rms_norm into the linear operations that read it."""

import numpy as np

from waterclock.frontends.graph import Graph
from waterclock.quantize.rewrite import float64_of, num_uses_by_constant, readers_by_value, with_nodes


def fold_norm_gains(graph: Graph) -> Graph:
    """W (g * x) = (W diag(g)) x: gains become ones wherever linear operations with weights of their own read them.

    A weight that is also the embedding table (tied) stays as it is, and so does the gain in front of it.
    """
    readers, num_uses = readers_by_value(graph), num_uses_by_constant(graph)
    constants = dict(graph.constants)
    for norm in (node for node in graph.nodes if node.op == "rms_norm"):
        linears = readers[norm.outputs[0]]
        weights = [node.constants["weight"] for node in linears if node.op == "linear"]
        gain = norm.constants["weight"]
        if len(weights) < len(linears) or any(num_uses[name] > 1 for name in (gain, *weights)):
            continue
        for name in weights:
            constants[name] = (float64_of(constants[name]) * float64_of(constants[gain])).astype(np.float32)
        constants[gain] = np.ones_like(constants[gain])
    return with_nodes(graph, graph.nodes, constants)
