"""A bundle as a folder, whole, checked, and the same bytes for the same bundle.

    manifest.json         model, chip, quantization, versions, objects and programs, as plain values
    memory.safetensors    the images: mem int32 [MEM slice, word, lane], reram int8 [MXM, tile, row, column]
    programs.safetensors  the arrays of every program, under NAME/
    tokenizer.json        tokenizer and chat template
    SHA256SUMS            the hash of every file above, in the format of sha256sum

Nothing is used before its hash and its shape are checked.
"""

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save as save_tensors

from waterclock.atomic import new_folder
from waterclock.chip import Chip
from waterclock.compiler.deployment import Deployment, blank_images, end_of
from waterclock.errors import InputError, WaterclockError
from waterclock.frontends.graph import ModelConfig
from waterclock.frontends.tokenizer import Tokenizer
from waterclock.isa.plain import from_plain, to_plain
from waterclock.isa.program import Program, Space
from waterclock.isa.program_file import Manifest as ProgramManifest
from waterclock.isa.program_file import program_from_arrays, program_to_arrays
from waterclock.runtime.bundle import Bundle
from waterclock.runtime.manifest import FORMAT_VERSION, Manifest, ProgramEntry, manifest_bytes, read_manifest
from waterclock.runtime.tensor_file import Place, anywhere, file_sha256, read_tensors

MANIFEST, MEMORY, PROGRAMS, TOKENIZER = FILES = (
    "manifest.json", "memory.safetensors", "programs.safetensors", "tokenizer.json"
)  # fmt: skip
SUMS = "SHA256SUMS"
MAKE_ONE = "compile writes one: waterclock compile MODEL -o DIR"
Tensors = Mapping[str, npt.NDArray[Any]]


def save_bundle(bundle: Bundle, folder: Path) -> str:
    """Write a new folder, there whole or not at all; returns the hash of SHA256SUMS, which stands for all of it.

    InputError if something of that name exists or can't be written.
    """
    contents = _contents(bundle)
    sums = _sums({name: _sha256(contents[name]) for name in FILES})
    with new_folder(folder) as partial:
        for name, data in {**contents, SUMS: sums}.items():
            (partial / name).write_bytes(data)
    return _sha256(sums)


def load_bundle(folder: Path, *, late: bool = False) -> Bundle:
    """The bundle in a folder; InputError names the file that is missing, changed or malformed, and the field in it.

    With `late`, the words of a program are decoded when they are first looked at, and refused then if they are no
    instructions: all before it runs.
    """
    sums, contents = _read(folder / SUMS), {name: _read(folder / name) for name in (MANIFEST, TOKENIZER)}
    found = {name: _sha256(data) for name, data in contents.items()}
    _check_sums(folder, sums, found)
    manifest = read_manifest(contents[MANIFEST], folder / MANIFEST)
    with ThreadPoolExecutor(1) as reader:  # weights are read and hashed while the rest is looked at
        images = reader.submit(_images, folder, manifest.chip, sums)
        programs, found[PROGRAMS] = _tensors(folder / PROGRAMS, sums, anywhere)
        program_by_name = _programs(manifest, programs, folder, late=late)
        tokenizer = _tokenizer(contents[TOKENIZER], manifest.config, folder / TOKENIZER)
        mem, reram, found[MEMORY] = images.result()
    if _sums({name: found[name] for name in FILES}) != sums:
        raise InputError(f"{folder / SUMS}: changed: holds more than the hashes of {', '.join(FILES)}")
    deployment = Deployment(
        chip=manifest.chip,
        config=manifest.config,
        max_context=manifest.max_context,
        objects=manifest.objects,
        mem=mem,
        reram=reram,
        programs=program_by_name,
        explanations={entry.program.name: entry.explanation for entry in manifest.programs},
    )
    return Bundle(deployment, tokenizer, manifest.origin)


def bundle_sha256(folder: Path) -> str:
    """The hash that `save_bundle` returned."""
    return _sha256(_read(folder / SUMS))


