"""Programs as arrays and a manifest, ready for safetensors and JSON, and back, exactly.

Queues are stored as the words that the chip reads, flow rows as bytes, labels as int32. Everything else is in the
manifest, plain JSON values. A program's hash covers what runs, the words and the manifest, not its proof and labels.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from waterclock.chip import SliceKind
from waterclock.errors import InputError
from waterclock.isa.causes import IllegalEntry
from waterclock.isa.encoding import Words, decode_queue, encode_queue
from waterclock.isa.layout import queue_kind, word_bits
from waterclock.isa.plain import from_plain, to_plain
from waterclock.isa.program import FLOW, Object, Output, Param, Program
from waterclock.isa.record import Records

FORMAT_VERSION = 3
_WORD = np.dtype("<u4")
_LABEL = np.dtype("<i4")
_BYTE = np.dtype("u1")
Tensors = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Manifest:
    """Everything about a program but its arrays; `queues` are the names of its queues, sorted."""

    format_version: int
    name: str
    chip_sha256: str
    length_cycles: int
    queues: tuple[str, ...]
    operations: tuple[str, ...]
    objects: tuple[Object, ...]
    params: tuple[Param, ...]
    outputs: tuple[Output, ...]


def program_to_arrays(program: Program) -> tuple[dict[str, npt.NDArray[Any]], dict[str, Any]]:
    """Tensors ("queues.NAME" uint32, "flow.NAME" uint8, "labels.NAME" int32) and the manifest as plain JSON values.

    IllegalEntry where a record has no encoding.
    """
    tensors: dict[str, npt.NDArray[Any]] = {}
    for name, words in _encoded(program).items():
        flow = program.flow[name]
        tensors[f"queues.{name}"] = words
        tensors[f"flow.{name}"] = np.frombuffer(flow.tobytes(), _BYTE).reshape(len(flow), FLOW.itemsize)
        tensors[f"labels.{name}"] = program.labels[name].astype(_LABEL)
    return tensors, to_plain(_manifest(program))


class _Late(Mapping[str, Records]):
    """Queues that are decoded from their words when one of them is first looked at."""

    def __init__(self, words_by_queue: Mapping[str, Words], source: str) -> None:
        self._words, self._source = words_by_queue, source

    @cached_property
    def _records(self) -> Mapping[str, Records]:
        try:
            return _decoded(self._words)
        except IllegalEntry as error:
            raise InputError(f"{self._source}: {error}") from error

    def __getitem__(self, queue: str) -> Records:
        return self._records[queue]

    def __iter__(self) -> Iterator[str]:
        return iter(self._words)

    def __len__(self) -> int:
        return len(self._words)


def program_from_arrays(
    tensors: Tensors,
    manifest: Mapping[str, Any],
    source: str = "program",
    *,
    late: bool = False,
) -> Program:
    """The program that was stored. InputError, starting with `source`, for what is missing or does not fit;
    IllegalEntry for a word that is no instruction. If it is to be decoded `late`, that is an InputError, when the
    queues are first looked at."""
    if manifest.get("format_version") != FORMAT_VERSION:
        raise InputError(f"{source}.format_version = {manifest.get('format_version')!r}: must be {FORMAT_VERSION}")
    facts = cast(Manifest, from_plain(Manifest, dict(manifest), source))
    kinds = {name: _kind(name, source) for name in facts.queues}
    words = {name: _words(tensors, name, kind, source) for name, kind in kinds.items()}
    program = Program(
        name=facts.name,
        chip_sha256=facts.chip_sha256,
        queues=_Late(words, source) if late else _decoded(words),
        flow={name: _flow(tensors, name, len(queue), source) for name, queue in words.items()},
        labels={name: _labels(tensors, name, len(queue), source) for name, queue in words.items()},
        operations=facts.operations,
        objects=facts.objects,
        params=facts.params,
        outputs=facts.outputs,
        length_cycles=facts.length_cycles,
    )
    object.__setattr__(program, "stored_sha256", _stored_sha256(tensors, facts))
    return program


def _decoded(words_by_queue: Mapping[str, Words]) -> dict[str, Records]:
    return {name: _fixed(decode_queue(words, queue_kind(name), name)) for name, words in words_by_queue.items()}


def _fixed(rows: Records) -> Records:
    """The same rows, which nobody can change: the program's hash is to stay true."""
    rows.flags.writeable = False
    return rows


def _stored_sha256(tensors: Tensors, facts: Manifest) -> str:
    """Hexadecimal hash of everything that is stored of a program, its proof and labels too."""
    digest = hashlib.sha256(json.dumps(to_plain(facts), sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\0{name}\0{tensor.dtype.str}{tensor.shape}\0".encode())
        digest.update(np.ascontiguousarray(tensor).data)
    return digest.hexdigest()


def program_sha256(program: Program) -> str:
    """Hexadecimal hash of the program's manifest and, in the order of their names, of its queues' words."""
    manifest = json.dumps(to_plain(_manifest(program)), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    digest = hashlib.sha256(manifest.encode())
    for words in _encoded(program).values():
        digest.update(len(words).to_bytes(8, "little") + words.astype(_WORD).tobytes())
    return digest.hexdigest()


def _encoded(program: Program) -> dict[str, Words]:
    return {name: encode_queue(program.queues[name], queue_kind(name), name) for name in sorted(program.queues)}


def _manifest(program: Program) -> Manifest:
    return Manifest(
        format_version=FORMAT_VERSION,
        name=program.name,
        chip_sha256=program.chip_sha256,
        length_cycles=program.length_cycles,
        queues=tuple(sorted(program.queues)),
        operations=program.operations,
        objects=program.objects,
        params=program.params,
        outputs=program.outputs,
    )


def _kind(queue: str, source: str) -> SliceKind:
    try:
        return queue_kind(queue)
    except ValueError as error:
        raise InputError(f"{source}.queues: {error}") from None


def _tensor(tensors: Tensors, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], source: str) -> Any:
    """The tensor of that type and shape, where -1 is any length."""
    if name not in tensors:
        raise InputError(f"{source}: tensor {name} is missing")
    tensor = tensors[name]
    fits = len(shape) == tensor.ndim and all(want in (-1, have) for want, have in zip(shape, tensor.shape, strict=True))
    if tensor.dtype != dtype or not fits:
        raise InputError(f"{source}: tensor {name} is {tensor.dtype}{tensor.shape}, must be {dtype}{shape}")
    return tensor


def _words(tensors: Tensors, queue: str, kind: SliceKind, source: str) -> Words:
    return _tensor(tensors, f"queues.{queue}", _WORD, (-1, word_bits(kind) // 32), source)


def _flow(tensors: Tensors, queue: str, length: int, source: str) -> Records:
    rows = _tensor(tensors, f"flow.{queue}", _BYTE, (length, FLOW.itemsize), source)
    return _fixed(np.ascontiguousarray(rows).reshape(-1).view(FLOW))


def _labels(tensors: Tensors, queue: str, length: int, source: str) -> npt.NDArray[np.int32]:
    return _tensor(tensors, f"labels.{queue}", _LABEL, (length,), source)
