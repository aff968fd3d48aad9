"""Files that are no GGUF, or whose header is wrong: counts, lengths, types, names, shapes, offsets."""

import struct
from functools import partial

from tests.frontends.bad_files.bad_file import BadFile, BadFiles
from tests.frontends.gguf_bytes import ARRAY, BOOL, Q8_0, STRING, U32, U64, array, entry, gguf_bytes, tensor, text

U8 = 0
HUGE = 2**64 - 1
GOOD_TENSOR = tensor("a", (32,))


def _whole(words: str, data: bytes) -> BadFile:
    return BadFile(lambda: data, words)


def _with_entries(words: str, *entries: bytes, **changes: int) -> BadFile:
    return BadFile(partial(gguf_bytes, entries=entries, **changes), words)


def _with_tensors(words: str, *tensors: bytes, **changes: int) -> BadFile:
    return BadFile(partial(gguf_bytes, *tensors, **changes), words)


def _alignment(type_: int, raw: bytes) -> bytes:
    return entry("general.alignment", type_, raw)


def _string_length(length: int) -> bytes:
    return struct.pack("<Q", length)


_START: BadFiles = {
    "empty": _whole("cannot be read", b""),
    "three bytes": _whole("magic needs 4 bytes, 3 are left", b"GGU"),
    "only the magic": _whole("version needs 4 bytes, 0 are left", b"GGUF"),
    "other magic": _whole("magic is b'GGML'", gguf_bytes(magic=b"GGML")),
    "a compressed file": _whole(r"magic is b'PK\x03\x04'", b"PK\x03\x04" + bytes(300)),
    "text": _whole("magic is b'# Mo'", b"# Model\n" * 40),
    "version 0": _whole("version is 0, supported are 2, 3", gguf_bytes(version=0)),
    "version 1": _whole("version is 1, supported are 2, 3", gguf_bytes(version=1)),
    "version 4": _whole("version is 4, supported are 2, 3", gguf_bytes(version=4)),
    "big endian": _whole("version is 50331648 (a big-endian file?)", gguf_bytes(version=3 << 24)),
    "tensor count near 2^64": _with_tensors(f"tensor count is {HUGE}", num_tensors=HUGE),
    "tensor count 2^63": _with_tensors(f"tensor count is {2**63}", num_tensors=2**63),
    "one tensor too many": _with_tensors("tensor name", GOOD_TENSOR, num_tensors=2),
    "too many tensors": BadFile(
        partial(gguf_bytes, num_tensors=70_000), "tensor count is 70000, at most 65536 are accepted", 4 << 20
    ),
    "metadata count near 2^64": _with_entries(f"metadata count is {HUGE}", num_entries=HUGE),
    "metadata count 2^61": _with_entries(f"metadata count is {2**61}", num_entries=2**61),
    "one entry too many": _with_entries("metadata key is ''", num_entries=1),
    "too many entries": BadFile(
        partial(gguf_bytes, num_entries=70_000), "metadata count is 70000, at most 65536 are accepted", 4 << 20
    ),
}

