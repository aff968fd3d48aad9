"""From logits to a token: against an obvious slow oracle, and the draw against the definition of its generator."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from waterclock.errors import InputError
from waterclock.runtime.sampler import Candidates, candidates, choose, logprobs, uniform
from waterclock.runtime.sampling import Sampling
from waterclock.runtime.softmax import exp, log_softmax

VOCAB = 12
WARM = Sampling(temperature=1.0)
FINITE = st.one_of(st.sampled_from([0.0, -0.0, 1.0, 1.0, -1.0, 2.5, 100.0, -3e38, 3e38]), st.floats(-30, 30, width=32))
LOGITS = st.lists(st.one_of(FINITE, st.just(-math.inf)), min_size=VOCAB, max_size=VOCAB).filter(
    lambda values: max(values) > -math.inf
)
TOKENS = st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=8)
SAMPLINGS = st.builds(
    Sampling,
    temperature=st.sampled_from([1.0, 0.7, 2.0, 100.0, 1e-3, 1e-310]),
    top_k=st.integers(0, VOCAB + 2),
    top_p=st.sampled_from([0.0, 0.3, 0.5, 0.9, 1.0]),
    min_p=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    repetition_penalty=st.sampled_from([1.0, 1.3, 0.8, 100.0]),
    repetition_window=st.integers(1, 9),
    seed=st.integers(0, 2**63 - 1),
)


def weight(below: float) -> float:
    return float(exp(np.array([below]))[0])


def slow_candidates(logits: Sequence[float], tokens: Sequence[int], sampling: Sampling) -> list[tuple[int, float]]:
    """The definition, token by token."""
    values = [float(x) for x in logits]
    for token in set(tokens[-sampling.repetition_window :]):
        factor = sampling.repetition_penalty
        values[token] = values[token] / factor if values[token] > 0 else values[token] * factor
    kept = sorted((token for token in range(len(values)) if values[token] > -math.inf), key=lambda t: (-values[t], t))
    kept = kept[: sampling.top_k or None]
    best = values[kept[0]]
    weights = [weight(values[token] - best) for token in kept]
    total, together, num_together = 0.0, 0.0, 0
    for each in weights:
        total += each
    for each in weights:
        together, num_together = together + each, num_together + 1
        if sampling.top_p < 1 and together >= sampling.top_p * total:
            break
    num_kept = sum(1 for each in weights[:num_together] if each >= sampling.min_p)
    return [
        (token, weight(max((values[token] - best), -750 * sampling.temperature) / sampling.temperature))
        for token in kept[:num_kept]
    ]


def slow_pick(pairs: Sequence[tuple[int, float]], share: float) -> int:
    total, end = 0.0, 0.0
    for _, each in pairs:
        total += each
    for token, each in pairs:
        end += each
        if share * total < end:
            return token
    raise AssertionError("a share below 1 ends within the last token")


@given(LOGITS, TOKENS, SAMPLINGS)
def test_filters_keep_what_the_definition_keeps(logits: list[float], tokens: list[int], sampling: Sampling) -> None:
    kept = candidates(np.array(logits, np.float32), tokens, sampling)
    expected = slow_candidates(np.array(logits, np.float32).tolist(), tokens, sampling)
    assert list(zip(kept.tokens.tolist(), kept.weights.tolist(), strict=True)) == expected


@given(LOGITS, TOKENS, SAMPLINGS)
def test_the_seed_and_the_position_choose_among_them(
    logits: list[float], tokens: list[int], sampling: Sampling
) -> None:
    share = uniform(sampling.seed, len(tokens) - 1)
    expected = slow_pick(slow_candidates(np.array(logits, np.float32).tolist(), tokens, sampling), share)
    assert choose(np.array(logits, np.float32), tokens, sampling) == expected


@given(LOGITS, TOKENS, st.sampled_from([1.0, 1.5, 0.5]), st.integers(1, 9))
def test_without_a_temperature_the_most_likely_is_taken(
    logits: list[float], tokens: list[int], penalty: float, window: int
) -> None:
    asked = {"repetition_penalty": penalty, "repetition_window": window}
    best = slow_candidates(np.array(logits, np.float32).tolist(), tokens, Sampling(temperature=1.0, **asked))[0][0]
    filters = {"top_k": 3, "top_p": 0.2, "min_p": 0.9, "seed": 5}
    assert choose(np.array(logits, np.float32), tokens, Sampling(**asked, **filters)) == best


def test_each_share_picks_the_token_whose_part_it_is_in() -> None:
    parts = [1, 3, 4, 0, 8]
    kept = Candidates(np.arange(10, 15), np.array(parts, np.float64))
    picked = [kept.pick(sixteenth / 16) for sixteenth in range(16)]
    assert picked == [10 + index for index, part in enumerate(parts) for _ in range(part)]
    below = [math.nextafter(sixteenth / 16, 0) for sixteenth in range(1, 17)]
    assert [kept.pick(share) for share in below] == picked, "a part ends just below its end"


def test_the_largest_share_picks_the_last_possible_token() -> None:
    largest = 1 - 2.0**-53
    for total in np.random.default_rng(4).random(1000) * 100:
        assert Candidates(np.arange(3), np.array([total / 3, total, 0.0])).pick(largest) == 1


def test_equal_logits_are_ordered_by_token() -> None:
    logits = np.array([1, 2, 2, 1, 2], np.float32)
    assert candidates(logits, [0], WARM).tokens.tolist() == [1, 2, 4, 0, 3]
    assert candidates(logits, [0], Sampling(temperature=1.0, top_k=2)).tokens.tolist() == [1, 2]
    assert [candidates(logits, [0], Sampling(temperature=1.0, top_p=p)).tokens.tolist() for p in (0, 0.3)] == [
        [1],
        [1, 2],
    ]


@pytest.mark.parametrize(("top_p", "num_kept"), [(0.0, 1), (0.25, 1), (0.26, 2), (0.5, 2), (0.75, 3), (0.76, 4)])
def test_top_p_keeps_no_more_than_it_takes(top_p: float, num_kept: int) -> None:
    logits = np.array([1, 1, 1, 1, -np.inf], np.float32)
    kept = candidates(logits, [0], Sampling(temperature=1.0, top_p=top_p))
    assert kept.tokens.tolist() == list(range(num_kept))


def test_a_top_p_of_1_keeps_what_is_too_small_to_add() -> None:
    logits = np.array([0, -60], np.float32)
    assert candidates(logits, [0], Sampling(temperature=100.0)).tokens.tolist() == [0, 1]


def test_a_recent_token_counts_once_and_an_old_one_not_at_all() -> None:
    logits = np.array([4, -4, 4, 4], np.float32)
    penalised = Sampling(temperature=1.0, repetition_penalty=2.0, repetition_window=3)
    kept = candidates(logits, [3, 0, 1, 0], penalised)
    assert kept.tokens.tolist() == [2, 3, 0, 1]
    np.testing.assert_array_equal(kept.weights, exp(np.array([0.0, 0.0, -2.0, -12.0])))
    assert logits.tolist() == [4, -4, 4, 4], "the logits are the caller's"


def philox(seed: int, position: int) -> int:
    """The first word of Philox 4x64-10, by its definition (Salmon et al. 2011, section 3.3); numpy counts before."""
    counter, key = [position + 1, 0, 0, 0], [seed, 0]
    for _ in range(10):
        (high0, low0), (high1, low1) = (
            divmod(factor * word, 1 << 64)
            for factor, word in ((0xD2E7470EE14C6C93, counter[0]), (0xCA5A826395121157, counter[2]))
        )
        counter = [high1 ^ counter[1] ^ key[0], low1, high0 ^ counter[3] ^ key[1], low0]
        key = [
            (word + step) % (1 << 64) for word, step in zip(key, (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B), strict=True)
        ]
    return counter[0]


@pytest.mark.parametrize("seed", [0, 1, 12345, 2**63 - 1])
def test_a_draw_is_philox_by_seed_and_position(seed: int) -> None:
    for position in (0, 1, 2, 255, 100_000):
        assert uniform(seed, position) == (philox(seed, position) >> 11) / 2**53
        assert 0 <= uniform(seed, position) < 1


def test_draws_differ() -> None:
    drawn = {uniform(seed, position) for seed in range(40) for position in range(40)}
    assert len(drawn) == 1600


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("sampling", [WARM, Sampling(repetition_penalty=1.1)])
def test_logits_that_are_no_distribution_are_refused(bad: float, sampling: Sampling) -> None:
    logits = np.array([1, bad, 2], np.float32)
    with pytest.raises(InputError, match="logits: hold NaN or"):
        choose(logits, [0], sampling)
    with pytest.raises(InputError, match="logits: hold NaN or"):
        logprobs(np.full(3, -np.inf, np.float32), 0, 1)


@given(LOGITS, st.integers(0, VOCAB - 1), st.integers(0, VOCAB + 2))
def test_logprobs_are_of_the_raw_logits(logits: list[float], token: int, num: int) -> None:
    values = np.array(logits, np.float32)
    told, all_of_them = logprobs(values, token, num), log_softmax(values.astype(np.float64))
    assert told.chosen == all_of_them[token]
    order = sorted((t for t in range(VOCAB) if values[t] > -math.inf), key=lambda t: (-float(values[t]), t))[:num]
    assert [(each.token, each.logprob) for each in told.top] == [(t, all_of_them[t]) for t in order]
