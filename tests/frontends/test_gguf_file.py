"""Tensors and typed metadata of a GGUF file."""

from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFReader
from gguf.quants import dequantize

from tests.models import write_random_llama
from waterclock.frontends.gguf_file import SUPPORTED_TYPES, GgufError, GgufFile, open_gguf

NAME = "blk.0.ffn_down.weight"


@pytest.mark.parametrize("qtype", SUPPORTED_TYPES, ids=lambda qtype: qtype.name)
def test_tensors_equal_another_reader(tmp_path: Path, qtype: GGMLQuantizationType) -> None:
    path = write_random_llama(tmp_path / "model.gguf", qtype=qtype)
    file = open_gguf(path)
    for expected in GGUFReader(path).tensors:
        np.testing.assert_array_equal(file.tensor(expected.name), dequantize(expected.data, expected.tensor_type))
    assert file.tensors[NAME].type == qtype
    assert file.tensor(NAME).shape == file.tensors[NAME].shape == (32, 64)
    assert file.raw(NAME).nbytes == file.tensors[NAME].num_bytes


def test_tensors_are_read_only(small_file: GgufFile) -> None:
    for values in (small_file.tensor(NAME), small_file.raw(NAME)):
        with pytest.raises(ValueError, match="read-only"):
            values[0, 0] = 0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_tensor_that_is_not_finite_is_refused(tmp_path: Path, value: float) -> None:
    """Of a Q8_0 tensor, only a block's scale can be not finite."""
    path = write_random_llama(tmp_path / "model.gguf", qtype=GGMLQuantizationType.Q8_0)
    offset = open_gguf(path).tensors[NAME].offset_bytes
    data = bytearray(path.read_bytes())
    data[offset : offset + 2] = np.float16(value).tobytes()
    path.write_bytes(data)
    with pytest.raises(GgufError, match=f"{NAME} holds a value that is not finite"):
        open_gguf(path).tensor(NAME)


def test_an_unsupported_type_is_refused_by_name(tmp_path: Path) -> None:
    path = write_random_llama(tmp_path / "model.gguf", extra_tensors={"x": np.ones(8, np.float64)})
    with pytest.raises(GgufError, match=r"x is stored as F64, supported are F32, .*: convert"):
        open_gguf(path).tensor("x")


def test_a_missing_tensor_is_refused(small_file: GgufFile) -> None:
    with pytest.raises(GgufError, match="tensor nothing is missing"):
        small_file.tensor("nothing")


def test_metadata_has_explicit_types(small_file: GgufFile) -> None:
    assert small_file.require("llama.block_count", int) == 2
    assert small_file.optional("llama.nothing", int, 7) == 7
    assert small_file.require_array("tokenizer.ggml.tokens", str)[0] == "<|endoftext|>"
    with pytest.raises(GgufError, match=r"llama\.nothing is missing"):
        small_file.require("llama.nothing", int)
    with pytest.raises(GgufError, match=r"llama\.block_count is '2', expected str"):
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
