"""`waterclock run`: a language model answers, token by token."""

import json
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from waterclock.cli.answer import shown, what_came, what_ran
from waterclock.cli.app import AsJson, ModelOrFolder, Target, Threads, app, check_utf8
from waterclock.cli.records import with_records
from waterclock.cli.sampling import SamplingOptions
from waterclock.cli.terminal import progress
from waterclock.errors import InputError
from waterclock.runtime.sampling import Sampling

if TYPE_CHECKING:
    from waterclock.runtime.generate import Completion
    from waterclock.runtime.llm import LLM


@app.command("run")
@with_records
def run(
    model: ModelOrFolder,
    prompt: Annotated[str | None, typer.Argument(help="what to say to it; read from stdin if missing")] = None,
    *,
    target: Target,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="stop after so many tokens")] = None,
    options: SamplingOptions,
    threads: Threads = None,
    raw: Annotated[bool, typer.Option("--raw", help="continue the prompt as it is, without the chat template")] = False,
    as_json: AsJson = False,
) -> None:
    """Run a language model on a chip. The answer goes to stdout, what it took to stderr."""
    from waterclock.runtime.generate import completion

    sampling = options.sampling
    text = _prompt(prompt)
    with progress() as phase:
        llm = target.llm(model, phase, threads)
        ids = _tokens_of(llm, text, raw)
        llm.device.prepare(min(len(ids), llm.device.num_positions))
    start = time.perf_counter()
    with closing(shown(llm.stream(ids, max_tokens, sampling), quiet=as_json)) as steps:
        done = completion(ids, steps)
    if as_json:
        print(json.dumps(what_ran(llm) | what_came(text, done, sampling), indent=2, ensure_ascii=False))
        return
    _print_summary(llm, done, sampling, time.perf_counter() - start)


def _prompt(prompt: str | None) -> str:
    if prompt is None and (sys.stdin is None or sys.stdin.isatty()):  # pyright: ignore[reportUnnecessaryComparison]
        raise InputError("prompt: missing; give it as an argument or on stdin")
    text = _piped() if prompt is None else prompt
    if not text.strip():
        raise InputError("prompt: is empty")
    check_utf8("prompt", text)
    return text


def _piped() -> str:
    try:
        return sys.stdin.read()
    except UnicodeDecodeError as error:
        raise InputError(f"prompt: not UTF-8 at byte {error.start}") from None


def _tokens_of(llm: "LLM", text: str, raw: bool) -> Sequence[int]:
    if raw:
        return llm.tokens_of(text)
    if llm.bundle.tokenizer.chat_template is None:
        raise InputError("chat template: the model has none; add --raw to have the prompt continued as it is")
    return llm.chat_prompt([{"role": "user", "content": text}])


def _print_summary(llm: "LLM", done: "Completion", sampling: Sampling, seconds: float) -> None:
    from waterclock.runtime.speed import speed

    deployment, program = llm.bundle.deployment, llm.device.program
    figures = speed(deployment, program)
    num_prompt = max(0, len(done.cycles) - len(done.tokens) + 1)
    prompt, answer = done.cycles[:num_prompt], done.cycles[num_prompt:]
    has_buckets = sum(each.num_tokens == 1 for each in llm.device.programs.values()) > 1
    what = f"a token of {program.name}" if has_buckets else "a token"
    num_fed = len(done.prompt_tokens) + len(answer)
    lines = [
        f"{deployment.config.name} on {deployment.chip.name}, context {llm.device.num_positions}: "
        f"{len(done.prompt_tokens)} tokens in, {len(done.tokens)} out, ended by {done.finish}",
        f"the prompt took {sum(prompt):,} cycles in {_launches(prompt)}"
        + (f", then {_launches(answer)} {_each(answer)}" if answer else ""),
        f"{what}: {figures.length_cycles:,} cycles, {figures.latency_ns / 1000:,.1f} us at {figures.clock_mhz:,} MHz, "
        f"{figures.tokens_per_s:,.0f} tokens/s with a launch gap of {figures.launch_gap_cycles} cycles"
        + ("" if sampling.is_the_chips else ", the host's choice of tokens not counted"),
        f"busy: MXMs {figures.mxm_utilization:.1%}, ALUs {figures.alu_utilization:.1%}; "
        f"{figures.ratio_to_bound:.2f} times the lower bound of {figures.bound_cycles:,} cycles",
        f"this host: {seconds:.1f} s, {num_fed / seconds:.0f} tokens/s",
    ]
    print("\n" + "\n".join(lines), file=sys.stderr)


def _launches(cycles: Sequence[int]) -> str:
    return f"{len(cycles)} launch" + ("es" if len(cycles) != 1 else "")


def _each(cycles: Sequence[int]) -> str:
    low, high = min(cycles), max(cycles)
    return f"{low:,} cycles each" if low == high else f"{low:,} to {high:,} cycles"
