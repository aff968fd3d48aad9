"""Rotate at run time where no weight stands before the outliers: the gated product in front of down_proj."""

from dataclasses import replace

from waterclock.frontends.graph import Graph, Node
from waterclock.quantize.hadamard import invert_inputs, largest_block
from waterclock.quantize.rewrite import private_weight, with_nodes


def rotate_products(graph: Graph) -> Graph:
    """A `hadamard` before every linear operation that reads a `mul`, its inverse folded into the weight."""
    products = {node.outputs[0] for node in graph.nodes if node.op == "mul"}
    constants = dict(graph.constants)
    nodes: list[Node] = []
    for node in graph.nodes:
        if node.op != "linear" or node.inputs[0] not in products:
            nodes.append(node)
            continue
        weight = private_weight(graph, node)
        block = largest_block(constants[weight].shape[1])
        constants[weight] = invert_inputs(constants[weight], block)
        rotated = (f"{node.source}.hadamard",)
        nodes.append(replace(node, op="hadamard", outputs=rotated, constants={}, attributes={"block": block}))
        nodes.append(replace(node, inputs=rotated))
    return with_nodes(graph, nodes, constants)
