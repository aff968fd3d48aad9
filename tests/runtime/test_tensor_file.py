"""Safetensors read to where they are to lie, and refused where they are no such file."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from waterclock.errors import InputError
from waterclock.runtime.tensor_file import DTYPES, file_sha256, read_tensors


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "some.safetensors"


@pytest.mark.parametrize("dtype", DTYPES.values())
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (5,), (2, 3, 4)])
def test_what_the_library_wrote_is_read(path: Path, dtype: np.dtype, shape: tuple[int, ...]) -> None:
    written = {
        name: np.arange(np.prod(shape)).astype(dtype).reshape(shape) + dtype.type(i) for i, name in enumerate("ab")
    }
    save_file({name: np.asarray(array) for name, array in written.items()}, path)
    found, sha256 = read_tensors(path)
    assert sha256 == file_sha256(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    assert sorted(found) == ["a", "b"]
    for name, array in written.items():
        assert found[name].dtype == dtype
        np.testing.assert_array_equal(found[name], array)


def test_a_tensor_may_lie_in_a_larger_one(path: Path) -> None:
    save_file({"a": np.arange(12, dtype=np.int32).reshape(2, 3, 2)}, path)
    whole = np.full((2, 5, 2), -1, np.int32)
    found, sha256 = read_tensors(path, lambda name, dtype, shape: whole[:, : shape[1]])
    assert found["a"].base is whole
    np.testing.assert_array_equal(whole[:, :3], np.arange(12).reshape(2, 3, 2))
    assert (whole[:, 3:] == -1).all()
    assert sha256 == file_sha256(path)


def header(**tensors: object) -> bytes:
    text = json.dumps(tensors).encode()
    return len(text).to_bytes(8, "little") + text


def spec(dtype: object = "I32", shape: object = (2,), offsets: object = (0, 8)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


BAD = {
    "empty": b"",
    "half a length": b"\0\0\0",
    "a huge header": b"\xff" * 64,
    "no JSON": (5).to_bytes(8, "little") + b"{{{{{",
    "no text": (2).to_bytes(8, "little") + b"\xff\xfe",
    "a list": (2).to_bytes(8, "little") + b"[]",
    "deep": (100_000).to_bytes(8, "little") + b"[" * 100_000,
    "no tensor": header(a=5),
    "no type": header(a={"shape": [2], "data_offsets": [0, 8]}) + bytes(8),
    "another type": header(a=spec("F99")) + bytes(8),
    "a negative length": header(a=spec(shape=(-2,))) + bytes(8),
    "a fraction": header(a=spec(shape=(2.0,))) + bytes(8),
    "a truth": header(a=spec(shape=(True, 2))) + bytes(8),
    "a text": header(a=spec(shape="ab")) + bytes(8),
    "too few bytes": header(a=spec(shape=(3,))) + bytes(8),
    "too many": header(a=spec(shape=(1 << 62, 4))) + bytes(8),
    "a short file": header(a=spec()) + bytes(7),
    "a long file": header(a=spec()) + bytes(9),
    "a gap": header(a=spec(), b=spec(offsets=(9, 17))) + bytes(17),
    "two in one place": header(a=spec(), b=spec()) + bytes(8),
    "backwards": header(a=spec(shape=(0,), offsets=(8, 8)), b=spec(shape=(1,), offsets=(8, 4))) + bytes(8),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_such_file_is_refused(path: Path, name: str) -> None:
    path.write_bytes(BAD[name])
    with pytest.raises(InputError, match=r"some\.safetensors: not safetensors") as refused:
        read_tensors(path)
    assert "\n" not in str(refused.value)