def _contents(bundle: Bundle) -> dict[str, bytes]:
    deployment = bundle.deployment
    tensors: dict[str, npt.NDArray[Any]] = {}
    programs: list[ProgramEntry] = []
    for name, program in sorted(deployment.programs.items()):
        arrays, manifest = program_to_arrays(program)
        tensors |= {f"{name}/{key}": array for key, array in arrays.items()}
        programs.append(ProgramEntry(from_plain(ProgramManifest, manifest, name), deployment.explanations[name]))
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        origin=bundle.origin,
        config=deployment.config,
        chip=deployment.chip,
        max_context=deployment.max_context,
        objects=deployment.objects,
        programs=tuple(programs),
    )
    images = {"mem": (deployment.mem, Space.MEM), "reram": (deployment.reram, Space.RERAM)}
    return {
        MANIFEST: manifest_bytes(manifest),
        MEMORY: save_tensors(
            {
                name: np.ascontiguousarray(image[:, : end_of(deployment.objects, space)])
                for name, (image, space) in images.items()
            }
        ),
        PROGRAMS: save_tensors(tensors),
        TOKENIZER: bundle.tokenizer.to_json().encode(),
    }


def _check_sums(folder: Path, sums: bytes, sha256_by_name: Mapping[str, str]) -> None:
    """InputError for a file whose hash is not among those that SHA256SUMS states."""
    for name, sha256 in sha256_by_name.items():
        if _sums({name: sha256}) not in sums:
            raise InputError(f"{folder / name}: changed: its hash is not the one in {SUMS}")


def _sums(sha256_by_name: Mapping[str, str]) -> bytes:
    return "".join(f"{hash_}  {name}\n" for name, hash_ in sha256_by_name.items()).encode()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> InputError:
    folder = path.parent
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "there is no such folder"
        return InputError(f"{folder}: {what}, expected a compiled folder; {MAKE_ONE}")
    if isinstance(error, FileNotFoundError):
        return InputError(f"{folder}: is no deployment, {path.name} is missing; {MAKE_ONE}")
    return InputError(f"{path}: cannot be read: {error.strerror}")


def _tensors(path: Path, sums: bytes, place: Place) -> tuple[Tensors, str]:
    """The tensors of a file that has the hash that is stated, and that hash."""
    try:
        tensors, sha256 = read_tensors(path, place)
    except InputError:
        _check_sums(path.parent, sums, {path.name: file_sha256(path)})
        raise
    except OSError as error:
        raise _unreadable(path, error) from None
    _check_sums(path.parent, sums, {path.name: sha256})
    return tensors, sha256


def _images(folder: Path, chip: Chip, sums: bytes) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int8], str]:
    """MEM and ReRAM of the chip, read to where they stay, and the hash of their file, in which they may end before
    their second axis does."""
    mem, reram = blank_images(chip)
    whole_by_name: Mapping[str, npt.NDArray[Any]] = {"mem": mem, "reram": reram}

    def place(name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
        whole = whole_by_name.get(name)
        if whole is None:
            raise InputError(f"{folder / MEMORY}: tensor {name} is not of a deployment")
        fits = len(shape) == whole.ndim and shape[1] <= whole.shape[1]
        if dtype != whole.dtype or not fits or shape != (whole.shape[0], shape[1], *whole.shape[2:]):
            raise InputError(f"{folder / MEMORY}: {name} is {dtype}{shape}, the chip has {whole.dtype}{whole.shape}")
        return whole[:, : shape[1]]

    tensors, sha256 = _tensors(folder / MEMORY, sums, place)
    if missing := [name for name in whole_by_name if name not in tensors]:
        raise InputError(f"{folder / MEMORY}: tensor {missing[0]} is missing")
    return mem, reram, sha256


def _programs(manifest: Manifest, tensors: Tensors, folder: Path, *, late: bool) -> dict[str, Program]:
    def one(facts: ProgramManifest) -> Program:
        prefix = f"{facts.name}/"
        own = {name.removeprefix(prefix): array for name, array in tensors.items() if name.startswith(prefix)}
        return program_from_arrays(own, to_plain(facts), f"{folder / PROGRAMS}: {facts.name}", late=late)

    try:
        return {entry.program.name: one(entry.program) for entry in manifest.programs}
    except WaterclockError as error:
        raise InputError(f"{folder / PROGRAMS}: {error}") from error


def _tokenizer(data: bytes, config: ModelConfig, path: Path) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_json(data.decode())
    except (InputError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}") from error
    if tokenizer.vocab_size != config.vocab:
        raise InputError(f"{path}: vocabulary of {tokenizer.vocab_size} tokens, the model's has {config.vocab}")
    return tokenizer
