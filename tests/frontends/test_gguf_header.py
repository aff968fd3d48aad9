"""The header reader: what it reads. What it refuses is in `tests.frontends.bad_files.header`."""

import struct
from pathlib import Path

import pytest
from gguf import GGUFReader

from tests.frontends.gguf_bytes import ARRAY, U32, entry, gguf_bytes, tensor
from waterclock.frontends.gguf_file import GgufFile
from waterclock.frontends.gguf_header import GgufError, read_header

PATH = Path("model.gguf")


@pytest.mark.parametrize("version", [2, 3])
def test_a_good_header_is_read(version: int) -> None:
    entries = (
        entry("general.alignment", U32, struct.pack("<I", 64)),
        entry("k", ARRAY, struct.pack("<IQ3h", 3, 3, 1, -2, 3)),
    )
    header = read_header(PATH, memoryview(gguf_bytes(tensor("a", (8, 4)), version=version, entries=entries)))
    assert header.version == version
    assert header.metadata == {"general.alignment": 64, "k": (1, -2, 3)}
    assert header.tensors["a"].shape == (4, 8)
    assert header.tensors["a"].offset_bytes % 64 == 0


def test_the_header_agrees_with_another_reader(small_path: Path, small_file: GgufFile) -> None:
    other = GGUFReader(small_path)
    for key, field in other.fields.items():
        if not key.startswith("GGUF."):
            value = small_file.metadata[key]
            assert (list(value) if isinstance(value, tuple) else value) == field.contents()
    assert [(t.name, t.tensor_type, t.data_offset, t.n_bytes) for t in other.tensors] == [
        (t.name, t.type, t.offset_bytes, t.num_bytes) for t in small_file.tensors.values()
    ]


def test_every_truncation_is_refused(small_path: Path) -> None:
    data = memoryview(small_path.read_bytes())
    start = min(tensor.offset_bytes for tensor in read_header(PATH, data).tensors.values())
    for length in [*range(0, start, 13), start, len(data) // 2, len(data) - 32]:
        with pytest.raises(GgufError):
            read_header(PATH, data[:length])
