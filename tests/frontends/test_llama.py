"""The llama architecture: what is read, and what is refused by name."""

from pathlib import Path

import numpy as np
import pytest

from tests.models import write_random_llama
from waterclock.frontends.gguf_file import GgufError, open_gguf
from waterclock.frontends.graph import Graph, ModelConfig
from waterclock.frontends.llama import load_llama

REFUSED = {
    "general.architecture": "qwen3",
    "llama.rope.scaling.type": "linear",
    "llama.rope.scaling.factor": 4.0,
    "llama.attention.sliding_window": 1024,
    "llama.expert_count": 8,
    "llama.logit_scale": 0.5,
    "llama.something_new": 1,
    "llama.vocab_size": 77,
    "llama.rope.dimension_count": 4,
    "llama.attention.value_length": 16,
    "llama.attention.key_length": 7,
    "llama.attention.head_count_kv": 3,
    "llama.block_count": 0,
    "llama.rope.freq_base": 0.0,
    "llama.attention.layer_norm_rms_epsilon": -1.0,
    "tokenizer.ggml.eos_token_id": 320,
}
ACCEPTED = {"llama.rope.scaling.type": "none", "llama.expert_count": 0, "llama.vocab_size": 320}
EXTRA_TENSORS = ("blk.0.attn_q.bias", "rope_freqs.weight", "blk.0.ffn_gate_inp.weight", "blk.2.attn_q.weight")


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


@pytest.mark.parametrize(("key", "value"), REFUSED.items(), ids=REFUSED.keys())
def test_unsupported_metadata_is_refused_by_name(tmp_path: Path, key: str, value: float | str) -> None:
    path = write_random_llama(tmp_path / "model.gguf", metadata={key: value})
    with pytest.raises(GgufError) as error:
        load_llama(open_gguf(path))
    assert key in str(error.value)
    assert str(value) in str(error.value)


@pytest.mark.parametrize(("key", "value"), ACCEPTED.items(), ids=ACCEPTED.keys())
def test_metadata_that_changes_nothing_is_accepted(tmp_path: Path, key: str, value: float | str) -> None:
    load_llama(open_gguf(write_random_llama(tmp_path / "model.gguf", metadata={key: value})))


@pytest.mark.parametrize("name", EXTRA_TENSORS)
def test_a_tensor_that_is_not_used_is_refused(tmp_path: Path, name: str) -> None:
    path = write_random_llama(tmp_path / "model.gguf", extra_tensors={name: np.ones((32, 32), np.float32)})
    with pytest.raises(GgufError, match=f"tensor {name} is not supported"):
        load_llama(open_gguf(path))


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    path = write_random_llama(tmp_path / "model.gguf")
    path.write_bytes(path.read_bytes().replace(b"blk.1.ffn_up", b"blk.1.ffn_xx"))
    with pytest.raises(GgufError, match=r"tensor blk\.1\.ffn_up\.weight is missing"):
        load_llama(open_gguf(path))


@pytest.mark.parametrize(
    ("key", "value", "tensor"),
    [("feed_forward_length", 128, "blk.0.ffn_gate"), ("embedding_length", 64, "token_embd")],
    ids=["intermediate", "hidden"],
)
def test_a_tensor_that_contradicts_the_metadata_is_refused(tmp_path: Path, key: str, value: int, tensor: str) -> None:
    path = write_random_llama(tmp_path / "model.gguf", metadata={f"llama.{key}": value})
    with pytest.raises(GgufError, match=rf"shape of {tensor}\.weight is .*, expected .*{value}"):
        load_llama(open_gguf(path))
