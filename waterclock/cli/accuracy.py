"""`waterclock eval`: what the chip's arithmetic costs in quality."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from waterclock.cli.app import AsJson, ModelOrFolder, Target, app, text_of
from waterclock.cli.records import with_records
from waterclock.cli.terminal import counted, print_rows, progress
from waterclock.errors import InputError


@app.command("eval")
@with_records
def eval_(
    model: ModelOrFolder,
    text: Annotated[Path, typer.Option(metavar="FILE", help="UTF-8 text to predict")],
    num_tokens: Annotated[int, typer.Option("--tokens", help="use so many of its tokens")] = 1024,
    window: Annotated[int, typer.Option(help="tokens that are predicted in one go, from an empty context")] = 256,
    reference: Annotated[str | None, typer.Option(metavar="MODEL", help="the file that a folder was made from")] = None,
    *,
    target: Target,
    as_json: AsJson = False,
) -> None:
    """Perplexity, KL divergence and top-1 agreement of the chip's logits with the model's own in fp32."""
    import numpy as np

    from waterclock.runtime.accuracy import measure
    from waterclock.runtime.model import load_model

    words = text_of(text)
    if window < 2:
        raise InputError(f"--window {window}: must be at least 2 tokens: the first of a window is not predicted")
    if num_tokens < window or num_tokens % window:
        raise InputError(f"--tokens {num_tokens}: must be a positive multiple of the window of {window} tokens")
    is_folder = Path(model).is_dir()
    if is_folder and reference is None:
        raise InputError(f"{model}: holds no fp32 weights to compare with; add --reference MODEL")
    if len(words.encode()) < num_tokens:
        raise InputError(
            f"{text}: {len(words.encode())} bytes are no {num_tokens} tokens; give more text or less --tokens"
        )
    with progress() as phase:
        llm = target.with_context(None if is_folder else window).llm(model, phase)
        phase("loading the reference")
        source = load_model(reference or model)
    if source.sha256 != llm.bundle.origin.model_sha256:
        raise InputError(f"--reference {reference}: is another file than the one that {model} was made from")
    tokens = np.array(source.tokenizer.encode(words))
    steps = measure(source.graph, llm.device, tokens, num_tokens // window, window)
    *_, figures = counted(steps, num_tokens // window * (window - 1), "predicting")
    if as_json:
        print(json.dumps({**asdict(figures), "perplexity_ratio": figures.perplexity_ratio}, indent=2))
        return
    print_rows(
        [
            ("predictions", f"{figures.num_predictions:,} in windows of {window} tokens"),
            ("perplexity", f"{figures.perplexity:.3f}, fp32 {figures.reference_perplexity:.3f}"),
            ("ratio", f"{figures.perplexity_ratio:.4f}"),
            ("mean KL", f"{figures.mean_kl:.4f} nats"),
            ("top-1 agreement", f"{figures.top1_agreement:.3f}"),
        ]
    )
