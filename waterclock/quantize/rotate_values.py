"""Rotate each head's values, folded into the value and output projections."""

from waterclock.frontends.graph import Graph
from waterclock.quantize.hadamard import largest_block, rotate_inputs, rotate_outputs
from waterclock.quantize.rewrite import private_weight, readers_by_value, with_nodes, writing_weight


def rotate_values(graph: Graph) -> Graph:
    """Attention is linear in its values: rotating them rotates its output, which the next weights turn back.

    Raises GraphError if anything but linear operations stands around an attention.
    """
    block = largest_block(graph.config.head_dim)
    readers = readers_by_value(graph)
    constants = dict(graph.constants)
    for node in graph.nodes:
        if node.op != "scaled_dot_product_attention":
            continue
        value_weight = writing_weight(graph, node.inputs[2])
        constants[value_weight] = rotate_outputs(constants[value_weight], block)
        for reader in readers[node.outputs[0]]:
            weight = private_weight(graph, reader)
            constants[weight] = rotate_inputs(constants[weight], block)
    return with_nodes(graph, graph.nodes, constants)
