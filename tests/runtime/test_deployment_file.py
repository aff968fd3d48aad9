"""Saved bundles: complete, checked to the last byte, whole or not there, the same bytes every time."""

import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from waterclock.errors import InputError
from waterclock.isa.program_file import program_sha256
from waterclock.runtime.bundle import Bundle
from waterclock.runtime.deployment_file import (
    FILES,
    MANIFEST,
    MEMORY,
    PROGRAMS,
    SUMS,
    TOKENIZER,
    bundle_sha256,
    load_bundle,
    save_bundle,
)

Edit = Callable[[Path], object]


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    """A copy of the saved bundle that a test may spoil."""
    return Path(shutil.copytree(folder, tmp_path / "copied"))


def test_what_was_saved_is_loaded(prefilling: Bundle, folder: Path) -> None:
    loaded = load_bundle(folder)
    assert (loaded.tokenizer, loaded.origin) == (prefilling.tokenizer, prefilling.origin)
    here, there = loaded.deployment, prefilling.deployment
    for name in ("chip", "config", "max_context", "objects", "explanations"):
        assert getattr(here, name) == getattr(there, name), name
    for name in ("mem", "reram"):
        np.testing.assert_array_equal(getattr(here, name), getattr(there, name))
    assert list(here.programs) == list(there.programs)
    for name, program in here.programs.items():
        assert program_sha256(program) == program_sha256(there.programs[name])
        for queue, rows in program.flow.items():
            np.testing.assert_array_equal(rows, there.programs[name].flow[queue])
            np.testing.assert_array_equal(program.labels[queue], there.programs[name].labels[queue])


def test_what_was_loaded_is_saved_in_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    sha256 = save_bundle(load_bundle(folder), tmp_path / "again")
    assert sha256 == bundle_sha256(folder) == bundle_sha256(tmp_path / "again")
    assert sorted(file.name for file in (tmp_path / "again").iterdir()) == sorted([*FILES, SUMS])
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (folder / name).read_bytes(), name


def test_the_sums_are_what_sha256sum_checks(folder: Path) -> None:
    lines = [line.split("  ") for line in (folder / SUMS).read_text().splitlines()]
    assert [name for _, name in lines] == list(FILES)
    for sha256, name in lines:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256


@pytest.mark.parametrize(("hash_seed", "num_threads"), [("1", "1"), ("2", "3")])
def test_the_bytes_do_not_depend_on_hash_order_or_threads(
    model_path: Path, folder: Path, tmp_path: Path, hash_seed: str, num_threads: str
) -> None:
    threads = dict.fromkeys(["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"], num_threads)
    options = ["--chip", "tiny", "--context", "32", "--no-cache"]
    command = [sys.executable, "-m", "waterclock", "compile", str(model_path), "-o", str(tmp_path / "again"), *options]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, **threads}
    subprocess.run(
        [*command, "--chip", "tiny", "--context", "32", "--no-cache"], env=environment, check=True, capture_output=True
    )
    assert bundle_sha256(tmp_path / "again") == bundle_sha256(folder)


@pytest.mark.parametrize("name", [*FILES, SUMS])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.7, 1.0])
def test_a_changed_byte_is_refused_with_the_files_name(copied: Path, name: str, place: float) -> None:
    data = bytearray((copied / name).read_bytes())
    data[int(place * (len(data) - 1))] ^= 1
    (copied / name).write_bytes(data)
    with pytest.raises(InputError, match="changed") as refused:
        load_bundle(copied)
    assert name == SUMS or str(copied / name) in str(refused.value)


@pytest.mark.parametrize("name", [*FILES, SUMS])
def test_a_missing_file_is_named(copied: Path, name: str) -> None:
    (copied / name).unlink()
    with pytest.raises(InputError, match=f"is no deployment, {name} is missing"):
        load_bundle(copied)


def edit_manifest(change: Callable[[dict[str, Any]], None]) -> Edit:
    def edit(folder: Path) -> None:
        manifest = json.loads((folder / MANIFEST).read_text())
        change(manifest)
        (folder / MANIFEST).write_text(json.dumps(manifest))

    return edit


def put(*path: str | int, value: object) -> Edit:
    """Set a field of the manifest, deep down."""

    def change(manifest: dict[str, Any]) -> None:
        place: Any = manifest
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return edit_manifest(change)


