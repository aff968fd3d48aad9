"""Tensors and typed metadata of a GGUF file."""

from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader
from gguf.quants import dequantize

from tests.ggml_blocks import decoded
from tests.models import write_random_llama
from waterclock.frontends.evaluate import evaluate_fp32
from waterclock.frontends.gguf_file import SUPPORTED_TYPES, GgufError, GgufFile, open_gguf
from waterclock.runtime.model import load_model

NAME = "blk.0.ffn_down.weight"
WIDE = {"hidden": 256, "intermediate": 512, "num_heads": 4, "num_kv_heads": 2, "head_dim": 64}
"""Every row holds whole blocks of every type."""
Q4_K, Q5_0, Q6_K, IQ4_NL = (GGMLQuantizationType[name] for name in ("Q4_K", "Q5_0", "Q6_K", "IQ4_NL"))
Q4_K_M = {"token_embd": Q6_K, **{f"blk.0.{name}": Q6_K for name in ("attn_v", "ffn_down")}, "blk.1.attn_q": Q5_0}
"""As llama.cpp mixes types in files of that name; where a row holds no whole block of 256, it takes Q5_0 or IQ4_NL."""


@pytest.mark.parametrize("qtype", SUPPORTED_TYPES, ids=lambda qtype: qtype.name)
def test_tensors_equal_another_reader(tmp_path: Path, qtype: GGMLQuantizationType) -> None:
    path = write_random_llama(tmp_path / "model.gguf", qtype=qtype, **WIDE)
    file = open_gguf(path)
    for expected in GGUFReader(path).tensors:
        np.testing.assert_array_equal(file.tensor(expected.name), dequantize(expected.data, expected.tensor_type))
    assert file.tensors[NAME].type == qtype
    assert file.tensor(NAME).shape == file.tensors[NAME].shape == (256, 512)
    assert file.raw(NAME).nbytes == file.tensors[NAME].num_bytes


@pytest.mark.parametrize("qtype", SUPPORTED_TYPES, ids=lambda qtype: qtype.name)
def test_a_model_is_loaded_whatever_it_is_stored_as(tmp_path: Path, qtype: GGMLQuantizationType) -> None:
    check_loaded(write_random_llama(tmp_path / "model.gguf", qtype=qtype, tied=False, **WIDE), {qtype})


def test_a_model_of_mixed_types_is_loaded(tmp_path: Path) -> None:
    path = write_random_llama(tmp_path / "model.gguf", qtype=Q4_K, qtypes=Q4_K_M, **WIDE)
    check_loaded(path, {Q4_K, Q5_0, Q6_K})


def test_rows_of_no_whole_256_are_mixed_with_others(tmp_path: Path) -> None:
    """SmolLM2-135M is 576 wide."""
    by_name = {"blk.0.ffn_down": Q4_K, "blk.1.ffn_down": Q6_K, "token_embd": GGMLQuantizationType.Q8_0}
    path = write_random_llama(tmp_path / "model.gguf", qtype=IQ4_NL, qtypes=by_name, hidden=64, intermediate=256)
    check_loaded(path, {IQ4_NL, Q4_K, Q6_K, GGMLQuantizationType.Q8_0})


def check_loaded(path: Path, types: set[GGMLQuantizationType]) -> None:
    """Every tensor is in the graph, its first and last rows as ggml's block layout says, and the model computes."""
    model, file = load_model(path), open_gguf(path)
    assert {info.type for info in file.tensors.values()} == types | {GGMLQuantizationType.F32}
    assert model.graph.constants.keys() == file.tensors.keys()
    for name, info in file.tensors.items():
        stored, values = np.atleast_2d(file.raw(name)), np.atleast_2d(model.graph.constants[name])
        assert model.graph.constants[name].shape == info.shape
        for row in (0, -1):
            np.testing.assert_array_equal(values[row], decoded(info.type, stored[row].tobytes()))
    assert np.isfinite(evaluate_fp32(model.graph, np.arange(3))).all()


def test_tensors_are_read_only(small_file: GgufFile) -> None:
    for values in (small_file.tensor(NAME), small_file.raw(NAME)):
        with pytest.raises(ValueError, match="read-only"):
            values[0, 0] = 0


def test_a_missing_tensor_is_refused(small_file: GgufFile) -> None:
    with pytest.raises(GgufError, match="tensor nothing is missing"):
        small_file.tensor("nothing")


def test_metadata_has_explicit_types(small_file: GgufFile) -> None:
    assert small_file.require("llama.block_count", int) == 2
    assert small_file.optional("llama.nothing", int, 7) == 7
    assert small_file.require_array("tokenizer.ggml.tokens", str)[0] == "<|endoftext|>"
    with pytest.raises(GgufError, match=r"llama\.nothing is missing"):
        small_file.require("llama.nothing", int)
    with pytest.raises(GgufError, match=r"llama\.block_count is 2, expected str"):
        small_file.require("llama.block_count", str)
    with pytest.raises(GgufError, match=r"tokenizer\.ggml\.tokens is missing or no array of int"):
        small_file.require_array("tokenizer.ggml.tokens", int)


@pytest.mark.parametrize("content", [None, b""], ids=["missing", "empty"])
def test_a_file_that_cannot_be_mapped_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "model.gguf"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(GgufError, match=r"model\.gguf: cannot be read"):
        open_gguf(path)
