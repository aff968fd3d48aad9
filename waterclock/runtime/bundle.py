"""A bundle: a deployment with everything else that running it needs, built from a model or read from disk."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from waterclock.chip import Chip
from waterclock.compiler.compile import compile_model, usual_shapes
from waterclock.compiler.deployment import Deployment
from waterclock.errors import InputError
from waterclock.frontends.tokenizer import Tokenizer
from waterclock.quantize import Scheme, quantize
from waterclock.runtime.model import Model, load_model

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


def build(reference: str | Path, chip: Chip, context: int, phase: Phase = silent, *, prefill: bool = True) -> Bundle:
    """Load, quantize and compile a model for a chip, with room for `context` positions; InputError if it can't be.

    Without `prefill` there is one program, which takes a token in the whole context.
    """
    model = _model(reference, context, phase)
    phase("quantizing")
    scheme = Scheme()
    graph = quantize(model.graph, scheme)
    phase("compiling")
    compiled = compile_model(graph, chip, context, shapes=usual_shapes(chip, context) if prefill else None)
    return Bundle(compiled.deployment, model.tokenizer, origin_of(model, scheme))


def origin_of(model: Model, scheme: Scheme) -> Origin:
    """The origin of what is made here and now."""
    return Origin(model.sha256, scheme, version("waterclock"), version("numpy"))


def _model(reference: str | Path, context: int, phase: Phase) -> Model:
    phase("loading")
    model = load_model(reference)
    if context > model.graph.config.context_length:
        raise InputError(
            f"context {context}: the model was made for up to {model.graph.config.context_length} positions"
        )
    return model
