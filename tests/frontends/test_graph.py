"""Graph.validate: what is not SSA, not typed or not known is refused, naming the node and its place."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from waterclock.errors import InputError
from waterclock.frontends.builder import GraphBuilder
from waterclock.frontends.graph import DType, Graph, GraphError, Node, Value

BLOCK = "blk.1.ffn_down"


def with_node(graph: Graph, source: str, change: Callable[[Node], Node]) -> Graph:
    nodes = tuple(change(node) if node.source == source else node for node in graph.nodes)
    assert nodes != graph.nodes
    return replace(graph, nodes=nodes)


BROKEN: dict[str, tuple[Callable[[Graph], Graph], str]] = {
    "unknown operation": (lambda g: with_node(g, BLOCK, lambda n: replace(n, op="conv2d")), "unknown operation"),
    "undefined input": (lambda g: with_node(g, BLOCK, lambda n: replace(n, inputs=("nowhere",))), "before it is"),
    "undefined output": (lambda g: replace(g, outputs=("nowhere",)), "never computed"),
    "missing constant": (lambda g: with_node(g, BLOCK, lambda n: replace(n, constants={"weight": "no"})), "missing"),
    "wrong constant": (
        lambda g: with_node(g, BLOCK, lambda n: replace(n, constants={"weight": "token_embd.weight"})),
        "weight is f32",
    ),
    "wrong role": (lambda g: with_node(g, BLOCK, lambda n: replace(n, constants={})), "constants are"),
    "extra attribute": (lambda g: with_node(g, BLOCK, lambda n: replace(n, attributes={"eps": 1.0})), "attributes"),
    "too few outputs": (lambda g: with_node(g, BLOCK, lambda n: replace(n, outputs=())), "0 outputs"),
    "defined twice": (lambda g: replace(g, nodes=(*g.nodes, g.nodes[-1])), "defined twice"),
    "out of order": (lambda g: replace(g, nodes=g.nodes[::-1]), "before it is computed"),
    "undeclared value": (lambda g: replace(g, values={"token": g.values["token"]}), "not declared"),
    "unused value": (lambda g: replace(g, values={**g.values, "x": Value("x", (1,), DType.F32)}), "value x"),
    "wrong declaration": (
        lambda g: replace(g, values={**g.values, g.outputs[0]: Value(g.outputs[0], (7,), DType.F32)}),
        "declared f32",
    ),
    "double precision": (
        lambda g: replace(g, constants={**g.constants, "output.weight": g.constants["output.weight"].astype("f8")}),
        "float64",
    ),
}


@pytest.mark.parametrize(("break_it", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_graph_is_refused(small_graph: Graph, break_it: Callable[[Graph], Graph], message: str) -> None:
    small_graph.validate()
    with pytest.raises(GraphError, match=message) as error:
        break_it(small_graph).validate()
    assert isinstance(error.value, InputError)
    assert "\n" not in str(error.value)


def test_errors_name_node_and_place(small_graph: Graph) -> None:
    with pytest.raises(GraphError, match=r"node linear at blk\.1\.ffn_down: input nowhere"):
        with_node(small_graph, BLOCK, lambda node: replace(node, inputs=("nowhere",))).validate()


def test_layers_are_marked(small_graph: Graph) -> None:
    for node in small_graph.nodes:
        expected = int(node.source.split(".")[1]) if node.source.startswith("blk.") else None
        assert node.layer == expected


def test_the_builder_refuses_what_does_not_fit(small_graph: Graph) -> None:
    builder = GraphBuilder("test", small_graph.config)
    x = builder.input("x", (8,), DType.F32)
    with pytest.raises(GraphError, match="node conv2d at here"):
        builder.add("conv2d", (x,), source="here")
    with pytest.raises(GraphError, match="node linear at here"):
        builder.add("linear", (x,), source="here")
    builder.constant("w", np.ones(8, np.float32))
    with pytest.raises(GraphError, match="constant w is given twice"):
        builder.constant("w", np.ones(8, np.float32))


def test_the_builder_names_several_outputs(small_graph: Graph) -> None:
    builder = GraphBuilder("test", small_graph.config)
    outputs = builder.add("quantize_int8", (builder.input("x", (8,), DType.F32),), source="here")
    graph = builder.build(outputs)
    assert [graph.values[name].dtype for name in outputs] == [DType.I8, DType.F32]
