"""The header reader: whatever the bytes, either a checked header or one GgufError line, nothing else."""

import random
import struct
from pathlib import Path

import pytest
from gguf import GGUFReader

from waterclock.frontends.gguf_file import GgufFile
from waterclock.frontends.gguf_header import GgufError, read_header

PATH = Path("model.gguf")
F32, Q8_0 = 0, 8


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def entry(key: str, type_: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", type_) + value


def tensor(name: str, sizes: tuple[int, ...], type_: int = F32, offset: int = 0, rank: int | None = None) -> bytes:
    shape = struct.pack(f"<I{len(sizes)}Q", len(sizes) if rank is None else rank, *sizes)
    return text(name) + shape + struct.pack("<IQ", type_, offset)


def gguf_bytes(
    *parts: bytes,
    entries: tuple[bytes, ...] = (),
    magic: bytes = b"GGUF",
    version: int = 3,
    num_tensors: int | None = None,
    num_entries: int | None = None,
    data: bytes = bytes(256),
) -> bytes:
    counts = (len(parts) if num_tensors is None else num_tensors, len(entries) if num_entries is None else num_entries)
    head = magic + struct.pack("<IQQ", version, *counts) + b"".join(entries) + b"".join(parts)
    return head + bytes(-len(head) % 32) + data


GOOD_TENSOR = tensor("a", (32,))
BAD_FILES = {
    "empty": (b"", "magic needs 4 bytes, 0 are left"),
    "other magic": (gguf_bytes(magic=b"GGML"), "magic is b'GGML'"),
    "version 1": (gguf_bytes(version=1), "version is 1, supported are 2, 3"),
    "big endian": (gguf_bytes(version=3 << 24), "big-endian"),
    "tensor count": (gguf_bytes(num_tensors=2**64 - 1), "tensor count is 18446744073709551615"),
    "metadata count": (gguf_bytes(num_entries=2**63), "metadata count is 9223372036854775808"),
    "key length": (gguf_bytes(entries=(struct.pack("<Q", 2**64 - 1) + bytes(20),)), "metadata key needs"),
    "empty key": (gguf_bytes(entries=(entry("", 4, bytes(4)),)), "metadata key is ''"),
    "key with newline": (gguf_bytes(entries=(entry("a\nb", 4, bytes(4)),)), "metadata key is"),
    "key not UTF-8": (gguf_bytes(entries=(struct.pack("<Q", 2) + b"\xff\xfe" + bytes(12),)), "not UTF-8"),
    "value type": (gguf_bytes(entries=(entry("k", 13, bytes(8)),)), "type of k is 13"),
    "boolean 2": (gguf_bytes(entries=(entry("k", 7, b"\x02"),)), "k is 2, expected a boolean"),
    "array length": (gguf_bytes(entries=(entry("k", 9, struct.pack("<IQ", 4, 2**62)),)), "length of k is"),
    "array of strings length": (gguf_bytes(entries=(entry("k", 9, struct.pack("<IQ", 8, 2**40)),)), "length of k is"),
    "array of arrays": (gguf_bytes(entries=(entry("k", 9, struct.pack("<IQ", 9, 1)),)), "array of arrays"),
    "same key twice": (gguf_bytes(entries=(entry("k", 4, bytes(4)),) * 2), "metadata k appears twice"),
    "alignment 0": (gguf_bytes(entries=(entry("general.alignment", 4, bytes(4)),)), "general.alignment is 0"),
    "alignment 48": (gguf_bytes(entries=(entry("general.alignment", 4, struct.pack("<I", 48)),)), "alignment is 48"),
    "alignment as text": (gguf_bytes(entries=(entry("general.alignment", 8, text("32")),)), "alignment is '32'"),
    "rank 0": (gguf_bytes(tensor("a", (1,), rank=0)), "rank of a is 0"),
    "rank 5": (gguf_bytes(tensor("a", (1,) * 5)), "rank of a is 5"),
    "size 0": (gguf_bytes(tensor("a", (32, 0))), "expected no zero"),
    "overflowing shape": (gguf_bytes(tensor("a", (2**63, 2**63))), "a ends at byte"),
    "tensor type": (gguf_bytes(tensor("a", (32,), type_=999)), "type of a is 999"),
    "removed tensor type": (gguf_bytes(tensor("a", (32,), type_=4)), "type of a is 4"),
    "partial block": (gguf_bytes(tensor("a", (33,), type_=Q8_0)), "row length of a is 33"),
    "unaligned offset": (gguf_bytes(tensor("a", (8,), offset=8)), "offset of a is 8"),
    "offset beyond the end": (gguf_bytes(tensor("a", (8,), offset=2**63)), "a ends at byte"),
    "data too short": (gguf_bytes(tensor("a", (65,))), "a ends at byte"),
    "overlap": (gguf_bytes(GOOD_TENSOR, tensor("b", (8,), offset=96)), "tensors a and b overlap"),
    "same tensor twice": (gguf_bytes(GOOD_TENSOR, tensor("a", (8,), offset=128)), "tensor a appears twice"),
}


@pytest.mark.parametrize(("data", "message"), BAD_FILES.values(), ids=BAD_FILES.keys())
def test_a_bad_header_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(GgufError) as error:
        read_header(PATH, memoryview(data))
    assert message in str(error.value)
    assert str(error.value).startswith("model.gguf: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("version", [2, 3])
def test_a_good_header_is_read(version: int) -> None:
    entries = (
        entry("general.alignment", 4, struct.pack("<I", 64)),
        entry("k", 9, struct.pack("<IQ3h", 3, 3, 1, -2, 3)),
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


def test_damaged_headers_raise_nothing_else(small_path: Path) -> None:
    rng = random.Random(0)
    original = small_path.read_bytes()
    start = min(tensor.offset_bytes for tensor in read_header(PATH, memoryview(original)).tensors.values())
    num_refused = 0
    for _ in range(600):
        data = bytearray(original)
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(start)] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
        try:
            read_header(PATH, memoryview(data))
        except GgufError as error:
            num_refused += 1
            assert "\n" not in str(error)
    assert num_refused > 100
