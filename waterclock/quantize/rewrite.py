"""What the passes share: who uses a value or a constant, and a Graph with other nodes."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import cast

import numpy as np
from numpy.typing import NDArray

from waterclock.frontends.builder import GraphBuilder
from waterclock.frontends.graph import Graph, GraphError, Node

Constants = Mapping[str, NDArray[np.generic]]


def readers_by_value(graph: Graph) -> Mapping[str, list[Node]]:
    """The nodes that read each value; nothing for a value that no node reads."""
    readers: defaultdict[str, list[Node]] = defaultdict(list)
    for node in graph.nodes:
        for name in dict.fromkeys(node.inputs):
            readers[name].append(node)
    return readers


def num_uses_by_constant(graph: Graph) -> Counter[str]:
    """How many nodes refer to each constant."""
    return Counter(name for node in graph.nodes for name in node.constants.values())


def private_weight(graph: Graph, node: Node) -> str:
    """The name of a linear operation's weight; raises GraphError if the node is another or others share the weight."""
    place = f"graph {graph.name}: node {node.op} at {node.source}"
    if node.op != "linear":
        raise GraphError(f"{place}: stands where only a linear operation can take up a rotation")
    if num_uses_by_constant(graph)[node.constants["weight"]] != 1:
        raise GraphError(f"{place}: weight {node.constants['weight']} is shared, so it can't take up a rotation")
    return node.constants["weight"]


def writing_weight(graph: Graph, value: str) -> str:
    """The private weight of the linear operation that computes a value; raises GraphError if that has other readers."""
    writer = next((node for node in graph.nodes if value in node.outputs), None)
    if writer is None:
        raise GraphError(f"graph {graph.name}: input {value} can't take up a rotation")
    if value in graph.outputs or len(readers_by_value(graph)[value]) != 1:
        raise GraphError(f"graph {graph.name}: value {value} is read at more than the place that needs it rotated")
    return private_weight(graph, writer)


def float32_of(constant: NDArray[np.generic]) -> NDArray[np.float32]:
    """A float constant; raises GraphError for integers."""
    if constant.dtype != np.float32:
        raise GraphError(f"constant of {constant.dtype}, expected float32: this pass comes before quantizing")
    return cast(NDArray[np.float32], constant)


def float64_of(constant: NDArray[np.generic]) -> NDArray[np.float64]:
    """A float constant for arithmetic that is rounded once, at its end; raises GraphError for integers."""
    return float32_of(constant).astype(np.float64)


def with_nodes(graph: Graph, nodes: Iterable[Node], constants: Constants) -> Graph:
    """The graph with other nodes and constants; types are inferred anew, constants that no node uses are dropped."""
    nodes = tuple(nodes)
    builder = GraphBuilder(graph.name, graph.config)
    for name in graph.inputs:
        builder.input(name, graph.values[name].shape, graph.values[name].dtype)
    for name in dict.fromkeys(name for node in nodes for name in node.constants.values()):
        builder.constant(name, constants[name])
    for node in nodes:
        builder.add(
            node.op,
            node.inputs,
            source=node.source,
            layer=node.layer,
            outputs=node.outputs,
            constants=node.constants,
            attributes=node.attributes,
        )
    return builder.build(graph.outputs)
