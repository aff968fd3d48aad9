"""A bundle: a deployment with everything else that running it needs."""

from collections.abc import Callable
from dataclasses import dataclass

from waterclock.compiler.deployment import Deployment
from waterclock.frontends.tokenizer import Tokenizer
from waterclock.quantize import Scheme

Phase = Callable[[str], None]
"""Told what begins, such as "compiling", so that somebody who waits knows for what."""


@dataclass(frozen=True)
class Origin:
    """Where a deployment comes from: the model's file, how it was quantized, and by which versions."""

    model_sha256: str
    scheme: Scheme
    waterclock_version: str
    numpy_version: str


@dataclass(frozen=True, eq=False)
class Bundle:
    """A complete deployment: it runs without the model's file."""

    deployment: Deployment
    tokenizer: Tokenizer
    origin: Origin


def silent(phase: str) -> None:
    """Tells nobody."""
