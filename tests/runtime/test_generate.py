"""Generation: the chip's own choices, and why a text ends."""

from dataclasses import replace

import pytest

from waterclock.errors import InputError
from waterclock.runtime.bundle import Bundle
from waterclock.runtime.device import Device
from waterclock.runtime.generate import Completion, Finish, completion, stream

PROMPT = [5, 17, 100]


@pytest.fixture
def generate(device: Device, bundle: Bundle):
    def run(
        prompt: list[int] = PROMPT, max_tokens: int | None = None, stop: tuple[int, ...] | None = None
    ) -> Completion:
        tokenizer = bundle.tokenizer if stop is None else replace(bundle.tokenizer, eos_token_ids=stop)
        return completion(prompt, stream(device, tokenizer, prompt, max_tokens))

    return run


def test_each_token_is_the_most_likely_one(generate, device: Device) -> None:
    done = generate(max_tokens=6)
    for position, token in enumerate([*PROMPT, *done.tokens]):
        if position >= len(PROMPT):
            assert device.logits().argmax() == token
        device.feed(token, position)


def test_every_launch_takes_the_same_cycles(generate, device: Device) -> None:
    done = generate(max_tokens=6)
    assert done.cycles == (device.program.length_cycles,) * (len(PROMPT) + 6 - 1)


def test_the_same_prompt_gives_the_same_text(generate) -> None:
    assert generate() == generate()


def test_it_ends_after_max_tokens(generate) -> None:
    done = generate(max_tokens=4)
    assert (done.finish, len(done.tokens)) == (Finish.LENGTH, 4)
    assert generate(max_tokens=9, stop=()).tokens[:4] == done.tokens


def test_it_ends_where_the_context_ends(generate, device: Device) -> None:
    done = generate(stop=())
    assert done.finish is Finish.CONTEXT
    assert len(done.cycles) == device.num_positions
    assert len(done.tokens) == device.num_positions - len(PROMPT) + 1
    assert generate(max_tokens=len(done.tokens), stop=()) == replace(done, finish=Finish.LENGTH)
    assert generate(max_tokens=10_000, stop=()) == done


def test_it_ends_at_a_stop_token(generate) -> None:
    tokens = generate(max_tokens=8, stop=()).tokens
    done = generate(max_tokens=8, stop=(tokens[2], 299))
    first = tokens.index(tokens[2])
    assert (done.finish, done.tokens) == (Finish.STOP, tokens[: first + 1])


def test_streamed_text_is_the_text_of_the_tokens(device: Device, bundle: Bundle) -> None:
    steps = list(stream(device, bundle.tokenizer, PROMPT, 12))
    done = completion(PROMPT, steps)
    assert [step.position for step in steps] == list(range(len(steps)))
    assert [step.token for step in steps[: len(PROMPT) - 1]] == [None] * (len(PROMPT) - 1)
    assert [step.finish is None for step in steps] == [True] * (len(steps) - 1) + [False]
    assert done.text == bundle.tokenizer.decode(done.tokens)
    assert done.prompt_tokens == tuple(PROMPT)


def test_a_prompt_that_fills_the_context_gets_one_token(generate, device: Device) -> None:
    done = generate([7] * device.num_positions)
    assert len(done.tokens) == 1


@pytest.mark.parametrize(
    ("prompt", "max_tokens", "message"),
    [
        ([], None, "prompt: holds no token"),
        ([1] * 33, None, "prompt: 33 tokens, the context bucket holds 32"),
        ([1], 0, "max_tokens 0: must be at least 1"),
    ],
)
def test_what_can_not_be_generated_is_refused_at_once(
    device: Device, bundle: Bundle, prompt: list[int], max_tokens: int | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        stream(device, bundle.tokenizer, prompt, max_tokens)
