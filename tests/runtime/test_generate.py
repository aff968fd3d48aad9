"""Generation: what is chosen, what is shown of it, and why a text ends."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from waterclock.errors import InputError
from waterclock.runtime.bundle import Bundle
from waterclock.runtime.device import Device
from waterclock.runtime.generate import Completion, Finish, completion, stream
from waterclock.runtime.sampling import GREEDY, Sampling
from waterclock.runtime.softmax import log_softmax

PROMPT = [5, 17, 100]
WARM = Sampling(temperature=1.0, seed=3)


@pytest.fixture
def generate(device: Device, bundle: Bundle):
    def run(
        prompt: Sequence[int] = PROMPT,
        max_tokens: int | None = None,
        stop: tuple[int, ...] | None = None,
        sampling: Sampling = GREEDY,
        reuse_prefix: bool = False,
    ) -> Completion:
        tokenizer = bundle.tokenizer if stop is None else replace(bundle.tokenizer, eos_token_ids=stop)
        return completion(prompt, stream(device, tokenizer, prompt, max_tokens, sampling, reuse_prefix=reuse_prefix))

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


def test_the_same_seed_gives_the_same_tokens(generate) -> None:
    drawn = [generate(max_tokens=12, stop=(), sampling=replace(WARM, seed=seed)).tokens for seed in (3, 4, 3)]
    assert drawn[0] == drawn[2] != drawn[1]
    assert drawn[0] != generate(max_tokens=12, stop=()).tokens


def test_a_token_depends_on_what_came_before_and_not_on_how(generate) -> None:
    whole = generate(max_tokens=9, stop=(), sampling=WARM).tokens
    assert generate([*PROMPT, *whole[:4]], max_tokens=5, stop=(), sampling=WARM).tokens == whole[4:]


def test_one_token_to_draw_from_is_the_chips(generate) -> None:
    greedy = generate(max_tokens=9)
    assert generate(max_tokens=9, sampling=replace(WARM, top_k=1)) == greedy
    assert generate(max_tokens=9, sampling=Sampling(repetition_penalty=1.0, seed=9, top_p=0.1)) == greedy


def test_a_penalty_is_for_tokens_of_prompt_and_answer(generate, device: Device) -> None:
    asked = Sampling(repetition_penalty=100.0)
    tokens = [*PROMPT, *generate(max_tokens=9, stop=(), sampling=asked).tokens]
    for position, token in enumerate(tokens[:-1]):
        device.feed(token, position)
        if position >= len(PROMPT) - 1:
            logits = device.logits().astype(np.float64)
            seen = list(set(tokens[: position + 1]))
            logits[seen] *= np.where(logits[seen] > 0, 1 / 100, 100)
            assert logits.argmax() == tokens[position + 1]


def test_logprobs_are_told_where_they_are_asked_for(generate, device: Device) -> None:
    done = generate(max_tokens=5, stop=(), sampling=replace(WARM, logprobs=3))
    assert done == replace(generate(max_tokens=5, stop=(), sampling=WARM), logprobs=done.logprobs)
    for position, token in enumerate([*PROMPT, *done.tokens[:-1]]):
        device.feed(token, position)
        if position >= len(PROMPT) - 1:
            expected, told = log_softmax(device.logits().astype(np.float64)), done.logprobs[position - 2]
            assert told.chosen == expected[done.tokens[position - 2]]
            assert [one.logprob for one in told.top] == sorted(expected, reverse=True)[:3]


def test_any_part_of_a_text_can_stop_it(generate) -> None:
    whole = generate(max_tokens=12, stop=())
    for start in range(len(whole.text)):
        for end in range(start + 1, len(whole.text) + 1):
            string = whole.text[start:end]
            done = generate(max_tokens=12, stop=(), sampling=Sampling(stop_strings=("never said", string)))
            assert (done.text, done.finish) == (whole.text[: whole.text.find(string)], Finish.STOP)
            assert done.tokens == whole.tokens[: len(done.tokens)]


def test_a_stop_token_of_ones_own(generate) -> None:
    tokens = generate(max_tokens=8, stop=()).tokens
    done = generate(max_tokens=8, stop=(), sampling=Sampling(stop_tokens=(299, tokens[3])))
    assert (done.finish, done.tokens) == (Finish.STOP, tokens[: tokens.index(tokens[3]) + 1])


class Scripted(Device):
    """A device that chooses what it is told to, whatever its logits are."""

    script: Sequence[int] = ()

    @property
    def next_token(self) -> int:
        return self.script[len(self.tokens) - len(PROMPT)]


@pytest.mark.parametrize(
    ("strings", "shown", "finish"),
    [
        (("本",), ["", "", "日", "", "", ""], Finish.STOP),
        (("本語だ",), ["", "", "日", "", "", "", "", "", "", "", "", ""], Finish.STOP),
        (("語で",), ["", "", "日", "", "", "本", "", "", "", "", "", "語だ"], Finish.LENGTH),
        (("日本語だよ",), [""] * 11 + ["日本語だ"], Finish.LENGTH),
        (("だ", "日本語"), [""] * 9, Finish.STOP),
    ],
)
def test_a_stop_string_across_bytes_of_characters(
    bundle: Bundle, strings: tuple[str, ...], shown: list[str], finish: Finish
) -> None:
    device, tokenizer = Scripted(bundle.deployment), bundle.tokenizer
    token_by_byte = {tokenizer.bytes_of(token): token for token in range(3, 300)}
    device.script = [token_by_byte[bytes([byte])] for byte in "日本語だ".encode()]
    asked = Sampling(stop_strings=strings)
    steps = list(stream(device, replace(tokenizer, eos_token_ids=()), PROMPT, len(device.script), asked))[2:]
    assert [step.text for step in steps] == shown
    assert steps[-1].finish is finish


def test_what_is_held_back_is_shown_when_another_thing_ends_the_text(bundle: Bundle) -> None:
    device, tokenizer = Scripted(bundle.deployment), bundle.tokenizer
    device.script = [*tokenizer.encode("ab"), tokenizer.eos_token_ids[0]]
    steps = list(stream(device, tokenizer, PROMPT, sampling=Sampling(stop_strings=("abc",))))[2:]
    assert [(step.text, step.finish) for step in steps] == [("", None), ("", None), ("ab", Finish.STOP)]


@pytest.mark.parametrize("sampling", [GREEDY, WARM])
def test_a_prefix_in_the_kv_cache_is_not_fed_again(generate, device: Device, sampling: Sampling) -> None:
    first = generate(max_tokens=5, stop=(), sampling=sampling)
    known = [*PROMPT, *first.tokens[:4]]
    assert device.tokens == known
    for prompt, num_fed in (
        ([*known, 7, 8], 2),
        ([*known[:5], 9, 9, 9], 3),
        (known[:3], 1),
        ([8, *known[1:]], len(known)),
    ):
        reused = generate(prompt, 4, (), sampling, reuse_prefix=True)
        logits = device.logits()
        fresh = generate(prompt, 4, (), sampling)
        assert reused == replace(fresh, cycles=fresh.cycles[: num_fed + 3])
        assert len(fresh.cycles) == len(prompt) + 3
        np.testing.assert_array_equal(logits.view(np.int32), device.logits().view(np.int32))
        generate(known, 1, ())  # as it was before


def test_a_prefix_is_looked_for_when_the_first_step_is_taken(generate, device: Device, bundle: Bundle) -> None:
    fresh = generate(max_tokens=3)
    steps = stream(device, bundle.tokenizer, PROMPT, 3, reuse_prefix=True)
    generate([9, 9, 9, 9], 1)
    assert completion(PROMPT, steps) == fresh


def test_a_generation_that_nobody_finishes_is_interrupted(device: Device, bundle: Bundle) -> None:
    steps = stream(device, bundle.tokenizer, PROMPT, 9)
    done = completion(PROMPT, [next(steps) for _ in range(4)])
    assert (done.finish, len(done.tokens), len(done.cycles)) == (Finish.INTERRUPTED, 2, 4)
    assert completion(PROMPT, []) == Completion("", tuple(PROMPT), (), (), Finish.INTERRUPTED)


def test_a_stop_token_that_the_model_lacks_is_refused_at_once(device: Device, bundle: Bundle) -> None:
    with pytest.raises(InputError, match="token 300: the model's are 0 to 299"):
        stream(device, bundle.tokenizer, PROMPT, sampling=Sampling(stop_tokens=(300,)))
