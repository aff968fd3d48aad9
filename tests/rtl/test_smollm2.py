"""A layer of SmolLM2-135M on the RTL of `narrow`, a chip of 32 lanes. `make rtl-token` runs the whole model there."""

import pytest

from tests.integration.conftest import NUM_LAYER_TOKENS, cut
from tests.integration.executions import build
from tests.rtl.generation import assert_rtl_generates
from waterclock.chip import load
from waterclock.quantize import Scheme, quantize
from waterclock.runtime.model import Model

CONTEXT, FIRST_TOKEN, NUM_TOKENS = 64, 1, 2


@pytest.mark.slow
def test_a_real_layer_runs(smollm2_model: Model) -> None:
    graph = quantize(cut(smollm2_model.graph, NUM_LAYER_TOKENS), Scheme())
    num_cycles, num_changes = assert_rtl_generates(build(graph, load("narrow"), CONTEXT), FIRST_TOKEN, NUM_TOKENS)
    assert num_cycles > NUM_TOKENS * 1_000
    assert num_changes > num_cycles
