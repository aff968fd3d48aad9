"""The metadata of the llama architecture in GGUF -> ModelConfig."""

import math

from waterclock.frontends.gguf_file import GgufError, GgufFile
from waterclock.frontends.graph import ModelConfig
from waterclock.frontends.printable import MAX_SHOWN, printable, shown
from waterclock.frontends.special_tokens import begin_token_id, end_token_ids

SMALLEST_FP32, FP32_OVERFLOW = 2.0**-126, 2.0**128
"""The machine takes smaller numbers for zero, and has none from there on."""

_NEUTRAL_VALUES = {
    "llama.rope.scaling.type": "none",
    "llama.rope.scaling.factor": 1.0,
    "llama.rope.scale_linear": 1.0,
    "llama.attention.sliding_window": 0,
    "llama.attention.causal": True,
    "llama.attention.clamp_kqv": 0.0,
    "llama.attention.max_alibi_bias": 0.0,
    "llama.expert_count": 0,
    "llama.expert_used_count": 0,
    "llama.logit_scale": 1.0,
    "llama.use_parallel_residual": False,
}
"""Metadata that is accepted only where it changes nothing."""

_READ_KEYS = frozenset(
    f"llama.{key}"
    for key in (
        "block_count",
        "context_length",
        "embedding_length",
        "feed_forward_length",
        "attention.head_count",
        "attention.head_count_kv",
        "attention.key_length",
        "attention.value_length",
        "attention.layer_norm_rms_epsilon",
        "rope.freq_base",
        "rope.dimension_count",
        "vocab_size",
    )
)


def read_config(file: GgufFile) -> ModelConfig:
    """The model's dimensions; raises GgufError for metadata that is missing, contradictory or not supported."""
    architecture = file.require("general.architecture", str)
    if architecture != "llama":
        raise GgufError(f"{file.path}: general.architecture is {shown(architecture)}, supported is 'llama'")
    _check_metadata(file)
    num_heads = _positive(file, "attention.head_count")
    config = ModelConfig(
        name=printable(file.optional("general.name", str, file.path.stem))[:MAX_SHOWN],
        hidden=_positive(file, "embedding_length"),
        intermediate=_positive(file, "feed_forward_length"),
        num_layers=_positive(file, "block_count"),
        num_heads=num_heads,
        num_kv_heads=file.optional("llama.attention.head_count_kv", int, num_heads),
        head_dim=_head_dim(file, num_heads),
        vocab=len(file.require_array("tokenizer.ggml.tokens", str)),
        context_length=_positive(file, "context_length"),
        rope_theta=file.optional("llama.rope.freq_base", float, 10_000.0),
        rms_eps=file.require("llama.attention.layer_norm_rms_epsilon", float),
        bos_token_id=begin_token_id(file),
        eos_token_ids=end_token_ids(file),
    )
    _check_ranges(file, config)
    _check_agreement(file, config)
    return config


def _check_metadata(file: GgufFile) -> None:
    for key, value in file.metadata.items():
        if not key.startswith("llama.") or key in _READ_KEYS:
            continue
        if key not in _NEUTRAL_VALUES or value != _NEUTRAL_VALUES[key]:
            raise GgufError(f"{file.path}: {key[:MAX_SHOWN]} is {shown(value)}: not supported by this version")


def _positive(file: GgufFile, key: str) -> int:
    value = file.require(f"llama.{key}", int)
    if not 0 < value < 1 << 31:
        raise GgufError(f"{file.path}: llama.{key} is {value}, expected a positive 32-bit number")
    return value


def _head_dim(file: GgufFile, num_heads: int) -> int:
    if "llama.attention.key_length" in file.metadata:
        return _positive(file, "attention.key_length")
    hidden = _positive(file, "embedding_length")
    if hidden % num_heads:
        raise GgufError(
            f"{file.path}: llama.embedding_length is {hidden}, expected a multiple of llama.attention.head_count, "
            f"{num_heads}, where llama.attention.key_length is missing"
        )
    return hidden // num_heads


def _check_agreement(file: GgufFile, config: ModelConfig) -> None:
    for key, expected, reason in (
        ("llama.attention.value_length", config.head_dim, "the length of a key"),
        ("llama.rope.dimension_count", config.head_dim, "the length of a key"),
        ("llama.vocab_size", config.vocab, "the number of tokens"),
    ):
        if (value := file.optional(key, int, expected)) != expected:
            raise GgufError(f"{file.path}: {key} is {value}, expected {reason}, {expected}")


def _check_ranges(file: GgufFile, config: ModelConfig) -> None:
    is_divided = config.num_kv_heads > 0 and config.num_heads % config.num_kv_heads == 0
    is_eps_kept = SMALLEST_FP32 <= config.rms_eps < FP32_OVERFLOW
    for key, value, is_accepted, expected in (
        ("attention.head_count_kv", config.num_kv_heads, is_divided, f"a divisor of {config.num_heads} heads"),
        ("attention.key_length", config.head_dim, config.head_dim % 2 == 0, "an even number"),
        ("rope.freq_base", config.rope_theta, 1 <= config.rope_theta < math.inf, "a finite number from 1 on"),
        ("attention.layer_norm_rms_epsilon", config.rms_eps, is_eps_kept, "a positive number, normal in float32"),
    ):
        if not is_accepted:
            raise GgufError(f"{file.path}: llama.{key} is {value}, expected {expected}")
