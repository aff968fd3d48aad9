"""A random Llama on the RTL of `tiny`: text, bits and cycles are the compiler's, the machine's and the stepper's."""

from pathlib import Path

import pytest

from tests.integration.executions import build, random_graph
from tests.rtl.generation import assert_rtl_generates
from waterclock.chip import Chip

CONTEXT = 16
FIRST_TOKEN, NUM_TOKENS = 7, 8
SHAPES = {
    "odd": {"hidden": 20, "intermediate": 24, "num_heads": 3, "num_kv_heads": 1, "head_dim": 6, "vocab": 61},
    "other": {"hidden": 24, "intermediate": 40, "num_heads": 3, "num_kv_heads": 1, "head_dim": 8, "vocab": 101},
}


@pytest.mark.parametrize("shape", ["odd", pytest.param("other", marks=pytest.mark.slow)])
def test_a_random_llama_generates(tiny: Chip, tmp_path: Path, shape: str) -> None:
    built = build(random_graph(tmp_path, num_layers=2, seed=3, **SHAPES[shape]), tiny, CONTEXT)
    num_cycles, num_changes = assert_rtl_generates(built, FIRST_TOKEN, NUM_TOKENS)
    assert num_cycles > NUM_TOKENS * 1_000
    assert num_changes > num_cycles
