"""How far quantized logits are from a reference's: perplexity, KL divergence and top-1 agreement over a text.

The protocol: a text is tokenised whole and cut into windows of equal length; each window is evaluated from scratch; in
a window every token but the first is predicted once.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from waterclock.errors import InputError

WINDOW_TOKENS = 512

Logits = NDArray[np.float32]
Tokens = NDArray[np.integer]


@dataclass(frozen=True)
class Accuracy:
    """Figures over all predictions; KL is of the reference from the logits under test, in nats."""

    num_predictions: int
    reference_perplexity: float
    perplexity: float
    mean_kl: float
    top1_agreement: float

    @property
    def perplexity_ratio(self) -> float:
        """Perplexity over the reference's."""
        return self.perplexity / self.reference_perplexity


class AccuracyMeter:
    """Takes chunks of predictions and keeps sums only, in float64, so a text of any length fits."""

    def __init__(self) -> None:
        self._num_predictions = 0
        self._reference_loss = 0.0
        self._loss = 0.0
        self._kl = 0.0
        self._num_agreements = 0

    def add(self, reference: Logits, logits: Logits, targets: Tokens) -> None:
        """Count predictions: two float32 logits [n, vocab] and the token ids [n] that really came next.

        Raises InputError if the shapes differ, a target is outside the vocabulary or logits are not finite.
        """
        _check(reference, logits, targets)
        for expected, actual, target in zip(reference, logits, targets, strict=True):
            expected_log, actual_log = log_softmax(expected), log_softmax(actual)
            self._num_predictions += 1
            self._reference_loss -= float(expected_log[target])
            self._loss -= float(actual_log[target])
            self._kl += float(np.exp(expected_log) @ (expected_log - actual_log))
            self._num_agreements += int(expected.argmax() == actual.argmax())

    def result(self) -> Accuracy:
        """The figures so far; raises InputError if nothing was added."""
        if self._num_predictions == 0:
            raise InputError("accuracy: no prediction was given, so nothing can be stated")
        return Accuracy(
            num_predictions=self._num_predictions,
            reference_perplexity=math.exp(self._reference_loss / self._num_predictions),
            perplexity=math.exp(self._loss / self._num_predictions),
            mean_kl=self._kl / self._num_predictions,
            top1_agreement=self._num_agreements / self._num_predictions,
        )


def windows(tokens: Tokens, num_windows: int, length: int = WINDOW_TOKENS) -> Iterator[Tokens]:
    """The first `num_windows` windows of a tokenised text, end to end; raises InputError if the text is too short."""
    if length < 2 or num_windows < 1:
        raise InputError(f"accuracy: {num_windows} windows of {length} tokens hold nothing to predict")
    if len(tokens) < num_windows * length:
        raise InputError(f"accuracy: the text has {len(tokens)} tokens, {num_windows} windows of {length} need more")
    for start in range(0, num_windows * length, length):
        yield tokens[start : start + length]


def log_softmax(logits: Logits) -> NDArray[np.float64]:
    """log of softmax over the last axis, in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _check(reference: Logits, logits: Logits, targets: Tokens) -> None:
    if reference.ndim != 2 or reference.shape != logits.shape or targets.shape != reference.shape[:1]:
        raise InputError(
            f"accuracy: reference is {reference.shape}, logits {logits.shape} and targets {targets.shape}, "
            "expected [n, vocab] twice and [n]"
        )
    if targets.size and not 0 <= targets.min() <= targets.max() < reference.shape[1]:
        raise InputError(f"accuracy: target {targets.min()} or {targets.max()} is not in 0 to {reference.shape[1] - 1}")
    for name, values in (("reference", reference), ("logits", logits)):
        if not np.isfinite(values).all():
            raise InputError(f"accuracy: {name} holds a value that is not finite")
