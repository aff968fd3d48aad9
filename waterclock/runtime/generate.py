"""Generation: feed a prompt, then feed the device its own choices."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from waterclock.errors import InputError
from waterclock.frontends.tokenizer import Tokenizer
from waterclock.runtime.device import Device


class Finish(StrEnum):
    """Why a text ended."""

    STOP = "stop"
    """The model chose a token that ends a text or a turn."""
    LENGTH = "length"
    """As many tokens as were asked for."""
    CONTEXT = "context"
    """The context bucket is full."""


@dataclass(frozen=True)
class Step:
    """One launch: its position and cycles; from the prompt's last token on, the token that the chip chose.

    `text` is what this token completes, possibly nothing; `finish` is set in the last step.
    """

    position: int
    length_cycles: int
    token: int | None = None
    text: str = ""
    finish: Finish | None = None


@dataclass(frozen=True)
class Completion:
    """A text that was generated. `cycles` has one figure for each launch, the prompt's first."""

    text: str
    prompt_tokens: tuple[int, ...]
    tokens: tuple[int, ...]
    cycles: tuple[int, ...]
    finish: Finish


def stream(
    device: Device, tokenizer: Tokenizer, prompt: Sequence[int], max_tokens: int | None = None
) -> Iterator[Step]:
    """Greedy generation, launch by launch: at most `max_tokens` tokens, or as many as the context holds.

    InputError, before anything runs, for a prompt that is empty or longer than the context bucket.
    """
    room = device.num_positions - len(prompt) + 1
    if not prompt:
        raise InputError("prompt: holds no token")
    if room < 1:
        raise InputError(f"prompt: {len(prompt)} tokens, the context bucket holds {device.num_positions}")
    if max_tokens is not None and max_tokens < 1:
        raise InputError(f"max_tokens {max_tokens}: must be at least 1")
    return _steps(device, tokenizer, prompt, min(room, max_tokens or room), _end(room, max_tokens))


def _end(room: int, max_tokens: int | None) -> Finish:
    """What ends a text that the model does not end."""
    return Finish.LENGTH if max_tokens is not None and max_tokens <= room else Finish.CONTEXT


def _steps(device: Device, tokenizer: Tokenizer, prompt: Sequence[int], num_tokens: int, end: Finish) -> Iterator[Step]:
    last = len(prompt) - 1
    for position, token in enumerate(prompt[:last]):
        yield Step(position, device.feed(token, position).length_cycles)
    token, characters = prompt[last], tokenizer.stream()
    for position in range(last, last + num_tokens):
        cycles = device.feed(token, position).length_cycles
        token = device.next_token
        stopped = token in tokenizer.eos_token_ids
        if not stopped and position + 1 < last + num_tokens:
            yield Step(position, cycles, token, characters.push(token))
            continue
        text = characters.push(token) + characters.finish()
        yield Step(position, cycles, token, text, Finish.STOP if stopped else end)
        return


def completion(prompt: Sequence[int], steps: Iterable[Step]) -> Completion:
    """The whole of a generation, once its steps are through."""
    done = list(steps)
    finish = done[-1].finish
    assert finish is not None, "the last step ends a text"
    return Completion(
        text="".join(step.text for step in done),
        prompt_tokens=tuple(prompt),
        tokens=tuple(step.token for step in done if step.token is not None),
        cycles=tuple(step.length_cycles for step in done),
        finish=finish,
    )
