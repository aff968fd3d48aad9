"""Files whose header is right, but which describe no llama model that can be: keys, dimensions, tensors."""

import math
from functools import partial

from gguf.constants import GGMLQuantizationType

from tests.frontends.bad_files.bad_file import BadFile, BadFiles
from tests.frontends.gguf_bytes import (
    DOWN,
    F32,
    FEED_FORWARD,
    HIDDEN,
    VOCAB,
    Stored,
    Value,
    double,
    llama_bytes,
)

REQUIRED = (
    "general.architecture",
    "llama.block_count",
    "llama.context_length",
    "llama.embedding_length",
    "llama.feed_forward_length",
    "llama.attention.head_count",
    "llama.attention.layer_norm_rms_epsilon",
)
WRONG: tuple[tuple[str, Value, str], ...] = (
    ("general.architecture", "qwen3", "is 'qwen3', supported is 'llama'"),
    ("general.architecture", "x\n\x1b" * 90, r"is 'x\n\x1bx"),
    ("general.architecture", 7, "is 7, expected str"),
    ("general.name", 7, "is 7, expected str"),
    ("llama.block_count", "1", "is '1', expected int"),
    ("llama.block_count", True, "is True, expected int"),
    ("llama.block_count", 1.0, "is 1.0, expected int"),
    ("llama.block_count", [1, 1], "is an array of 2, expected int"),
    ("llama.block_count", 0, "is 0, expected a positive 32-bit number"),
    ("llama.block_count", -1, "is -1, expected a positive 32-bit number"),
    ("llama.block_count", 2**64 - 1, f"is {2**64 - 1}, expected a positive 32-bit number"),
    ("llama.context_length", 0, "is 0, expected a positive 32-bit number"),
    ("llama.embedding_length", 0, "is 0, expected a positive 32-bit number"),
    ("llama.embedding_length", 2**31, "is 2147483648, expected a positive 32-bit number"),
    ("llama.feed_forward_length", 0, "is 0, expected a positive 32-bit number"),
    ("llama.feed_forward_length", [FEED_FORWARD], "is an array of 1, expected int"),
    ("llama.attention.head_count", 0, "is 0, expected a positive 32-bit number"),
    ("llama.attention.head_count", -2, "is -2, expected a positive 32-bit number"),
    ("llama.attention.head_count_kv", 0, "is 0, expected a divisor of 2 heads"),
    ("llama.attention.head_count_kv", -1, "is -1, expected a divisor of 2 heads"),
    ("llama.attention.head_count_kv", 3, "is 3, expected a divisor of 2 heads"),
    ("llama.attention.head_count_kv", [1], "is an array of 1, expected int"),
    ("llama.attention.key_length", 0, "is 0, expected a positive 32-bit number"),
    ("llama.attention.key_length", 5, "is 5, expected an even number"),
    ("llama.attention.key_length", 2**40, "is 1099511627776, expected a positive 32-bit number"),
    ("llama.attention.value_length", 8, "is 8, expected the length of a key, 4"),
    ("llama.rope.dimension_count", 2, "is 2, expected the length of a key, 4"),
    ("llama.rope.freq_base", math.nan, "is nan, expected a finite number from 1 on"),
    ("llama.rope.freq_base", math.inf, "is inf, expected a finite number from 1 on"),
    ("llama.rope.freq_base", double(-math.inf), "is -inf, expected a finite number from 1 on"),
    ("llama.rope.freq_base", 0.0, "is 0.0, expected a finite number from 1 on"),
    ("llama.rope.freq_base", -10_000.0, "is -10000.0, expected a finite number from 1 on"),
    ("llama.rope.freq_base", 2.0**-100, f"is {2.0**-100}, expected a finite number from 1 on"),
    ("llama.rope.freq_base", 10_000, "is 10000, expected float"),
    ("llama.rope.scaling.type", "linear", "is 'linear': not supported"),
    ("llama.rope.scaling.type", "yarn", "is 'yarn': not supported"),
    ("llama.rope.scaling.factor", 4.0, "is 4.0: not supported"),
    ("llama.rope.scaling.factor", math.nan, "is nan: not supported"),
    ("llama.rope.scaling.original_context_length", 8192, "is 8192: not supported"),
    ("llama.attention.layer_norm_rms_epsilon", math.nan, "is nan, expected a positive number"),
    ("llama.attention.layer_norm_rms_epsilon", math.inf, "is inf, expected a positive number"),
    ("llama.attention.layer_norm_rms_epsilon", -(2.0**-16), "is -1.52587890625e-05, expected a positive number"),
    ("llama.attention.layer_norm_rms_epsilon", 0.0, "is 0.0, expected a positive number"),
    (
        "llama.attention.layer_norm_rms_epsilon",
        2.0**-140,
        f"is {2.0**-140}, expected a positive number, normal in float32",
    ),
    ("llama.attention.layer_norm_rms_epsilon", double(1e300), "is 1e+300, expected a positive number"),
    ("llama.attention.layer_norm_rms_epsilon", 1, "is 1, expected float"),
    ("llama.attention.sliding_window", 1024, "is 1024: not supported"),
    ("llama.expert_count", 8, "is 8: not supported"),
    ("llama.logit_scale", 0.5, "is 0.5: not supported"),
    ("llama.attention.causal", False, "is False: not supported"),
    ("llama.something_new", [0] * 100_000, "is an array of 100000: not supported"),
    ("llama.vocab_size", VOCAB + 1, f"is {VOCAB + 1}, expected the number of tokens, {VOCAB}"),
    ("tokenizer.ggml.bos_token_id", VOCAB, f"is {VOCAB}, expected that of one of {VOCAB} tokens"),
    ("tokenizer.ggml.bos_token_id", -1, f"is -1, expected that of one of {VOCAB} tokens"),
    ("tokenizer.ggml.eos_token_id", 2**32 - 1, f"is {2**32 - 1}, expected that of one of {VOCAB} tokens"),
    ("tokenizer.ggml.eos_token_id", "2", "is '2', expected int"),
    ("tokenizer.ggml.eot_token_id", True, "is True, expected int"),
    ("tokenizer.ggml.eom_token_id", 2.0, "is 2.0, expected int"),
)
ROLES = ("token_embd", "output_norm", *(f"blk.0.{role}" for role in (
    "attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_up", "ffn_down",
)))  # fmt: skip
UNSUPPORTED = ("I8", "I32", "F64", "Q8_1", "Q8_K", "IQ2_XXS", "IQ4_XS", "TQ1_0", "MXFP4")


