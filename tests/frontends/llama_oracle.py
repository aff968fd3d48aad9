"""What a small llama file means, read a second time: whatever the loader accepts must be this and nothing else."""

import json
import math
from functools import cache
from typing import Any

import jinja2.sandbox
import numpy as np
from gguf.constants import GGMLQuantizationType
from numpy.typing import NDArray

from tests.frontends.tiny_gguf import Span, TinyGguf
from tests.ggml_blocks import BLOCK_FORMATS
from waterclock.frontends.byte_level import SPLITTING_RULES
from waterclock.runtime.model import Model

LLAMA = "llama."
KEYS = {
    "block_count", "context_length", "embedding_length", "feed_forward_length", "attention.head_count",
    "attention.head_count_kv", "attention.layer_norm_rms_epsilon", "rope.freq_base",
}  # fmt: skip
"""Those of the good file; damage makes no other one that would be accepted."""


def check(model: Model, prompt: str, data: bytes) -> None:
    """Fails unless the file is a good one and model and prompt are what it says."""
    file = TinyGguf(data)
    check_config(model, file.metadata)
    check_tensors(model, file.tensors)
    check_tokenizer(model, file.metadata)
    assert prompt == plain_prompt(file.metadata)


def check_config(model: Model, metadata: dict[str, Any]) -> None:
    values = {key.removeprefix(LLAMA): value for key, value in metadata.items() if key.startswith(LLAMA)}
    config, num_heads = model.graph.config, values["attention.head_count"]
    assert metadata["general.architecture"] == "llama"
    assert values.keys() <= KEYS
    assert (config.hidden, config.intermediate) == (values["embedding_length"], values["feed_forward_length"])
    assert (config.num_layers, config.context_length) == (values["block_count"], values["context_length"])
    assert (config.num_heads, config.num_kv_heads) == (num_heads, values.get("attention.head_count_kv", num_heads))
    assert num_heads * config.head_dim == config.hidden
    assert num_heads % config.num_kv_heads == config.head_dim % 2 == 0
    assert config.rope_theta == values.get("rope.freq_base", 10_000.0) >= 1
    assert config.rms_eps == values["attention.layer_norm_rms_epsilon"]
    assert 0 < config.rms_eps < math.inf > config.rope_theta


def check_tensors(model: Model, tensors: dict[str, Span]) -> None:
    config, constants = model.graph.config, model.graph.constants
    q, kv = config.num_heads * config.head_dim, config.num_kv_heads * config.head_dim
    shapes: dict[str, tuple[int, ...]] = {"token_embd": (config.vocab, config.hidden), "output_norm": (config.hidden,)}
    for block in (f"blk.{layer}." for layer in range(config.num_layers)):
        shapes |= {block + name: (config.hidden,) for name in ("attn_norm", "ffn_norm")}
        shapes |= {block + "attn_q": (q, config.hidden), block + "attn_output": (config.hidden, q)}
        shapes |= {block + name: (kv, config.hidden) for name in ("attn_k", "attn_v")}
        shapes |= {block + name: (config.intermediate, config.hidden) for name in ("ffn_gate", "ffn_up")}
        shapes |= {block + "ffn_down": (config.hidden, config.intermediate)}
    if "output.weight" in tensors:
        shapes["output"] = shapes["token_embd"]
    assert {f"{name}.weight": shape for name, shape in shapes.items()} == {n: span.shape for n, span in tensors.items()}
    assert constants.keys() == tensors.keys()
    for name, span in tensors.items():
        assert np.isfinite(constants[name]).all()
        np.testing.assert_array_equal(constants[name], values_of(span))


def values_of(span: Span) -> NDArray[np.float32]:
    size = BLOCK_FORMATS[span.type].num_bytes
    blocks = (span.stored[at : at + size] for at in range(0, len(span.stored), size))
    with np.errstate(all="ignore"):
        return np.array([block_values(span.type, block) for block in blocks], np.float32).reshape(span.shape)


@cache
def block_values(type_: GGMLQuantizationType, block: bytes) -> tuple[np.float32, ...]:
    """Most blocks are those of the good file: each is decoded once."""
    return tuple(BLOCK_FORMATS[type_].decode(block))


def check_tokenizer(model: Model, metadata: dict[str, Any]) -> None:
    values = {k.removeprefix("tokenizer.ggml."): v for k, v in metadata.items() if k.startswith("tokenizer.ggml.")}
    tokens, tokenizer = values["tokens"], model.tokenizer
    definition = json.loads(tokenizer.definition)
    assert definition["model"]["vocab"] == {token: id_ for id_, token in enumerate(tokens)}
    assert len(definition["model"]["vocab"]) == len(tokens) == len(values["token_type"])
    assert [" ".join(pair) for pair in definition["model"]["merges"]] == list(values["merges"])
    assert set(values["token_type"]) <= set(range(7))
    added = {token["id"]: token["special"] for token in definition["added_tokens"]}
    types = {id_: type_ for id_, type_ in enumerate(values["token_type"]) if tokens[id_]}
    assert added == {id_: type_ == 3 for id_, type_ in types.items() if type_ in (3, 4)}
    ends = [values[f"{name}_token_id"] for name in ("eos", "eot", "eom") if f"{name}_token_id" in values]
    assert (tokenizer.bos_token_id, list(tokenizer.eos_token_ids)) == (values.get("bos_token_id"), ends)
    assert all(0 <= id_ < len(tokens) for id_ in ends)
    assert tokenizer.add_bos == values.get("add_bos_token", SPLITTING_RULES[values["pre"]].add_bos)
    assert not tokenizer.add_bos or 0 <= values["bos_token_id"] < len(tokens)


def plain_prompt(metadata: dict[str, Any]) -> str:
    """What Jinja's own sandbox makes of the template."""
    tokens = metadata["tokenizer.ggml.tokens"]
    ids = [metadata.get(f"tokenizer.ggml.{name}_token_id") for name in ("bos", "eos")]
    begin, end = ("" if id_ is None else tokens[id_] for id_ in ids)
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    return environment.from_string(metadata["tokenizer.chat_template"]).render(
        messages=[{"role": "user", "content": "Hello"}], add_generation_prompt=True, bos_token=begin, eos_token=end
    )
