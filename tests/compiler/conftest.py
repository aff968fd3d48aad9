"""A small quantized model for the compiler's tests."""

import pytest

from tests.integration.executions import random_graph
from waterclock.frontends.graph import Graph


@pytest.fixture(scope="session")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Graph:
    """Two layers, three heads to a kv head, dimensions that are no multiples of eight lanes."""
    shape = {"hidden": 22, "intermediate": 28, "num_heads": 3, "num_kv_heads": 1, "head_dim": 6, "vocab": 277}
    return random_graph(tmp_path_factory.mktemp("model"), num_layers=2, **shape)