_METADATA: BadFiles = {
    "key length near 2^64": _with_entries(f"metadata key needs {HUGE} bytes", _string_length(HUGE) + bytes(20)),
    "key length beyond the end": _with_entries("metadata key needs 1048576 bytes", _string_length(1 << 20)),
    "empty key": _with_entries("metadata key is ''", entry("", U32, bytes(4))),
    "key with a newline": _with_entries(r"metadata key is 'a\nb'", entry("a\nb", U32, bytes(4))),
    "key with an escape": _with_entries(r"metadata key is '\x1b[2J'", entry("\x1b[2J", U32, bytes(4))),
    "key too long": _with_entries("expected 1 to 65535 bytes", entry("k" * 65_536, U32, bytes(4))),
    "key not UTF-8": _with_entries("metadata key is not UTF-8", _string_length(2) + b"\xff\xfe" + bytes(12)),
    "text not UTF-8": _with_entries("k is not UTF-8", entry("k", STRING, _string_length(1) + b"\xff")),
    "text with a surrogate": _with_entries("k is not UTF-8", entry("k", STRING, _string_length(3) + b"\xed\xa0\x80")),
    "text length near 2^64": _with_entries(f"k needs {HUGE} bytes", entry("k", STRING, _string_length(HUGE))),
    "text length 2^63": _with_entries(f"k needs {2**63} bytes", entry("k", STRING, _string_length(2**63))),
    "value type": _with_entries("type of k is 13, which GGUF does not define", entry("k", 13, bytes(8))),
    "boolean 2": _with_entries("k is 2, expected a boolean", entry("k", BOOL, b"\x02")),
    "array item type": _with_entries("type of k is 99", entry("k", ARRAY, array(99, 1))),
    "array of arrays": _with_entries("k is an array of arrays", entry("k", ARRAY, array(ARRAY, 1))),
    "array of booleans": _with_entries("k is 3, expected a boolean", entry("k", ARRAY, array(BOOL, 2, b"\x01\x03"))),
    "array length near 2^64": _with_entries(f"length of k is {HUGE}", entry("k", ARRAY, array(U32, HUGE))),
    "array length that overflows": _with_entries(f"length of k is {2**62}", entry("k", ARRAY, array(U32, 2**62))),
    "array of texts, huge": _with_entries(f"length of k is {2**40}", entry("k", ARRAY, array(STRING, 2**40))),
    "same key twice": _with_entries("metadata k appears twice", *(entry("k", U32, bytes(4)),) * 2),
    "alignment 0": _with_entries("general.alignment is 0", _alignment(U32, bytes(4))),
    "alignment 48": _with_entries("general.alignment is 48", _alignment(U32, struct.pack("<I", 48))),
    "alignment 2^63": _with_entries(f"general.alignment is {2**63}", _alignment(U64, struct.pack("<Q", 2**63))),
    "alignment as text": _with_entries("general.alignment is '32'", _alignment(STRING, text("32"))),
    "alignment as array": _with_entries("general.alignment is an array of 1", _alignment(ARRAY, array(U8, 1, b"\x20"))),
    "array of 2^29 bytes": BadFile(
        partial(gguf_bytes, entries=[entry("k", ARRAY, array(U8, 1 << 29))]), "length of k is 536870912", 1 << 30
    ),
    "text of 512 MiB": BadFile(
        partial(gguf_bytes, entries=[entry("k", STRING, _string_length(1 << 29))]),
        "k needs 536870912 bytes, 67108819 are left: a header has at most 67108864 bytes",
        1 << 30,
    ),
}

_TENSORS: BadFiles = {
    "empty tensor name": _with_tensors("tensor name is ''", tensor("", (8,))),
    "tensor name with a newline": _with_tensors(r"tensor name is 'a\nb'", tensor("a\nb", (8,))),
    "tensor name too long": _with_tensors("expected 1 to 64 bytes of printable text", tensor("n" * 65, (8,))),
    "tensor name not UTF-8": _with_tensors("tensor name is not UTF-8", _string_length(1) + b"\xff" + bytes(40)),
    "same tensor twice": _with_tensors("tensor a appears twice", GOOD_TENSOR, tensor("a", (8,), offset=128)),
    "rank 0": _with_tensors("rank of a is 0, expected 1 to 4", tensor("a", (1,), rank=0)),
    "rank 5": _with_tensors("rank of a is 5, expected 1 to 4", tensor("a", (1,) * 5)),
    "rank near 2^32": _with_tensors("rank of a is 4294967295", tensor("a", (1,), rank=2**32 - 1)),
    "size 0": _with_tensors("shape of a is 32, 0, expected no zero", tensor("a", (32, 0))),
    "shape that overflows to 0": _with_tensors("a ends at byte", tensor("a", (2**32, 2**32))),
    "shape that overflows to 32": _with_tensors("a ends at byte", tensor("a", (2**63 + 4, 2))),
    "shape near 2^256": _with_tensors("a ends at byte", tensor("a", (HUGE,) * 4)),
    "tensor type 999": _with_tensors("type of a is 999, which GGUF does not define", tensor("a", (32,), type_=999)),
    "a type that ggml removed": _with_tensors("type of a is 4", tensor("a", (32,), type_=4)),
    "partial block": _with_tensors("row length of a is 33", tensor("a", (33,), type_=Q8_0)),
    "partial block of 256": _with_tensors("row length of a is 32", tensor("a", (32, 8), type_=12)),
    "unaligned offset": _with_tensors("offset of a is 8, expected a multiple of 32", tensor("a", (8,), offset=8)),
    "offset near 2^64": _with_tensors("a ends at byte 18446744073709551680", tensor("a", (8,), offset=2**64 - 32)),
    "offset 2^63": _with_tensors("a ends at byte", tensor("a", (8,), offset=2**63)),
    "offset at the end": _with_tensors("a ends at byte", tensor("a", (8,), offset=256)),
    "one value too few": _with_tensors("a ends at byte 324, the file at 320", tensor("a", (65,))),
    "overlap": _with_tensors("tensors a and b overlap", GOOD_TENSOR, tensor("b", (8,), offset=96)),
    "two in one place": _with_tensors("tensors a and b overlap", GOOD_TENSOR, tensor("b", (32,))),
    "one inside another": _with_tensors("overlap at byte", tensor("a", (64,)), tensor("b", (8,), offset=64)),
}

HEADERS: BadFiles = {**_START, **_METADATA, **_TENSORS}
