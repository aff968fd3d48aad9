"""Small random models of several shapes, with an outlying channel in the residual stream as real models have."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.models import write_random_llama
from waterclock.frontends.gguf_file import open_gguf
from waterclock.frontends.graph import Graph
from waterclock.frontends.llama import load_llama

VOCAB = 61
SHAPES = {
    "tied": {"hidden": 32, "intermediate": 48, "num_heads": 4, "num_kv_heads": 2, "head_dim": 8, "tied": True},
    "untied": {"hidden": 24, "intermediate": 40, "num_heads": 3, "num_kv_heads": 3, "head_dim": 8, "tied": False},
    "block of four": {"hidden": 20, "intermediate": 12, "num_heads": 5, "num_kv_heads": 1, "head_dim": 4},
    "no block": {"hidden": 15, "intermediate": 9, "num_heads": 2, "num_kv_heads": 2, "head_dim": 6},
}


def random_model(folder: Path, shape: str) -> Graph:
    path = write_random_llama(folder / "random.gguf", num_layers=3, vocab=VOCAB, seed=7, **SHAPES[shape])
    graph = load_llama(open_gguf(path))
    table = graph.constants["token_embd.weight"].copy()
    table[:, 3] *= 12
    return replace(graph, constants={**graph.constants, "token_embd.weight": table})


@pytest.fixture(params=SHAPES)
def model(request: pytest.FixtureRequest, tmp_path: Path) -> Graph:
    """One random model per shape."""
    return random_model(tmp_path, request.param)


@pytest.fixture
def tied_model(tmp_path: Path) -> Graph:
    """A random model whose head is its embedding table."""
    return random_model(tmp_path, "tied")


@pytest.fixture
def tokens() -> np.ndarray:
    """A short text."""
    return np.random.default_rng(3).integers(0, VOCAB, 21)
