"""The repeated structure of a Graph: what comes before the layers, one layer as the pattern of all, what follows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from waterclock.errors import InputError
from waterclock.frontends.graph import Graph, Node


@dataclass(frozen=True, eq=False)
class LayeredGraph:
    """A Graph whose layers are alike. Node lists are in execution order; `layers[l][i]` is node i of layer l."""

    graph: Graph
    before: tuple[Node, ...]
    layers: tuple[tuple[Node, ...], ...]
    after: tuple[Node, ...]
    layer_input: str
    layer_output: str
    head_input: str

    @property
    def layer_nodes(self) -> tuple[Node, ...]:
        """The first layer, the pattern of all."""
        return self.layers[0]

    @property
    def num_layers(self) -> int:
        return len(self.layers)

    def constant(self, node: Node, role: str) -> list[npt.NDArray[np.generic]]:
        """The node's constant, in every layer if the node is in one."""
        if node.layer is None:
            return [self.graph.constants[node.constants[role]]]
        index = self.layer_nodes.index(node)
        return [self.graph.constants[nodes[index].constants[role]] for nodes in self.layers]

    def label(self, node: Node) -> str:
        """The place of the node in the model, without its layer's number."""
        return node.source if node.layer is None else node.source.replace(f".{node.layer}.", ".", 1)


def layered(graph: Graph) -> LayeredGraph:
    """Split a Graph at its layers. Raises InputError if the layers are not alike or not one chain of values."""
    num_layers = 1 + max((node.layer for node in graph.nodes if node.layer is not None), default=-1)
    if num_layers == 0:
        raise InputError(f"graph {graph.name}: no layers: the compiler expects a decoder with repeated layers")
    layers = tuple(tuple(n for n in graph.nodes if n.layer == index) for index in range(num_layers))
    first = next(i for i, n in enumerate(graph.nodes) if n.layer == 0)
    outside = [(i, n) for i, n in enumerate(graph.nodes) if n.layer is None]
    before = tuple(n for i, n in outside if i < first)
    after = tuple(n for i, n in outside if i > first)
    inputs, outputs = zip(*(_ends(graph, nodes) for nodes in layers), strict=True)
    if list(inputs[1:]) != list(outputs[:-1]):
        raise InputError(f"graph {graph.name}: layers are not one chain of values")
    patterns = [_pattern(graph, nodes) for nodes in layers]
    for index, pattern in enumerate(patterns):
        if pattern != patterns[0]:
            raise InputError(f"graph {graph.name}: layer {index} is not like layer 0; all layers must be alike")
    return LayeredGraph(graph, before, layers, after, inputs[0], outputs[0], outputs[-1])


def _ends(graph: Graph, nodes: Sequence[Node]) -> tuple[str, str]:
    """The one value that enters a layer and the one that leaves it."""
    made = {name for node in nodes for name in node.outputs}
    entering = {name for node in nodes for name in node.inputs} - made
    outside = {name for node in graph.nodes if node.layer != nodes[0].layer for name in node.inputs} | set(
        graph.outputs
    )
    leaving = made & outside
    if len(entering) != 1 or len(leaving) != 1:
        raise InputError(
            f"graph {graph.name}: layer {nodes[0].layer}: {len(entering)} values enter and {len(leaving)} "
            "leave, expected one of each"
        )
    return entering.pop(), leaving.pop()


def _pattern(graph: Graph, nodes: Sequence[Node]) -> tuple[object, ...]:
    """What must be equal in all layers: operations, wiring by position, attributes, shapes and constants' shapes."""
    number: dict[str, int] = {}
    rows: list[object] = []
    for node in nodes:
        wiring = tuple(number.setdefault(name, len(number)) for name in (*node.inputs, *node.outputs))
        shapes = tuple(graph.values[name].type for name in (*node.inputs, *node.outputs))
        constants = tuple(
            (role, graph.constants[name].shape, str(graph.constants[name].dtype))
            for role, name in sorted(node.constants.items())
        )
        rows.append((node.op, wiring, shapes, constants, tuple(sorted(node.attributes.items()))))
    return tuple(rows)
