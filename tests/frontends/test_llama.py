"""The llama architecture: what is read. What is refused is in `tests.frontends.bad_files.llama`."""

from pathlib import Path

import numpy as np
import pytest

from tests.models import write_random_llama
from waterclock.frontends.gguf_file import open_gguf
from waterclock.frontends.graph import Graph, ModelConfig
from waterclock.frontends.llama import load_llama

ACCEPTED = {"llama.rope.scaling.type": "none", "llama.expert_count": 0, "llama.vocab_size": 320}


def test_the_configuration_is_read(small_graph: Graph) -> None:
    assert small_graph.config == ModelConfig(
        name="small",
        hidden=32,
        intermediate=64,
        num_layers=2,
        num_heads=4,
        num_kv_heads=2,
        head_dim=8,
        vocab=320,
        context_length=64,
        rope_theta=10_000.0,
        rms_eps=float(np.float32(1e-5)),
        bos_token_id=1,
        eos_token_ids=(2,),
    )


@pytest.mark.parametrize("tied", [True, False])
def test_the_head_is_the_embedding_where_the_file_has_none(tmp_path: Path, tied: bool) -> None:
    graph = load_llama(open_gguf(write_random_llama(tmp_path / "model.gguf", tied=tied)))
    head = graph.nodes[-1]
    assert head.op == "linear"
    assert head.outputs == graph.outputs
    assert head.constants == {"weight": "token_embd.weight" if tied else "output.weight"}
    assert graph.values[graph.outputs[0]].shape == (320,)


@pytest.mark.parametrize(("key", "value"), ACCEPTED.items(), ids=ACCEPTED.keys())
def test_metadata_that_changes_nothing_is_accepted(tmp_path: Path, key: str, value: float | str) -> None:
    load_llama(open_gguf(write_random_llama(tmp_path / "model.gguf", metadata={key: value})))
