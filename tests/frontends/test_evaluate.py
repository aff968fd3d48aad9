"""The fp32 evaluator against formulas written out for one token, one head and one number at a time."""

import math

import numpy as np
import pytest

from waterclock.errors import InputError
from waterclock.frontends.evaluate import FP32_FUNCTIONS, evaluate, evaluate_fp32
from waterclock.frontends.graph import OPS, Graph
from waterclock.frontends.rope import rope_table

TOKENS = np.array([5, 300, 7, 7, 0, 2, 311, 19, 44, 5, 5, 120])


def logits_in_double(graph: Graph, tokens: np.ndarray) -> np.ndarray:
    """The llama forward pass from the published formulas, in float64, one token after another with a KV cache."""
    config = graph.config
    weights = {name: np.asarray(value, dtype=np.float64) for name, value in graph.constants.items()}
    caches: list[tuple[list[np.ndarray], list[np.ndarray]]] = [([], []) for _ in range(config.num_layers)]

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        return x / math.sqrt(sum(v * v for v in x) / len(x) + config.rms_eps) * weights[f"{name}.weight"]

    def rotate(x: np.ndarray, position: int) -> np.ndarray:
        pairs = (x[0::2] + 1j * x[1::2]).reshape(-1, config.head_dim // 2)
        angles = [position / config.rope_theta ** (2 * i / config.head_dim) for i in range(config.head_dim // 2)]
        turned = pairs * np.exp(1j * np.array(angles))
        return np.stack([turned.real, turned.imag], axis=-1).reshape(-1)

    def attend(q: np.ndarray, keys: list[np.ndarray], values: list[np.ndarray]) -> np.ndarray:
        heads: list[np.ndarray] = []
        for head in range(config.num_heads):
            kv = slice(*(np.array([0, 1]) + head * config.num_kv_heads // config.num_heads) * config.head_dim)
            query = q[head * config.head_dim : (head + 1) * config.head_dim]
            scores = np.exp([query @ key[kv] / math.sqrt(config.head_dim) for key in keys])
            heads.append(sum(s * v[kv] for s, v in zip(scores / scores.sum(), values, strict=True)))
        return np.concatenate(heads)

    rows: list[np.ndarray] = []
    for position, token in enumerate(tokens):
        x = weights["token_embd.weight"][token]
        for layer, (keys, values) in enumerate(caches):
            w = {name.split(".")[2]: value for name, value in weights.items() if name.startswith(f"blk.{layer}.")}
            h = norm(x, f"blk.{layer}.attn_norm")
            keys.append(rotate(w["attn_k"] @ h, position))
            values.append(w["attn_v"] @ h)
            x = x + w["attn_output"] @ attend(rotate(w["attn_q"] @ h, position), keys, values)
            h = norm(x, f"blk.{layer}.ffn_norm")
            gate = w["ffn_gate"] @ h
            x = x + w["ffn_down"] @ (gate / (1 + np.exp(-gate)) * (w["ffn_up"] @ h))
        rows.append(weights["output.weight"] @ norm(x, "output_norm"))
    return np.stack(rows)


def test_logits_equal_the_formulas(small_graph: Graph) -> None:
    """Within 2e-5 of logits of size 1 to 4: float32 rounds at 6e-8 and each logit sums some hundred such terms."""
    expected = logits_in_double(small_graph, TOKENS)
    actual = evaluate_fp32(small_graph, TOKENS)
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected, rtol=0, atol=2e-5)


def test_batches_of_windows_are_independent(small_graph: Graph) -> None:
    """Within 2e-5: BLAS may sum a larger matrix in another order."""
    windows = TOKENS.reshape(2, 6)
    actual = evaluate_fp32(small_graph, windows)
    assert actual.shape == (2, 6, small_graph.config.vocab)
    for window, logits in zip(windows, actual, strict=True):
        np.testing.assert_allclose(logits, evaluate_fp32(small_graph, window), rtol=0, atol=2e-5)


def test_no_token_sees_the_future(small_graph: Graph) -> None:
    changed = TOKENS.copy()
    changed[-1] += 1
    before, after = evaluate_fp32(small_graph, TOKENS), evaluate_fp32(small_graph, changed)
    np.testing.assert_array_equal(before[:-1], after[:-1])
    assert np.any(before[-1] != after[-1])


def test_progress_reaches_the_last_node(small_graph: Graph) -> None:
    seen: list[tuple[int, int]] = []
    evaluate_fp32(small_graph, TOKENS, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i + 1, len(small_graph.nodes)) for i in range(len(small_graph.nodes))]


@pytest.mark.parametrize("tokens", [[-1], [320], []], ids=["negative", "too large", "none"])
def test_bad_tokens_are_refused(small_graph: Graph, tokens: list[int]) -> None:
    with pytest.raises(InputError, match="tokens"):
        evaluate_fp32(small_graph, np.array(tokens, dtype=np.int64))


def test_an_operation_without_a_function_is_refused(small_graph: Graph) -> None:
    functions = {name: function for name, function in FP32_FUNCTIONS.items() if name != "silu"}
    with pytest.raises(InputError, match="silu"):
        evaluate(small_graph, TOKENS, functions)


def test_the_table_holds_known_operations() -> None:
    assert FP32_FUNCTIONS.keys() <= OPS.keys()


def test_a_longer_rope_table_starts_with_the_shorter() -> None:
    for short, long in zip(rope_table(16, 8, 1e5), rope_table(64, 8, 1e5), strict=True):
        np.testing.assert_array_equal(short, long[:16])
    assert np.all(rope_table(1, 8, 1e4)[0] == 1)
