"""A rotated model computes what the model did; only the spread of its values changes."""

from dataclasses import replace

import numpy as np
import pytest

from waterclock.frontends.evaluate import FP32_FUNCTIONS, evaluate, evaluate_fp32
from waterclock.frontends.graph import Graph, GraphError
from waterclock.numerics.reductions import hadamard
from waterclock.quantize import QUANTIZED_FUNCTIONS
from waterclock.quantize.fold_norms import fold_norm_gains
from waterclock.quantize.hadamard import largest_block, rotate_inputs, rotate_outputs, transform
from waterclock.quantize.rotate_products import rotate_products
from waterclock.quantize.rotate_residual import rotate_residual
from waterclock.quantize.rotate_values import rotate_values

FUNCTIONS = {**QUANTIZED_FUNCTIONS, **FP32_FUNCTIONS}
PASSES = (fold_norm_gains, rotate_residual, rotate_values, rotate_products)
TOLERANCE = 2e-5
"""Of the largest logit: some hundred fp32 roundings of 6e-8 each lie between the two."""


def logits_of(graph: Graph, tokens: np.ndarray) -> np.ndarray:
    return evaluate(graph, tokens, FUNCTIONS)[graph.outputs[0]]


@pytest.mark.parametrize("num_passes", range(1, len(PASSES) + 1))
def test_every_pass_keeps_the_logits(model: Graph, tokens: np.ndarray, num_passes: int) -> None:
    expected = evaluate_fp32(model, tokens)
    graph = model
    for rewrite in PASSES[:num_passes]:
        graph = rewrite(graph)
    np.testing.assert_allclose(logits_of(graph, tokens), expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())


def test_residual_is_rotated_and_its_outliers_are_spread(tied_model: Graph, tokens: np.ndarray) -> None:
    rotated = rotate_residual(fold_norm_gains(tied_model))
    before, after = (graph.constants["token_embd.weight"][tokens] for graph in (tied_model, rotated))
    np.testing.assert_allclose(after * np.sqrt(32), hadamard(before, 32), rtol=0, atol=1e-5 * np.abs(before).max())
    assert np.abs(after).max() < np.abs(before).max() / 2
    np.testing.assert_allclose((after**2).sum(-1), (before**2).sum(-1), rtol=1e-5)


def test_a_pass_leaves_its_input_alone(model: Graph) -> None:
    before = {name: value.copy() for name, value in model.constants.items()}
    graph = model
    for rewrite in PASSES:
        graph = rewrite(graph)
    for name, value in before.items():
        np.testing.assert_array_equal(model.constants[name], value)


def test_gains_are_folded_except_in_front_of_a_tied_head(model: Graph) -> None:
    folded = fold_norm_gains(model)
    is_tied = "output.weight" not in model.constants
    for node in (node for node in folded.nodes if node.op == "rms_norm"):
        is_one = bool(np.all(folded.constants[node.constants["weight"]] == 1))
        assert is_one != (is_tied and node.source == "output_norm")


@pytest.mark.parametrize(("size", "block"), [(576, 64), (1536, 512), (20, 4), (15, 1), (4096, 4096)])
def test_largest_block(size: int, block: int) -> None:
    assert largest_block(size) == block


@pytest.mark.parametrize("block", [1, 2, 8, 64])
def test_weight_transform_is_that_of_the_machine(block: int) -> None:
    """Small integers make every sum exact, so order does not matter and equality is bit for bit."""
    x = np.random.default_rng(block).integers(-99, 99, (5, 3 * block)).astype(np.float32)
    np.testing.assert_array_equal(transform(x.astype(np.float64), block), hadamard(x, block))


def test_rotations_of_both_sides_cancel() -> None:
    rng = np.random.default_rng(0)
    inner, outer = rng.normal(size=(7, 24)).astype(np.float32), rng.normal(size=(24, 5)).astype(np.float32)
    product = rotate_inputs(inner, 8) @ rotate_outputs(outer, 8)
    np.testing.assert_allclose(product, inner @ outer, rtol=0, atol=1e-5)


def share(graph: Graph, weight: str, with_layers: range) -> Graph:
    """The graph with the weight of layer 0 in other layers too."""
    wanted = {f"blk.{layer}.{weight}": f"blk.0.{weight}" for layer in with_layers}
    nodes = [replace(n, constants={role: wanted.get(c, c) for role, c in n.constants.items()}) for n in graph.nodes]
    return replace(graph, nodes=tuple(nodes))


def test_a_weight_that_layers_share_is_rotated_once(tied_model: Graph, tokens: np.ndarray) -> None:
    model = share(tied_model, "attn_q.weight", range(1, 3))
    expected = evaluate_fp32(model, tokens)
    actual = logits_of(rotate_residual(fold_norm_gains(model)), tokens)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE * np.abs(expected).max())


@pytest.mark.parametrize(
    ("rewrite", "weight"),
    [
        (rotate_residual, "attn_output.weight"),
        (rotate_residual, "ffn_down.weight"),
        (rotate_values, "attn_v.weight"),
        (rotate_products, "ffn_down.weight"),
    ],
)
def test_a_shared_weight_that_would_be_rotated_twice_is_refused(
    tied_model: Graph, rewrite: object, weight: str
) -> None:
    with pytest.raises(GraphError, match=f"blk.0.{weight} is shared"):
        rewrite(share(tied_model, weight, range(1, 2)))


def test_an_output_that_would_come_out_rotated_is_refused(tied_model: Graph) -> None:
    with pytest.raises(GraphError, match=r"output blk.0.attn.add is a residual value"):
        rotate_residual(replace(tied_model, outputs=("output.linear", "blk.0.attn.add")))


def test_an_operation_that_cannot_follow_is_refused(tied_model: Graph) -> None:
    silu = next(node for node in tied_model.nodes if node.op == "silu")
    others = tuple(node for node in tied_model.nodes if node.layer != 0)
    nodes = (others[0], replace(silu, inputs=others[0].outputs), *others[1:])
    with pytest.raises(GraphError, match=r"node silu at blk.0.ffn_gate: can't follow a rotated residual"):
        rotate_residual(replace(tied_model, nodes=nodes))
