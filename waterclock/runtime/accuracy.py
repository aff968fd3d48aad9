"""What a chip's arithmetic costs in quality: its logits against the fp32 reference of the same file, over a text."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from waterclock.errors import InputError
from waterclock.frontends.evaluate import evaluate_fp32
from waterclock.frontends.graph import Graph
from waterclock.quantize.accuracy import Accuracy, AccuracyMeter, windows
from waterclock.runtime.device import Device


def measure(
    graph: Graph, device: Device, tokens: npt.NDArray[np.integer], num_windows: int, length: int
) -> Iterator[Accuracy]:
    """The figures so far after each prediction: `num_windows` windows of `length` tokens, length - 1 predictions each.

    `graph` is the float graph of the model that the device runs. InputError for a text that is too short and a window
    that is longer than the device's context bucket.
    """
    if length > device.num_positions:
        raise InputError(f"window {length}: the context bucket holds {device.num_positions} tokens")
    meter = AccuracyMeter()
    for window in windows(tokens, num_windows, length):
        reference = evaluate_fp32(graph, window[:-1])
        for position, token in enumerate(window[:-1]):
            device.feed(int(token), position)
            meter.add(reference[position : position + 1], device.logits()[None], window[position + 1 : position + 2])
            yield meter.result()
