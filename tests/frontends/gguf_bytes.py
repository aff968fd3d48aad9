"""GGUF files byte by byte, so that anything in them can be wrong; and a small llama model made of them."""

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from gguf.constants import GGMLQuantizationType

from tests.ggml_blocks import BLOCK_FORMATS, random_blocks
from tests.models import CHAT_TEMPLATE, SPECIAL_TOKENS, byte_level_vocabulary

F32, Q8_0 = GGMLQuantizationType.F32, GGMLQuantizationType.Q8_0
U32, I32, FLOAT, BOOL, STRING, ARRAY, U64, DOUBLE = 4, 5, 6, 7, 8, 9, 10, 12
_FORMATS = {U32: "I", I32: "i", FLOAT: "f", BOOL: "?", U64: "Q", DOUBLE: "d"}


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def entry(key: str, type_: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", type_) + value


def array(item_type: int, count: int, items: bytes = b"") -> bytes:
    return struct.pack("<IQ", item_type, count) + items


def tensor(name: str, sizes: tuple[int, ...], type_: int = F32, offset: int = 0, rank: int | None = None) -> bytes:
    """An entry of the tensor table; `sizes` innermost first."""
    shape = struct.pack(f"<I{len(sizes)}Q", len(sizes) if rank is None else rank, *sizes)
    return text(name) + shape + struct.pack("<IQ", type_, offset)


def gguf_bytes(
    *tensors: bytes,
    entries: Iterable[bytes] = (),
    magic: bytes = b"GGUF",
    version: int = 3,
    num_tensors: int | None = None,
    num_entries: int | None = None,
    data: bytes = bytes(256),
) -> bytes:
    """A file of serialized parts, with the counts that it should have unless others are given."""
    entries = list(entries)
    counts = (
        len(tensors) if num_tensors is None else num_tensors,
        len(entries) if num_entries is None else num_entries,
    )
    head = magic + struct.pack("<IQQ", version, *counts) + b"".join(entries) + b"".join(tensors)
    return head + bytes(-len(head) % 32) + data


@dataclass(frozen=True)
class Typed:
    """A metadata value as it lies in the file."""

    type: int
    raw: bytes


Value = str | bool | int | float | list[str] | list[int] | Typed


def typed(value: Value) -> Typed:
    """The type that converters give such a value."""
    if isinstance(value, Typed):
        return value
    if isinstance(value, str):
        return Typed(STRING, text(value))
    if isinstance(value, list):
        items = [typed(item) for item in value]
        item_type = items[0].type if items else STRING
        return Typed(ARRAY, array(item_type, len(items), b"".join(item.raw for item in items)))
    if isinstance(value, bool):
        return Typed(BOOL, bytes([value]))
    number_type = FLOAT if isinstance(value, float) else I32 if value < 0 else U32 if value < 1 << 32 else U64
    return Typed(number_type, struct.pack(f"<{_FORMATS[number_type]}", value))


def double(value: float) -> Typed:
    return Typed(DOUBLE, struct.pack("<d", value))


@dataclass(frozen=True)
class Stored:
    """A tensor: its shape outermost first, its type and its bytes."""

    shape: tuple[int, ...]
    type: int
    data: bytes


HIDDEN, FEED_FORWARD, NUM_HEADS, HEAD_DIM, VOCAB = 8, 256, 2, 4, 300
TOKENS, MERGES = byte_level_vocabulary(VOCAB)
DOWN = "blk.0.ffn_down.weight"
METADATA: Mapping[str, Value] = {
    "general.architecture": "llama",
    "general.name": "small",
    "llama.block_count": 1,
    "llama.context_length": 64,
    "llama.embedding_length": HIDDEN,
    "llama.feed_forward_length": FEED_FORWARD,
    "llama.attention.head_count": NUM_HEADS,
    "llama.attention.head_count_kv": 1,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
    "llama.rope.freq_base": 10_000.0,
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "smollm",
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
    "tokenizer.ggml.add_bos_token": False,
    "tokenizer.chat_template": CHAT_TEMPLATE,
    "tokenizer.ggml.token_type": [3 if token in SPECIAL_TOKENS else 1 for token in TOKENS],
    "tokenizer.ggml.tokens": TOKENS,
    "tokenizer.ggml.merges": MERGES,
}
"""What a loader needs, what is short first; `llama.attention.key_length` follows from it."""


def llama_tensors(down_type: GGMLQuantizationType = F32) -> dict[str, Stored]:
    """The tensors of the model that METADATA describes; the rows of ffn_down are 256 long, for blocks of every type."""
    random = np.random.default_rng(down_type)
    kv = HEAD_DIM
    shapes = {
        "output_norm": (HIDDEN,),
        "blk.0.attn_norm": (HIDDEN,),
        "blk.0.ffn_norm": (HIDDEN,),
        "blk.0.attn_q": (HIDDEN, HIDDEN),
        "blk.0.attn_k": (kv, HIDDEN),
        "blk.0.attn_v": (kv, HIDDEN),
        "blk.0.attn_output": (HIDDEN, HIDDEN),
        "blk.0.ffn_gate": (FEED_FORWARD, HIDDEN),
        "blk.0.ffn_up": (FEED_FORWARD, HIDDEN),
        "blk.0.ffn_down": (HIDDEN, FEED_FORWARD),
        "token_embd": (VOCAB, HIDDEN),
    }
    return {
        f"{name}.weight": stored(shape, down_type if "down" in name else F32, random) for name, shape in shapes.items()
    }


def stored(shape: tuple[int, ...], type_: GGMLQuantizationType, random: np.random.Generator) -> Stored:
    blocks = random_blocks(type_, int(np.prod(shape)) // BLOCK_FORMATS[type_].num_values, random)
    return Stored(shape, type_, blocks.tobytes())


def llama_bytes(
    metadata: Mapping[str, Value | None] | None = None,
    tensors: Mapping[str, Stored | None] | None = None,
    *,
    down_type: GGMLQuantizationType = F32,
    gap_bytes: int = 0,
) -> bytes:
    """The small model, changed: None takes a key or a tensor away; behind each tensor `gap_bytes` belong to nobody."""
    values = {key: value for key, value in {**METADATA, **(metadata or {})}.items() if value is not None}
    kept = {name: one for name, one in {**llama_tensors(down_type), **(tensors or {})}.items() if one is not None}
    padded = [one.data + bytes(-len(one.data) % 32 + gap_bytes) for one in kept.values()]
    offsets = [0, *accumulate(map(len, padded))]
    table = [
        tensor(name, one.shape[::-1], one.type, offset)
        for (name, one), offset in zip(kept.items(), offsets, strict=False)
    ]
    entries = [entry(key, typed(value).type, typed(value).raw) for key, value in values.items()]
    return gguf_bytes(*table, entries=entries, data=b"".join(padded))
