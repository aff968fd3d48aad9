"""The specification of the quantized operations, checked against independent readings of it."""

import math
from itertools import pairwise

import numpy as np
import pytest

from waterclock.errors import InputError
from waterclock.frontends.evaluate import causal_attention, evaluate_fp32
from waterclock.frontends.graph import OPS, Graph
from waterclock.numerics import fp32
from waterclock.numerics.convert import to_fp32, to_uint8
from waterclock.numerics.functions import exp2, reciprocal
from waterclock.numerics.reductions import reduce_add, reduce_max
from waterclock.quantize import QUANTIZED_FUNCTIONS, Scheme, evaluate_quantized, quantize
from waterclock.quantize.evaluate import LOG2_E, attention_int8, linear_int8, quantize_int8, rms_scale, rope, silu

SCHEMES = [Scheme(rotate=True), Scheme(rotate=False)]


def bits(x: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(x).view(np.int32)


def normal(seed: int, *shape: int, spread: float = 1.0) -> np.ndarray:
    return (spread * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_all_tokens_at_once_equal_token_by_token(model: Graph, tokens: np.ndarray, scheme: Scheme) -> None:
    """Token t of the whole text has the bits of the last token of the text that ends there."""
    graph = quantize(model, scheme)
    whole = evaluate_quantized(graph, tokens)
    assert whole.dtype == np.float32
    for end in range(1, len(tokens) + 1):
        np.testing.assert_array_equal(bits(evaluate_quantized(graph, tokens[:end])[-1]), bits(whole[end - 1]))


def test_a_batch_of_texts_equals_each_alone(tied_model: Graph, tokens: np.ndarray) -> None:
    graph = quantize(tied_model, Scheme())
    texts = np.stack([tokens, tokens[::-1]])
    alone = np.stack([evaluate_quantized(graph, text) for text in texts])
    np.testing.assert_array_equal(bits(evaluate_quantized(graph, texts)), bits(alone))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_quantized_logits_are_near_the_float_model(model: Graph, tokens: np.ndarray, scheme: Scheme) -> None:
    """Eight-bit codes keep about two digits: a wrong operand, scale or order would be far outside a tenth."""
    expected, actual = evaluate_fp32(model, tokens), evaluate_quantized(quantize(model, scheme), tokens)
    assert 0 < np.sqrt(np.mean((actual - expected) ** 2)) < 0.1 * expected.std()


def test_the_functions_are_the_operations_of_the_table() -> None:
    assert QUANTIZED_FUNCTIONS.keys() <= OPS.keys()


def test_float_operations_are_refused(tied_model: Graph, tokens: np.ndarray) -> None:
    with pytest.raises(InputError, match="no function evaluates embedding, linear"):
        evaluate_quantized(tied_model, tokens)


def test_codes_reconstruct_within_half_a_step() -> None:
    x = normal(1, 9, 100, spread=300)
    codes, scale = quantize_int8(x)
    assert np.abs(codes).max(axis=-1).tolist() == [127] * 9
    assert np.all(np.abs(codes * scale - x) <= 0.501 * scale)


@pytest.mark.parametrize("zero", [0.0, -0.0, 1e-40])
def test_a_vector_of_zeros_has_no_scale(zero: float) -> None:
    codes, scale = quantize_int8(np.full((1, 8), zero, dtype=np.float32))
    np.testing.assert_array_equal(codes, 0)
    np.testing.assert_array_equal(bits(scale), 0)


def test_linear_is_exact_in_integers_and_rounded_three_times() -> None:
    rng = np.random.default_rng(4)
    weight, q = rng.integers(-127, 128, (5, 3000)), rng.integers(-128, 128, 3000)
    scale, q_scale = normal(5, 5), normal(6, 1)
    expected = [
        np.float32(np.float32(np.float32(sum(int(w) * int(x) for w, x in zip(row, q, strict=True))) * s) * q_scale[0])
        for row, s in zip(weight, scale, strict=True)
    ]
    actual = linear_int8(q[np.newaxis].astype(np.int32), q_scale[np.newaxis], weight.astype(np.int8), scale)
    np.testing.assert_array_equal(bits(actual[0]), bits(np.array(expected, dtype=np.float32)))


def test_functions_are_near_their_exact_values() -> None:
    """Within 1e-6: a handful of roundings of 6e-8 and approximations of 4e-7."""
    x = normal(8, 4, 96, spread=5)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(silu(x), exact / (1 + np.exp(-exact)), rtol=2e-6)
    np.testing.assert_allclose(rms_scale(x, 1e-5), 1 / np.sqrt((exact**2).mean(-1, keepdims=True) + 1e-5), rtol=1e-6)


def test_rope_rotates_each_pair_by_the_position() -> None:
    x, head_dim, theta = normal(9, 40, 24), 8, 10_000.0
    pairs = x.astype(np.float64).reshape(40, 3, 4, 2)
    angles = np.arange(40)[:, None] * theta ** (-np.arange(0, head_dim, 2) / head_dim)
    turned = (pairs[..., 0] + 1j * pairs[..., 1]) * np.exp(1j * angles)[:, None]
    expected = np.stack([turned.real, turned.imag], axis=-1).reshape(x.shape)
    np.testing.assert_allclose(rope(x, head_dim, theta), expected, rtol=0, atol=1e-6)


def decode_attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, bucket: int) -> np.ndarray:
    """One head, token after token, with a cache of `bucket` zeroed positions: how the machine does it."""
    num_tokens, head_dim = q.shape
    cache_k, cache_v = np.zeros((2, bucket, head_dim), dtype=np.int64)
    scale_k, scale_v = np.zeros((2, bucket), dtype=np.float32)
    outputs = []
    for position in range(num_tokens):
        for cache, scale, x in ((cache_k, scale_k, k), (cache_v, scale_v, v)):
            cache[position], scale[position : position + 1] = quantize_int8(x[position])
        codes, q_scale = quantize_int8(q[position])
        products = to_fp32((cache_k @ codes).astype(np.int32))
        factor = fp32.mul(q_scale, np.float32(LOG2_E / math.sqrt(head_dim)))
        scores = fp32.mul(fp32.mul(products, scale_k), factor)
        scores[position + 1 :] = -np.inf
        weights = exp2(fp32.sub(scores, reduce_max(scores)))
        scaled = fp32.mul(weights, scale_v)
        largest = reduce_max(scaled)
        probabilities = to_uint8(fp32.mul(scaled, fp32.mul(reciprocal(largest), np.float32(255))))
        factor = fp32.mul(fp32.mul(largest, np.float32(1 / 255)), reciprocal(reduce_add(weights)))
        outputs.append(fp32.mul(to_fp32((probabilities @ cache_v).astype(np.int32)), factor))
    return np.stack(outputs)


def test_attention_does_not_depend_on_the_context_bucket() -> None:
    q, k, v = (normal(seed, 100, 16, spread=3) for seed in (20, 21, 22))
    at_once = attention_int8(q, k, v, head_dim=16)
    for bucket in (128, 256, 512):
        np.testing.assert_array_equal(bits(decode_attention(q, k, v, bucket)), bits(at_once))


def test_a_sum_does_not_depend_on_zeros_behind_it() -> None:
    """The halving tree adds +0 to numbers that are not negative, which changes no bit."""
    weights = exp2(normal(30, 8, 200, spread=20))
    sums = [reduce_add(np.pad(weights, ((0, 0), (0, size - 200)))) for size in (200, 256, 512, 1024)]
    for one, other in pairwise(sums):
        np.testing.assert_array_equal(bits(one), bits(other))


def test_query_heads_share_the_keys_and_values_of_their_group() -> None:
    q, k, v = normal(40, 12, 4 * 8), normal(41, 12, 2 * 8), normal(42, 12, 2 * 8)
    together = attention_int8(q, k, v, head_dim=8).reshape(12, 4, 8)
    for head in range(4):
        own, shared = slice(8 * head, 8 * head + 8), slice(8 * (head // 2), 8 * (head // 2) + 8)
        alone = attention_int8(q[:, own], k[:, shared], v[:, shared], head_dim=8)
        np.testing.assert_array_equal(bits(together[:, head]), bits(alone))


def test_attention_is_near_float_attention() -> None:
    """Codes of 8 bits on q, k, v and probabilities: within a few steps of 1/127 of the largest value."""
    q, k, v = normal(50, 60, 32), normal(51, 60, 16), normal(52, 60, 16)
    expected = causal_attention(q, k, v, head_dim=8)
    actual = attention_int8(q, k, v, head_dim=8)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=4 / 127 * np.abs(v).max())


def test_values_of_zero_give_zeros() -> None:
    q, k = normal(60, 5, 8), normal(61, 5, 8)
    result = attention_int8(q, k, np.zeros_like(q), head_dim=8)
    np.testing.assert_array_equal(bits(result), 0)