def _zeros(*shape: int) -> Stored:
    return Stored(shape, F32, bytes(4 * math.prod(shape)))


def _reshaped(name: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> BadFile:
    make = partial(llama_bytes, tensors={f"{name}.weight": _zeros(*shape)})
    return BadFile(make, f"shape of {name}.weight is {shape}, expected {expected}")


def _with_tensor(name: str, tensor: Stored, words: str) -> BadFile:
    return BadFile(partial(llama_bytes, tensors={name: tensor}), words)


def _with_metadata(key: str, value: Value | None, words: str) -> BadFile:
    return BadFile(partial(llama_bytes, {key: value}), words)


def _huge_embedding() -> bytes:
    """Its last tensor claims 2^29 float16 values, a sparse GiB; there are 300 tokens."""
    return llama_bytes(tensors={"token_embd.weight": Stored((1 << 26, HIDDEN), GGMLQuantizationType.F16, b"")})


LLAMAS: BadFiles = {
    **{f"{key} missing": _with_metadata(key, None, f"metadata {key} is missing") for key in REQUIRED},
    **{
        f"{key}, {index}": _with_metadata(key, value, f"{key} {words}")
        for index, (key, value, words) in enumerate(WRONG)
    },
    **{
        f"{role} missing": BadFile(
            partial(llama_bytes, tensors={f"{role}.weight": None}), f"tensor {role}.weight is missing"
        )
        for role in ROLES
    },
    **{
        f"stored as {name}": _with_tensor(
            DOWN,
            Stored((HIDDEN, FEED_FORWARD), GGMLQuantizationType[name], bytes(8 * HIDDEN * FEED_FORWARD)),
            f"{DOWN} is stored as {name}, supported are F32, F16, BF16",
        )
        for name in UNSUPPORTED
    },
    "a key that nobody knows": _with_metadata("llama." + "x" * 60_000, 1, "is 1: not supported"),
    "heads that do not divide": _with_metadata(
        "llama.attention.head_count", 3, "embedding_length is 8, expected a multiple of llama.attention.head_count, 3"
    ),
    "more heads than there are": _with_metadata(
        "llama.attention.head_count", 4, "shape of blk.0.attn_k.weight is (4, 8), expected (2, 8)"
    ),
    "more layers than there are": _with_metadata("llama.block_count", 2, "tensor blk.1.attn_norm.weight is missing"),
    "2^31 - 1 layers": _with_metadata("llama.block_count", 2**31 - 1, "tensor blk.1.attn_norm.weight is missing"),
    "a layer too many": _with_tensor("blk.1.attn_q.weight", _zeros(8, 8), "blk.1.attn_q.weight is not supported"),
    "a bias": _with_tensor("blk.0.attn_q.bias", _zeros(8), "tensor blk.0.attn_q.bias is not supported"),
    "rotary factors": _with_tensor("rope_freqs.weight", _zeros(2), "tensor rope_freqs.weight is not supported"),
    "an expert": _with_tensor("blk.0.ffn_gate_inp.weight", _zeros(8, 8), "ffn_gate_inp.weight is not supported"),
    "key length of other heads": _with_metadata(
        "llama.attention.key_length", 8, "shape of blk.0.attn_q.weight is (8, 8), expected (16, 8)"
    ),
    "wider than its tensors": _with_metadata("llama.embedding_length", 16, "shape of token_embd.weight is (300, 8)"),
    "more features than there are": _with_metadata("llama.feed_forward_length", 512, "shape of blk.0.ffn_gate.weight"),
    "transposed": _reshaped("blk.0.ffn_down", (FEED_FORWARD, HIDDEN), (HIDDEN, FEED_FORWARD)),
    "a vector for a matrix": _reshaped("blk.0.attn_q", (64,), (8, 8)),
    "a matrix for a vector": _reshaped("output_norm", (1, 8), (8,)),
    "rank 4": _reshaped("blk.0.attn_output", (1, 1, 8, 8), (8, 8)),
    "fewer rows than tokens": _reshaped("token_embd", (VOCAB - 1, 8), (VOCAB, 8)),
    "a head of other rows": _reshaped("output", (VOCAB + 1, 8), (VOCAB, 8)),
    "an embedding of 2^29 values": BadFile(
        _huge_embedding, "shape of token_embd.weight is (67108864, 8)", (1 << 30) + (1 << 20)
    ),
}  # fmt: skip
