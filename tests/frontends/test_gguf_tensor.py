"""The values of stored tensors: each type against ggml's block layout read one value at a time."""

import tracemalloc

import numpy as np
import pytest
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from tests.ggml_blocks import BLOCK_FORMATS, decoded, random_blocks
from waterclock.frontends import gguf_tensor
from waterclock.frontends.gguf_tensor import CHUNK_VALUES, SUPPORTED_TYPES, float_values

each_type = pytest.mark.parametrize("type_", SUPPORTED_TYPES, ids=lambda type_: type_.name)
SCALES = [(type_, offset) for type_ in SUPPORTED_TYPES for offset in BLOCK_FORMATS[type_].half_offsets]


@each_type
def test_the_sizes_are_ggml_s(type_: GGMLQuantizationType) -> None:
    block = BLOCK_FORMATS[type_]
    assert GGML_QUANT_SIZES[type_] == (block.num_values, block.num_bytes)
    assert CHUNK_VALUES % block.num_values == 0


@each_type
@pytest.mark.parametrize("largest", [2.0**-10, 65504.0])
def test_values_are_ggml_s_bit_for_bit(type_: GGMLQuantizationType, largest: float) -> None:
    stored = random_blocks(type_, 24, np.random.default_rng(type_), largest).reshape(-1)
    np.testing.assert_array_equal(
        float_values(stored, type_).view(np.uint32), decoded(type_, stored.tobytes()).view(np.uint32)
    )


@each_type
def test_it_does_not_matter_where_chunks_end(type_: GGMLQuantizationType, monkeypatch: pytest.MonkeyPatch) -> None:
    stored = random_blocks(type_, 7, np.random.default_rng(1)).reshape(-1)
    whole = float_values(stored, type_).copy()
    monkeypatch.setattr(gguf_tensor, "CHUNK_VALUES", 3 * BLOCK_FORMATS[type_].num_values)
    np.testing.assert_array_equal(float_values(stored, type_), whole)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("type_", "offset"), SCALES, ids=lambda part: getattr(part, "name", part))
def test_a_number_that_is_not_finite_is_refused_without_a_warning(
    type_: GGMLQuantizationType, offset: int, number: float
) -> None:
    """Codes of zero as well: infinity times zero is what numpy would warn of."""
    for codes in (random_blocks(type_, 3, np.random.default_rng(2)), np.zeros((3, BLOCK_FORMATS[type_].num_bytes))):
        blocks = codes.astype(np.uint8)
        blocks[1, offset : offset + 2] = np.frombuffer(np.float16(number).tobytes(), np.uint8)
        with pytest.raises(ValueError, match="not finite"):
            float_values(blocks.reshape(-1), type_)


@pytest.mark.parametrize("type_", [GGMLQuantizationType.Q8_0, GGMLQuantizationType.Q4_1], ids=lambda type_: type_.name)
def test_a_large_tensor_takes_little_more_than_its_values(type_: GGMLQuantizationType) -> None:
    """The embedding of SmolLM2-135M; dequantized whole, the package takes twice its values."""
    num_values = 49_152 * 576
    stored = np.zeros(num_values // 32 * BLOCK_FORMATS[type_].num_bytes, np.uint8)
    tracemalloc.start()
    float_values(stored, type_)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(f"{type_.name}: peak {peak_bytes / (4 * num_values):.3f} times the values")
    assert peak_bytes < 1.1 * 4 * num_values
