"""`waterclock run`: a language model answers, token by token."""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waterclock.cli.app import AsJson, Changes, ChipOption, Context, ModelOrFolder, app, chosen_chip
from waterclock.cli.terminal import progress
from waterclock.errors import InputError

if TYPE_CHECKING:
    from waterclock.runtime.generate import Completion, Step
    from waterclock.runtime.llm import LLM


@app.command("run")
def run(
    model: ModelOrFolder,
    prompt: Annotated[str | None, typer.Argument(help="what to say to it; read from stdin if missing")] = None,
    chip: ChipOption = None,
    changes: Changes = None,
    context: Context = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="stop after so many tokens")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="continue the prompt as it is, without the chat template")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a language model on a chip. The answer goes to stdout, what it took to stderr."""
    from waterclock.runtime.generate import completion
    from waterclock.runtime.llm import LLM

    text = _prompt(prompt)
    with progress() as phase:
        llm = LLM(model, chip=chosen_chip(chip, changes), context=context, phase=phase)
    ids = _tokens_of(llm, text, raw)
    start = time.perf_counter()
    steps = list(_shown(llm.stream(ids, max_tokens), quiet=as_json))
    done = completion(ids, steps)
    if as_json:
        print(json.dumps(_record(llm, text, done), indent=2, ensure_ascii=False))
        return
    _print_summary(llm, done, time.perf_counter() - start)


def _prompt(prompt: str | None) -> str:
    if prompt is None and sys.stdin.isatty():
        raise InputError("prompt: missing; give it as an argument or on stdin")
    text = sys.stdin.read() if prompt is None else prompt
    if not text.strip():
        raise InputError("prompt: is empty")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"prompt: not UTF-8 at character {error.start}") from None
    return text


def _tokens_of(llm: "LLM", text: str, raw: bool) -> Sequence[int]:
    if raw:
        return llm.tokens_of(text)
    if llm.bundle.tokenizer.chat_template is None:
        raise InputError("chat template: the model has none; add --raw to have the prompt continued as it is")
    return llm.chat_prompt([{"role": "user", "content": text}])


def _shown(steps: "Sequence[Step] | Any", *, quiet: bool) -> "Any":
    """The steps; their text goes to stdout as it comes."""
    for step in steps:
        if not quiet and step.text:
            print(step.text, end="", flush=True)
        yield step
    if not quiet:
        print()


def _print_summary(llm: "LLM", done: "Completion", seconds: float) -> None:
    from waterclock.runtime.speed import speed

    deployment, program = llm.bundle.deployment, llm.device.program
    figures = speed(deployment, program)
    low, high, num_launches = min(done.cycles), max(done.cycles), len(done.cycles)
    each = f"{low:,} cycles each" if low == high else f"{low:,} to {high:,} cycles"
    lines = [
        f"{deployment.config.name} on {deployment.chip.name}, context {llm.device.num_positions}: "
        f"{len(done.prompt_tokens)} tokens in, {len(done.tokens)} out, ended by {done.finish}",
        f"{num_launches} launches took {each}: {figures.latency_ns / 1000:,.1f} us at {figures.clock_mhz:,} MHz; "
        f"{figures.tokens_per_s:,.0f} tokens/s with a launch gap of {figures.launch_gap_cycles} cycles",
        f"busy: MXMs {figures.mxm_utilization:.1%}, ALUs {figures.alu_utilization:.1%}; "
        f"{figures.ratio_to_bound:.2f} times the lower bound of {figures.bound_cycles:,} cycles",
        f"this host: {seconds:.1f} s, {num_launches / seconds:.0f} tokens/s",
    ]
    print("\n" + "\n".join(lines), file=sys.stderr)


def _record(llm: "LLM", prompt: str, done: "Completion") -> dict[str, Any]:
    """What ran and what came of it; the same bytes for the same input."""
    from waterclock.isa.program_file import program_sha256
    from waterclock.runtime.speed import speed

    bundle, program = llm.bundle, llm.device.program
    deployment, origin = bundle.deployment, bundle.origin
    return {
        "model": {"name": deployment.config.name, "sha256": origin.model_sha256},
        "chip": {"name": deployment.chip.name, "sha256": deployment.chip.sha256},
        "program": {"name": program.name, "sha256": program_sha256(program)},
        "scheme": asdict(origin.scheme),
        "versions": {"waterclock": origin.waterclock_version, "numpy": origin.numpy_version},
        "seed": None,
        "prompt": prompt,
        "text": done.text,
        "finish": done.finish,
        "prompt_tokens": done.prompt_tokens,
        "tokens": done.tokens,
        "cycles": done.cycles,
        "speed": asdict(speed(deployment, program)),
    }
