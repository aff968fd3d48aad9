"""Small random models for tests: complete GGUF files of the llama architecture with a byte-level tokenizer."""

import string
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import gguf
import numpy as np
from gguf.quants import quantize

from tests.ggml_blocks import BLOCK_FORMATS, random_blocks
from waterclock.frontends.byte_level import BYTE_BY_CHARACTER

SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_CONTROL, _NORMAL = 3, 1
_FIRST = " " + string.ascii_lowercase + ".,?!\n" + string.digits + string.ascii_uppercase


def byte_level_vocabulary(size: int) -> tuple[list[str], list[str]]:
    """`size` tokens and their merges: special tokens, then bytes (common ASCII first), then pairs of letters."""
    characters = sorted(BYTE_BY_CHARACTER, key=lambda c: (_FIRST.find(chr(BYTE_BY_CHARACTER[c])) % 256, c))
    singles = [*SPECIAL_TOKENS, *characters][: size - 1]  # at least one merge: GGUF has no empty arrays
    letters = [c for c in singles if c in "etaoinshrdlucmfwypvbgkjqxzĠ"]
    pairs = list(product(letters, characters))[: size - len(singles)]
    tokens = singles + ["".join(pair) for pair in pairs]
    assert len(tokens) == size == len(set(tokens)), "too large a vocabulary for this helper"
    return tokens, [" ".join(pair) for pair in pairs]


def write_random_llama(
    path: Path,
    *,
    hidden: int = 32,
    intermediate: int = 64,
    num_layers: int = 2,
    num_heads: int = 4,
    num_kv_heads: int = 2,
    head_dim: int = 8,
    vocab: int = 320,
    context_length: int = 64,
    seed: int = 0,
    qtype: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32,
    qtypes: Mapping[str, gguf.GGMLQuantizationType] | None = None,
    tied: bool = True,
    metadata: dict[str, int | float | str | bool] | None = None,
    extra_tensors: dict[str, np.ndarray] | None = None,
) -> Path:
    """Write the model and return `path`. Matrices are stored as `qtype` (row lengths must be multiples of its block) or
    as `qtypes` has under their names, norm gains as F32; `metadata` adds entries under full keys.
    """
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(path.stem)
    writer.add_context_length(context_length)
    writer.add_embedding_length(hidden)
    writer.add_block_count(num_layers)
    writer.add_feed_forward_length(intermediate)
    writer.add_head_count(num_heads)
    writer.add_head_count_kv(num_kv_heads)
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_dimension_count(head_dim)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    _add_tokenizer(writer, vocab)
    for key, value in (metadata or {}).items():
        writer.add_key_value(key, value, gguf.GGUFValueType.get_type(value))
    rng = np.random.default_rng(seed)
    shapes = _matrix_shapes(hidden, intermediate, num_layers, num_heads * head_dim, num_kv_heads * head_dim)
    for name, shape in {
        "token_embd": (vocab, hidden),
        **shapes,
        **({} if tied else {"output": (vocab, hidden)}),
    }.items():
        weights = rng.standard_normal(shape, dtype=np.float32) / np.float32(np.sqrt(shape[1]))
        stored_type = (qtypes or {}).get(name, qtype)
        writer.add_tensor(f"{name}.weight", _stored(weights, stored_type, rng), raw_dtype=stored_type)
    for name in ("output_norm", *(f"blk.{i}.{part}_norm" for i in range(num_layers) for part in ("attn", "ffn"))):
        writer.add_tensor(f"{name}.weight", 1 + rng.standard_normal(hidden, dtype=np.float32) / 8)
    for name, tensor in (extra_tensors or {}).items():
        writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _stored(weights: np.ndarray, qtype: gguf.GGMLQuantizationType, rng: np.random.Generator) -> np.ndarray:
    """The weights as `qtype`; random blocks of a type that the package reads but does not make."""
    try:
        return quantize(weights, qtype)
    except NotImplementedError:
        return random_blocks(qtype, weights.size // BLOCK_FORMATS[qtype].num_values, rng).reshape(len(weights), -1)


def _matrix_shapes(hidden: int, intermediate: int, num_layers: int, q: int, kv: int) -> dict[str, tuple[int, int]]:
    block = {
        "attn_q": (q, hidden),
        "attn_k": (kv, hidden),
        "attn_v": (kv, hidden),
        "attn_output": (hidden, q),
        "ffn_gate": (intermediate, hidden),
        "ffn_up": (intermediate, hidden),
        "ffn_down": (hidden, intermediate),
    }
    return {f"blk.{layer}.{name}": shape for layer in range(num_layers) for name, shape in block.items()}


def _add_tokenizer(writer: gguf.GGUFWriter, vocab: int) -> None:
    tokens, merges = byte_level_vocabulary(vocab)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens)
    writer.add_token_types([_CONTROL if token in SPECIAL_TOKENS else _NORMAL for token in tokens])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
