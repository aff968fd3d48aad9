"""Build: from a model's file to a bundle for a chip."""

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from waterclock.chip import Chip
from waterclock.compiler.compile import compile_model, usual_shapes
from waterclock.errors import InputError
from waterclock.quantize import Scheme, quantize
from waterclock.runtime.bundle import Bundle, Origin, Phase, silent
from waterclock.runtime.model import Model, load_model


def build(
    reference: str | Path,
    chip: Chip,
    context: int,
    phase: Phase = silent,
    *,
    prefill: bool = True,
    accepted: Callable[[], None] = lambda: None,
) -> Bundle:
    """Load, quantize and compile a model for a chip, with room for `context` positions; InputError if it can't be.

    Without `prefill` there is one program, which takes a token in the whole context. `accepted` as in `compile_model`.
    """
    model, scheme = _model(reference, context, phase), Scheme()
    tokenizer, origin, floats = model.tokenizer, origin_of(model, scheme), [model.graph]
    del model
    phase("quantizing")
    graph = quantize(floats.pop(), scheme)  # handed over: no float weight stays longer than it is needed
    phase("compiling")
    shapes = usual_shapes(chip, context) if prefill else None
    compiled = compile_model(graph, chip, context, shapes=shapes, accepted=accepted)
    return Bundle(compiled.deployment, tokenizer, origin)


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
