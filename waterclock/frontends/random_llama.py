"""A small Llama with random weights: a model to try a chip on where there is no checkpoint."""

from pathlib import Path
from tempfile import TemporaryDirectory

import gguf
import numpy as np

from waterclock.frontends.gguf_file import open_gguf
from waterclock.frontends.graph import Graph
from waterclock.frontends.llama import load_llama

HIDDEN, INTERMEDIATE, NUM_LAYERS = 20, 24, 2
NUM_HEADS, NUM_KV_HEADS, HEAD_DIM = 3, 1, 6
VOCAB, CONTEXT_LENGTH = 61, 64
"""Nothing here is a multiple of a number of lanes, so that all padding is at work."""


def random_llama(seed: int = 0) -> Graph:
    """Its float graph, the same for the same seed, read from a GGUF file as any other model is."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "random.gguf"
        _write(path, np.random.default_rng(seed))
        return load_llama(open_gguf(path))


def _write(path: Path, random: np.random.Generator) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(f"random llama, {NUM_LAYERS} layers")
    writer.add_context_length(CONTEXT_LENGTH)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(NUM_LAYERS)
    writer.add_feed_forward_length(INTERMEDIATE)
    writer.add_head_count(NUM_HEADS)
    writer.add_head_count_kv(NUM_KV_HEADS)
    writer.add_key_length(HEAD_DIM)
    writer.add_value_length(HEAD_DIM)
    writer.add_rope_dimension_count(HEAD_DIM)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_token_list([f"t{number}" for number in range(VOCAB)])
    writer.add_eos_token_id(VOCAB - 1)
    for name, shape in _matrices().items():
        weights = random.standard_normal(shape, dtype=np.float32) / np.float32(np.sqrt(shape[1]))
        writer.add_tensor(f"{name}.weight", weights)
    for name in ("output_norm", *(f"blk.{i}.{part}_norm" for i in range(NUM_LAYERS) for part in ("attn", "ffn"))):
        writer.add_tensor(f"{name}.weight", 1 + random.standard_normal(HIDDEN, dtype=np.float32) / 8)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _matrices() -> dict[str, tuple[int, int]]:
    q, kv = NUM_HEADS * HEAD_DIM, NUM_KV_HEADS * HEAD_DIM
    block = {
        "attn_q": (q, HIDDEN), "attn_k": (kv, HIDDEN), "attn_v": (kv, HIDDEN), "attn_output": (HIDDEN, q),
        "ffn_gate": (INTERMEDIATE, HIDDEN), "ffn_up": (INTERMEDIATE, HIDDEN), "ffn_down": (HIDDEN, INTERMEDIATE),
    }  # fmt: skip
    matrices = {f"blk.{layer}.{name}": shape for layer in range(NUM_LAYERS) for name, shape in block.items()}
    return {"token_embd": (VOCAB, HIDDEN), **matrices}
