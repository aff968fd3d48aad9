"""What `run` and `chat` say of an answer: its text as it comes, and the record of what ran."""

from collections.abc import Generator, Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from waterclock.runtime.generate import Completion, Step
    from waterclock.runtime.llm import LLM
    from waterclock.runtime.sampling import Sampling


def shown(steps: "Iterable[Step]", *, quiet: bool) -> "Generator[Step]":
    """The steps; their text goes to stdout as it comes. Its line ends with it, also where it is broken off."""
    begun = False
    try:
        for step in steps:
            if not quiet and step.text:
                begun = True
                print(step.text, end="", flush=True)
            yield step
        begun = not quiet
    finally:
        if begun:
            print(flush=True)


def what_ran(llm: "LLM") -> dict[str, Any]:
    """Model, chip and program as plain values, with their hashes."""
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
        "speed": asdict(speed(deployment, program)),
    }


def what_came(prompt: str, done: "Completion", sampling: "Sampling") -> dict[str, Any]:
    """What was asked and answered, as plain values. The seed is None where nothing was drawn."""
    return {
        "seed": sampling.seed if sampling.draws else None,
        "sampling": {name: value for name, value in asdict(sampling).items() if name != "seed"},
        "prompt": prompt,
        "text": done.text,
        "finish": done.finish,
        "prompt_tokens": done.prompt_tokens,
        "tokens": done.tokens,
        "logprobs": None if sampling.logprobs is None else [asdict(logprobs) for logprobs in done.logprobs],
        "cycles": done.cycles,
    }
