"""A rotated model computes what the model did; only the spread of its values changes."""

import numpy as np
import pytest

from waterclock.frontends.evaluate import FP32_FUNCTIONS, evaluate, evaluate_fp32
from waterclock.frontends.graph import Graph
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
