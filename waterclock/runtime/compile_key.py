"""What a bundle is compiled from: the key of the compile cache, and what tells two keys apart."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import cast

from waterclock.chip import Chip
from waterclock.errors import InputError
from waterclock.isa.plain import from_plain, to_plain
from waterclock.quantize.scheme import Scheme
from waterclock.sources import sources_sha256

COMPILER_PARTS = (
    "chip", "numerics", "isa", "frontends", "quantize", "compiler", "runtime/build.py", "runtime/deployment_file.py",
)  # fmt: skip
"""What of the package decides what a model becomes."""
LIBRARIES = ("numpy", "gguf", "safetensors", "tokenizers")
"""Packages whose results or formats end up in a bundle."""
COMPILER = "compiler"


@dataclass(frozen=True)
class CompileKey:
    """Everything that a bundle depends on, as text by the name that a difference is told by: all of one model are near
    one another, whatever else differs."""

    model: str
    facts: dict[str, str]

    @property
    def sha256(self) -> str:
        """Hexadecimal hash of all of it."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def to_json(self) -> str:
        return json.dumps(to_plain(self), sort_keys=True, indent=1)

    @staticmethod
    def from_json(text: str) -> "CompileKey":
        """The inverse; InputError for what is none."""
        try:
            return from_plain(CompileKey, json.loads(text), "key")
        except (ValueError, RecursionError) as error:
            raise InputError(f"key: not JSON: {error}") from None

    def differences(self, before: "CompileKey") -> tuple[str, ...]:
        """What has changed since another key, each in a few words."""
        names = dict.fromkeys([*self.facts, *before.facts])
        pairs = ((name, before.facts.get(name, "none"), self.facts.get(name, "none")) for name in names)
        return tuple(_told(name, old, new) for name, old, new in pairs if old != new)


def compile_key(model_sha256: str, chip: Chip, context: int, scheme: Scheme, *, prefill: bool) -> CompileKey:
    """The key of what this version makes of a model for a chip."""
    facts = {
        **dict(_flat("chip", chip.to_dict())),
        "context": str(context),
        "programs": "prefill and decode" if prefill else "decode",
        **dict(_flat("quantization", asdict(scheme))),
        COMPILER: f"{version('waterclock')} {sources_sha256(*COMPILER_PARTS)}",
        "Python": python_version(),
        **{name: version(name) for name in LIBRARIES},
    }
    return CompileKey(model_sha256, facts)


def nearest(key: CompileKey, keys: list[CompileKey]) -> CompileKey | None:
    """The key of the same model with the fewest differences, the last of several; None where there is none."""
    alike = [one for one in reversed(keys) if one.model == key.model]
    return min(alike, key=lambda one: len(key.differences(one)), default=None)


def read_key(path: Path) -> CompileKey | None:
    """The key in a file; None where there is none."""
    try:
        return CompileKey.from_json(path.read_text())
    except (OSError, UnicodeDecodeError, InputError):
        return None


def _flat(name: str, value: object) -> Iterator[tuple[str, str]]:
    """The leaves of nested dictionaries as text, by dotted names."""
    if not isinstance(value, dict):
        yield name, str(value)
        return
    for key, item in cast(dict[str, object], value).items():
        yield from _flat(f"{name}.{key}", item)


def _told(name: str, old: str, new: str) -> str:
    return "compiler changed" if name == COMPILER else f"{name} {old} -> {new}"
