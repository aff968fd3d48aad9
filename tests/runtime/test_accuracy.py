"""Accuracy of a device: the same figures as from the reference evaluator's logits."""

import numpy as np
import pytest

from waterclock.errors import InputError
from waterclock.frontends.evaluate import evaluate_fp32
from waterclock.quantize import Scheme, evaluate_quantized, quantize
from waterclock.quantize.accuracy import AccuracyMeter
from waterclock.runtime.accuracy import measure
from waterclock.runtime.device import Device
from waterclock.runtime.model import Model

WINDOW = 8


def test_the_figures_are_those_of_the_reference_evaluator(model: Model, device: Device) -> None:
    tokens = np.random.default_rng(4).integers(0, 300, 2 * WINDOW + 3)
    *_, measured = measure(model.graph, device, tokens, 2, WINDOW)
    meter, quantized = AccuracyMeter(), quantize(model.graph, Scheme())
    for start in (0, WINDOW):
        inputs, targets = tokens[start : start + WINDOW - 1], tokens[start + 1 : start + WINDOW]
        meter.add(evaluate_fp32(model.graph, inputs), evaluate_quantized(quantized, inputs), targets)
    assert measured == meter.result()
    assert measured.num_predictions == 2 * (WINDOW - 1)


def test_what_can_not_be_measured_is_refused(model: Model, device: Device) -> None:
    with pytest.raises(InputError, match="window 33: the context bucket holds 32 tokens"):
        next(measure(model.graph, device, np.zeros(100, np.int64), 1, 33))
    with pytest.raises(InputError, match="the text has 7 tokens, 1 windows of 8 need more"):
        next(measure(model.graph, device, np.zeros(7, np.int64), 1, WINDOW))
