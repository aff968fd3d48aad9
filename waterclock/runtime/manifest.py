"""The manifest of a bundle's folder: everything about a bundle but its arrays and its tokenizer, as JSON."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from waterclock.chip import Chip
from waterclock.compiler.explain import Explanation
from waterclock.errors import InputError
from waterclock.frontends.graph import ModelConfig
from waterclock.isa.plain import from_plain, to_plain
from waterclock.isa.program import Object
from waterclock.isa.program_file import Manifest as ProgramManifest
from waterclock.runtime.bundle import Origin
from waterclock.runtime.usage import KIND_BY_SPACE, capacities

FORMAT_VERSION = 2


@dataclass(frozen=True)
class ProgramEntry:
    """A program without its arrays, and where its cycles go."""

    program: ProgramManifest
    explanation: Explanation


@dataclass(frozen=True)
class Manifest:
    """Everything about a bundle but its arrays and its tokenizer."""

    format_version: int
    origin: Origin
    config: ModelConfig
    chip: Chip
    max_context: int
    objects: tuple[Object, ...]
    programs: tuple[ProgramEntry, ...]


def manifest_bytes(manifest: Manifest) -> bytes:
    """A manifest as a file; the same bytes for the same manifest."""
    return json.dumps(to_plain(manifest), indent=1, ensure_ascii=False).encode() + b"\n"


def read_manifest(data: bytes, path: Path) -> Manifest:
    """The manifest in a file. InputError names the file and the field in it that is malformed, or an object that lies
    in no memory of the chip."""
    try:
        plain = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}") from None
    version = cast(dict[str, Any], plain).get("format_version") if isinstance(plain, dict) else None
    if version != FORMAT_VERSION:
        raise InputError(f"{path}: format_version = {version!r}: must be {FORMAT_VERSION}")
    try:
        manifest = from_plain(Manifest, plain, "manifest")
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    _check_objects(manifest, path)
    return manifest


def _check_objects(manifest: Manifest, path: Path) -> None:
    """InputError for an object that lies in no memory of the chip."""
    slices, capacity = manifest.chip.slice_by_name, capacities(manifest.chip)
    for obj in (*manifest.objects, *(obj for entry in manifest.programs for obj in entry.program.objects)):
        is_there = obj.slice in slices and slices[obj.slice].kind is KIND_BY_SPACE[obj.space]
        end = obj.base + (obj.num_layers - 1) * obj.stride + obj.size
        if not is_there or min(obj.base, obj.size, obj.stride, obj.num_layers - 1) < 0 or end > capacity[obj.space]:
            raise InputError(f"{path}: object {obj.name!r} lies in no memory of the chip: {obj.slice!r}, {obj.base}")