def edit_tensors(name: str, change: Callable[[dict[str, np.ndarray]], object]) -> Edit:
    def edit(folder: Path) -> None:
        tensors = load_file(folder / name)
        change(tensors)
        save_file(tensors, folder / name)

    return edit


def write(name: str, data: bytes) -> Edit:
    return lambda folder: (folder / name).write_bytes(data)


FORGERIES: dict[str, tuple[Edit, str]] = {
    "another format": (put("format_version", value=1), r"manifest.json: format_version = 1: must be 2"),
    "no JSON": (write(MANIFEST, b"{"), "manifest.json: not JSON"),
    "no text": (write(MANIFEST, b"\xff\xfe\xff"), "manifest.json: not JSON"),
    "deep JSON": (write(MANIFEST, b"[" * 100_000), "manifest.json: not JSON"),
    "a list": (write(MANIFEST, b"[]"), "manifest.json: format_version = None"),
    "a field more": (put("extra", value=1), r"manifest.json: manifest = .* must be an object with the fields"),
    "a text for a number": (put("max_context", value="32"), r"manifest.json: manifest.max_context = '32'"),
    "a number for a text": (put("origin", "model_sha256", value=5), r"manifest.json: manifest.origin.model_sha256 = 5"),
    "a chip that can't be": (put("chip", "lanes", value=9), r"manifest.json.*lanes = 9"),
    "a chip with other memories": (put("chip", "mem", "num_words", value=8), "lies in no memory of the chip"),
    "an unknown space": (
        put("objects", 0, "space", value="disk"),
        r"manifest.json: manifest.objects\[0\].space = 'disk'",
    ),
    "an unknown slice": (put("objects", 0, "slice", value="mem99"), "lies in no memory of the chip: 'mem99'"),
    "a place outside": (put("programs", 0, "program", "objects", 0, "base", value=1 << 40), "lies in no memory"),
    "a missing queue": (
        put("programs", 0, "program", "queues", value=["vxm.alu0", "vxm.alu99999"]),
        r"programs.safetensors.*vxm.alu99999",
    ),
    "no safetensors": (write(MEMORY, b"\x00" * 64), "memory.safetensors: not safetensors"),
    "a huge header": (write(MEMORY, b"\xff" * 64), "memory.safetensors: not safetensors"),
    "no mem": (edit_tensors(MEMORY, lambda t: t.pop("mem")), "memory.safetensors: tensor mem is missing"),
    "another type": (edit_tensors(MEMORY, lambda t: t.update(mem=t["mem"].astype(np.int64))), "mem is int64"),
    "another shape": (edit_tensors(MEMORY, lambda t: t.update(reram=t["reram"][:, :, 1:].copy())), "reram is int8"),
    "no words": (edit_tensors(PROGRAMS, lambda t: t.pop("decode-32/queues.vxm.alu0")), "programs.safetensors"),
    "no instruction": (
        edit_tensors(PROGRAMS, lambda t: t["decode-32/queues.vxm.alu0"].fill(0xFFFFFFFF)),
        "programs.safetensors",
    ),
    "no tokenizer": (write(TOKENIZER, b"{}"), "tokenizer.json: "),
    "a binary tokenizer": (write(TOKENIZER, b"\xff"), "tokenizer.json: "),
    "another vocabulary": (put("config", "vocab", value=299), "tokenizer.json: vocabulary of 300 tokens"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forgery_with_true_hashes_is_refused_by_file_and_field(copied: Path, forgery: str) -> None:
    edit, message = FORGERIES[forgery]
    edit(copied)
    sums = [f"{hashlib.sha256((copied / name).read_bytes()).hexdigest()}  {name}\n" for name in FILES]
    (copied / SUMS).write_text("".join(sums))
    with pytest.raises(InputError, match=message) as refused:
        load_bundle(copied)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("problem", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), KeyboardInterrupt()])
def test_what_was_not_written_whole_is_not_there(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: BaseException
) -> None:
    written = Path.write_bytes

    def write_bytes(path: Path, data: bytes) -> int:
        if path.name == PROGRAMS:
            written(path, data[: len(data) // 2])
            raise problem
        return written(path, data)

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    with pytest.raises((InputError, KeyboardInterrupt)):
        save_bundle(bundle, tmp_path / "folder")
    assert list(tmp_path.iterdir()) == []


def test_nothing_that_exists_is_overwritten(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("folder", "link"):
        with pytest.raises(InputError, match="exists already"):
            save_bundle(bundle, tmp_path / name)
    assert list((tmp_path / "folder").iterdir()) == []
