"""The quantized graph: its structure, its shared constants, its weights."""

from dataclasses import replace

import numpy as np
import pytest

from waterclock.frontends.graph import Graph, GraphError, Node
from waterclock.quantize import QUANTIZED_FUNCTIONS, Scheme, quantize
from waterclock.quantize.to_int8 import quantize_weight

SCHEMES = [Scheme(rotate=True), Scheme(rotate=False)]


def structure(graph: Graph, layer: int) -> list[tuple[object, ...]]:
    """What a loop over layers relies on: operations, attributes, shapes, and where each operand comes from."""
    nodes = [node for node in graph.nodes if node.layer == layer]
    place = {name: (index, port) for index, node in enumerate(nodes) for port, name in enumerate(node.outputs)}
    return [_shape_of(graph, node, place) for node in nodes]


def _shape_of(graph: Graph, node: Node, place: dict[str, tuple[int, int]]) -> tuple[object, ...]:
    operands = [(place.get(name, "outside"), str(graph.values[name].type)) for name in node.inputs]
    constants = {
        role: (graph.constants[name].dtype, graph.constants[name].shape) for role, name in node.constants.items()
    }
    return node.op, operands, constants, dict(node.attributes)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_layer_has_the_same_structure(model: Graph, scheme: Scheme) -> None:
    graph = quantize(model, scheme)
    first = structure(graph, 0)
    assert len(first) > 10
    assert all(structure(graph, layer) == first for layer in range(1, model.config.num_layers))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_only_defined_operations_and_no_float_weight_remain(model: Graph, scheme: Scheme) -> None:
    graph = quantize(model, scheme)
    assert {node.op for node in graph.nodes} <= QUANTIZED_FUNCTIONS.keys()
    assert all(value.ndim == 1 for value in graph.constants.values() if value.dtype == np.float32)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_tied_head_and_embedding_share_one_copy(tied_model: Graph, scheme: Scheme) -> None:
    graph = quantize(tied_model, scheme)
    embedding, head = graph.nodes[0], graph.nodes[-1]
    assert (embedding.op, head.op) == ("embedding_int8", "linear_int8")
    assert embedding.constants == head.constants
    vocab_sized = [name for name, value in graph.constants.items() if value.shape[0] == graph.config.vocab]
    assert sorted(vocab_sized) == sorted(head.constants.values())


def test_tied_head_applies_its_gain_between_two_transforms(tied_model: Graph) -> None:
    graph = quantize(tied_model, Scheme(rotate=True))
    tail = [node.op for node in graph.nodes if node.layer is None][1:]
    assert tail == ["rms_scale", "hadamard", "scale", "hadamard", "quantize_int8", "mul", "linear_int8"]


def test_a_norm_is_quantized_once_and_without_waiting_for_its_number(tied_model: Graph) -> None:
    graph = quantize(tied_model, Scheme(rotate=True))
    writer = {name: node for node in graph.nodes for name in node.outputs}
    readers = [
        node
        for node in graph.nodes
        if node.source in ("blk.1.attn_q", "blk.1.attn_k", "blk.1.attn_v") and node.op == "linear_int8"
    ]
    assert len({node.inputs for node in readers}) == 1
    codes, scale = readers[0].inputs
    assert writer[codes].op == "quantize_int8"
    assert writer[writer[codes].inputs[0]].op == "add"
    assert [writer[name].op for name in writer[scale].inputs] == ["quantize_int8", "rms_scale"]


def test_weight_codes_are_within_half_a_step_and_reach_127() -> None:
    weight = np.random.default_rng(1).normal(size=(40, 33)).astype(np.float32)
    codes, scale = quantize_weight(weight)
    assert codes.dtype == np.int8
    assert np.all(np.abs(codes.astype(int)).max(axis=1) == 127)
    np.testing.assert_array_equal(scale, np.abs(weight).max(axis=1) / np.float32(127))
    error = np.abs(codes * scale[:, None].astype(np.float64) - weight)
    assert np.all(error <= scale[:, None] * (0.5 + 1e-5))


def test_weight_rows_that_the_machine_takes_for_zero() -> None:
    weight = np.array([[0, 0], [1e-37, -1e-38], [1.0, 0.5]], dtype=np.float32)
    codes, scale = quantize_weight(weight)
    np.testing.assert_array_equal(codes, [[0, 0], [0, 0], [127, 64]])
    np.testing.assert_array_equal(scale, np.array([0, 0, np.float32(1) / np.float32(127)], dtype=np.float32))


def test_a_quantized_graph_is_not_quantized_again(tied_model: Graph) -> None:
    graph = quantize(tied_model, Scheme())
    with pytest.raises(GraphError, match="embedding_int8 at token_embd: has no int8 form"):
        quantize(graph, Scheme())


def test_quantizing_is_deterministic(tied_model: Graph) -> None:
    first, second = (quantize(tied_model, Scheme()) for _ in range(2))
    assert first.nodes == second.nodes
    assert list(first.constants) == list(second.constants)
    for name, value in first.constants.items():
        np.testing.assert_array_equal(second.constants[name], value)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_weights_that_overflow_are_refused(model: Graph, scheme: Scheme) -> None:
    """They are finite in the file, but not once a norm's gain is folded in."""
    names = ("blk.0.attn_norm.weight", "blk.0.attn_q.weight")
    large = {name: np.full_like(model.constants[name], 1e30) for name in names}
    with pytest.raises(GraphError, match=r"blk\.0\.attn_q\.weight.*: too large for float32"):
        quantize(replace(model, constants={**model.constants, **large}), scheme)
