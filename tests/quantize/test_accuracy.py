"""The accuracy figures against values worked out by hand."""

import math

import numpy as np
import pytest

from waterclock.errors import InputError
from waterclock.quantize.accuracy import AccuracyMeter, windows


def measure(reference: np.ndarray, logits: np.ndarray, targets: np.ndarray, chunk: int) -> object:
    meter = AccuracyMeter()
    for start in range(0, len(targets), chunk):
        part = slice(start, start + chunk)
        meter.add(reference[part], logits[part], targets[part])
    return meter.result()


def test_equal_uniform_logits() -> None:
    logits = np.full((5, 8), 3.25, dtype=np.float32)
    result = measure(logits, logits, np.arange(5), 5)
    assert result.num_predictions == 5
    assert result.perplexity == pytest.approx(8, rel=1e-12)
    assert (result.perplexity_ratio, result.mean_kl, result.top1_agreement) == (1, 0, 1)


def test_two_classes_by_hand() -> None:
    """p = (3/4, 1/4) against q = (1/4, 3/4): KL = 3/4 ln 3 - 1/4 ln 3; the target has q = 1/4."""
    reference = np.log(np.array([[3.0, 1.0]])).astype(np.float32)
    logits = reference[:, ::-1].copy()
    result = measure(reference, logits, np.array([0]), 1)
    assert result.reference_perplexity == pytest.approx(4 / 3, rel=1e-6)
    assert result.perplexity == pytest.approx(4, rel=1e-6)
    assert result.mean_kl == pytest.approx(0.5 * math.log(3), rel=1e-6)
    assert result.top1_agreement == 0


def test_figures_do_not_depend_on_the_chunks() -> None:
    rng = np.random.default_rng(5)
    reference = rng.normal(size=(30, 17)).astype(np.float32)
    logits = reference + rng.normal(size=reference.shape).astype(np.float32)
    targets = rng.integers(0, 17, 30)
    results = [measure(reference, logits, targets, chunk) for chunk in (1, 7, 30)]
    assert results[0] == results[1] == results[2]
    assert results[0].mean_kl > 0


def test_large_logits_do_not_overflow() -> None:
    logits = np.array([[3e38, 0.0, -3e38]], dtype=np.float32)
    assert measure(logits, logits, np.array([0]), 1).perplexity == 1


@pytest.mark.parametrize(
    ("reference", "logits", "targets", "message"),
    [
        (np.zeros((2, 3)), np.zeros((2, 4)), np.zeros(2, int), "reference is"),
        (np.zeros((2, 3)), np.zeros((2, 3)), np.zeros(3, int), "targets"),
        (np.zeros((2, 3)), np.zeros((2, 3)), np.array([0, 3]), "target 0 or 3"),
        (np.zeros((1, 3)), np.array([[0, np.nan, 0]]), np.array([0]), "logits holds a value that is not finite"),
    ],
)
def test_bad_chunks_are_refused(reference: np.ndarray, logits: np.ndarray, targets: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        AccuracyMeter().add(reference.astype(np.float32), logits.astype(np.float32), targets)


def test_nothing_measured_is_nothing_stated() -> None:
    with pytest.raises(InputError, match="no prediction"):
        AccuracyMeter().result()


def test_windows_lie_end_to_end() -> None:
    cut = list(windows(np.arange(23), 3, 7))
    np.testing.assert_array_equal(np.concatenate(cut), np.arange(21))
    with pytest.raises(InputError, match="23 tokens"):
        list(windows(np.arange(23), 4, 7))
    with pytest.raises(InputError, match="nothing to predict"):
        list(windows(np.arange(23), 1, 1))
