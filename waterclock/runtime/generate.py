"""Generation: feed a prompt, then feed the device what is chosen from its logits."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, count, takewhile

from waterclock.errors import InputError
from waterclock.frontends.tokenizer import Tokenizer
from waterclock.runtime.device import Device
from waterclock.runtime.sampler import Logprobs, choose, logprobs
from waterclock.runtime.sampling import GREEDY, Sampling
from waterclock.runtime.stop_strings import StopStrings


class Finish(StrEnum):
    """Why a text ended."""

    STOP = "stop"
    """A token or a string came that ends a text or a turn."""
    LENGTH = "length"
    """As many tokens as were asked for."""
    CONTEXT = "context"
    """The context bucket is full."""
    INTERRUPTED = "interrupted"
    """Whoever asked took no more steps."""


@dataclass(frozen=True)
class Step:
    """One launch: its position and cycles; from the prompt's last token on, the token that was chosen.

    `text` is what can be shown since the step before, possibly nothing; `logprobs` is there where it was asked for;
    `finish` is set in the last step.
    """

    position: int
    length_cycles: int
    token: int | None = None
    text: str = ""
    finish: Finish | None = None
    logprobs: Logprobs | None = None


@dataclass(frozen=True)
class Completion:
    """A text that was generated. `cycles` has one figure for each launch, the prompt's first; `logprobs` one entry for
    each token, if they were asked for. `tokens` are all that were chosen: the text lacks what a stop string cut off.
    """

    text: str
    prompt_tokens: tuple[int, ...]
    tokens: tuple[int, ...]
    cycles: tuple[int, ...]
    finish: Finish
    logprobs: tuple[Logprobs, ...] = ()


def stream(
    device: Device,
    tokenizer: Tokenizer,
    prompt: Sequence[int],
    max_tokens: int | None = None,
    sampling: Sampling = GREEDY,
    *,
    reuse_prefix: bool = False,
) -> Iterator[Step]:
    """Generation, launch by launch: at most `max_tokens` tokens, or as many as the context holds.

    With `reuse_prefix` the first tokens of the prompt are not fed where the KV cache holds them from before; what is
    generated is the same. InputError, before anything runs, for a prompt that is empty or longer than the context
    bucket, and for a stop token that the model does not have.
    """
    room = device.num_positions - len(prompt) + 1
    if not prompt:
        raise InputError("prompt: holds no token")
    if room < 1:
        raise InputError(f"prompt: {len(prompt)} tokens, the context bucket holds {device.num_positions}")
    if max_tokens is not None and max_tokens < 1:
        raise InputError(f"max_tokens {max_tokens}: must be at least 1")
    for token in sampling.stop_tokens:
        device.check_token(token)
    end = Finish.LENGTH if max_tokens is not None and max_tokens <= room else Finish.CONTEXT
    limit = _Limit(min(room, max_tokens or room), end)
    return _steps(device, tokenizer, prompt, limit, sampling, reuse_prefix=reuse_prefix)


@dataclass(frozen=True)
class _Limit:
    """How many tokens there can be, and what ends a text that comes so far."""

    num_tokens: int
    finish: Finish


def _num_reused(device: Device, prompt: Sequence[int]) -> int:
    """How many first tokens of a prompt the KV cache holds. The last one is fed in any case, for its logits."""
    pairs = zip(prompt[:-1], device.tokens, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _prompt_launches(device: Device, prompt: Sequence[int], first: int) -> Iterator[tuple[int, int]]:
    """Feed a prompt from position `first` to its end: the last position of each launch, and the launch's cycles."""
    for position, launched in device.feed_all(prompt[first:], first):
        yield position, launched.length_cycles


def _answer_launches(device: Device, tokens: Sequence[int], first: int) -> Iterator[tuple[int, int]]:
    """The same for tokens that are chosen on the way: each must be there when it is its turn."""
    for position in count(first):
        yield position, device.feed(tokens[position], position).length_cycles


def _steps(
    device: Device,
    tokenizer: Tokenizer,
    prompt: Sequence[int],
    limit: _Limit,
    sampling: Sampling,
    *,
    reuse_prefix: bool,
) -> Iterator[Step]:
    first = _num_reused(device, prompt) if reuse_prefix else 0
    tokens, ends = list(prompt), {*tokenizer.eos_token_ids, *sampling.stop_tokens}
    characters, stops = tokenizer.stream(), StopStrings(sampling.stop_strings)
    for position, cycles in chain(
        _prompt_launches(device, prompt, first), _answer_launches(device, tokens, len(prompt))
    ):
        if position < len(prompt) - 1:
            yield Step(position, cycles)
            continue
        token = device.next_token if sampling.is_the_chips else choose(device.logits(), tokens, sampling)
        tokens.append(token)
        stopped, full = token in ends, len(tokens) == len(prompt) + limit.num_tokens
        text = stops.push(characters.push(token) + (characters.finish() if stopped or full else ""))
        text += stops.finish() if stopped or full else ""
        finish = Finish.STOP if stopped or stops.found else limit.finish if full else None
        yield Step(position, cycles, token, text, finish, _logprobs(device, token, sampling))
        if finish:
            return


def _logprobs(device: Device, token: int, sampling: Sampling) -> Logprobs | None:
    return None if sampling.logprobs is None else logprobs(device.logits(), token, sampling.logprobs)


def completion(prompt: Sequence[int], steps: Iterable[Step]) -> Completion:
    """The whole of a generation: interrupted, if the steps end before their last one."""
    done = list(steps)
    return Completion(
        text="".join(step.text for step in done),
        prompt_tokens=tuple(prompt),
        tokens=tuple(step.token for step in done if step.token is not None),
        cycles=tuple(step.length_cycles for step in done),
        finish=(done[-1].finish if done else None) or Finish.INTERRUPTED,
        logprobs=tuple(step.logprobs for step in done if step.logprobs is not None),
    )
