"""The record of what is asked for: what it accepts, and what it says of itself."""

import math
from dataclasses import replace

import pytest

from waterclock.errors import InputError
from waterclock.runtime.sampling import GREEDY, Sampling, rules


@pytest.mark.parametrize("name", rules())
def test_a_number_is_accepted_from_the_lowest_to_the_highest(name: str) -> None:
    rule = rules()[name]
    for value in (rule.low, rule.high):
        assert getattr(replace(GREEDY, **{name: value}), name) == value
    step = 1 if int in rule.types and float not in rule.types else 1e-6
    for value in (rule.low - step, rule.high + step, math.nan, math.inf, "1", True):
        with pytest.raises(InputError, match=rf"^{name} = .*: must be (a number|an integer) from"):
            replace(GREEDY, **{name: value})


def test_only_logprobs_may_be_none() -> None:
    assert replace(GREEDY, logprobs=None) == GREEDY
    for name in rules().keys() - {"logprobs"}:
        with pytest.raises(InputError, match=f"^{name} = None: must be"):
            replace(GREEDY, **{name: None})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"top_k": 1.0}, "top_k = 1.0: must be an integer"),
        ({"stop_tokens": [1]}, r"stop_tokens = \[1\]: must be a tuple of token ids"),
        ({"stop_tokens": (1.5,)}, "stop_tokens"),
        ({"stop_strings": "abc"}, "stop_strings = 'abc': must be a tuple"),
        ({"stop_strings": ("a", "")}, "stop_strings"),
        ({"stop_strings": ("\ud800",)}, r"stop_strings = \('\\ud800',\)"),
        ({"stop_strings": (b"a",)}, "stop_strings"),
    ],
)
def test_what_ends_an_answer_must_be_able_to(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(GREEDY, **change)


def test_who_chooses() -> None:
    assert GREEDY.is_the_chips and not GREEDY.draws
    assert Sampling(top_k=3, seed=9, top_p=0.5).is_the_chips, "without a temperature nothing is drawn"
    assert not Sampling(repetition_penalty=1.1).is_the_chips
    assert Sampling(temperature=0.1).draws and not Sampling(temperature=0.1).is_the_chips
