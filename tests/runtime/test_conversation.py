"""Conversation: every turn says what it would say if all were fed again, and feeds only what is new."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from waterclock import LLM
from waterclock.errors import InputError
from waterclock.frontends.chat_template import Message
from waterclock.runtime.bundle import Bundle
from waterclock.runtime.conversation import Conversation
from waterclock.runtime.generate import Completion, Finish
from waterclock.runtime.sampling import GREEDY, Sampling

QUESTIONS = ("Hi", "And you?", "Why so?")
COUNTING = (
    "{{ messages | length }} messages\n{% for m in messages %}{{ m.role[0] }}:{{ m.content | trim }}\n{% endfor %}a:"
)
STRICT = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('no') }}"
    "{% endif %}{{ m.role[0] + ':' + m.content + '\n' }}{% endfor %}"
)


def with_template(bundle: Bundle, template: str | None) -> Bundle:
    return replace(bundle, tokenizer=replace(bundle.tokenizer, chat_template=template))


def common(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    """How many first tokens two sequences share."""
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def in_kv(answer: Completion) -> tuple[int, ...]:
    """The last token of an answer is chosen, not fed."""
    return (*answer.prompt_tokens, *answer.tokens)[:-1]


@pytest.mark.parametrize("sampling", [GREEDY, Sampling(temperature=0.7, top_k=9, seed=1)], ids=["greedy", "drawn"])
def test_each_turn_is_what_it_would_be_if_all_were_fed_again(talkative: Bundle, sampling: Sampling) -> None:
    llm, afresh, messages = LLM(talkative), LLM(talkative), list[Message]()
    talk = Conversation(llm, max_tokens=8, sampling=sampling)
    for question in QUESTIONS:
        messages.append({"role": "user", "content": question})
        answer, expected = talk.say(question), afresh.chat(messages, 8, sampling)
        assert answer == replace(expected, cycles=answer.cycles)
        np.testing.assert_array_equal(llm.device.logits().view(np.int32), afresh.device.logits().view(np.int32))
        messages.append({"role": "assistant", "content": answer.text})
    assert talk.messages == messages


def test_a_turn_feeds_only_what_is_new(talkative: Bundle) -> None:
    talk = Conversation(LLM(talkative), max_tokens=8)
    answers = [talk.say(question) for question in QUESTIONS]
    assert len(answers[0].cycles) == len(in_kv(answers[0]))
    for before, after in pairwise(answers):
        assert common(in_kv(before), after.prompt_tokens) == len(in_kv(before)), "the template only appends"
        assert len(after.cycles) == len(in_kv(after)) - len(in_kv(before))


def test_a_template_that_changes_history_falls_back_to_what_is_the_same(talkative: Bundle) -> None:
    changed = with_template(talkative, COUNTING)
    talk, afresh = Conversation(LLM(changed), max_tokens=8), LLM(changed)
    first, second = talk.say("Hi"), talk.say("You?")
    assert common(in_kv(first), second.prompt_tokens) == 0
    assert second == afresh.chat(talk.messages[:-1], 8)


def test_an_answer_that_is_closed_early_stays_in_the_conversation(talkative: Bundle) -> None:
    llm = LLM(talkative)
    talk = Conversation(llm, max_tokens=8)
    steps = talk.stream("Hi")
    shown = ""
    for step in steps:
        shown += step.text
        if len(shown) > 3:
            break
    steps.close()
    (turn,) = talk.turns
    assert (turn.answer.finish, turn.answer.text) == (Finish.INTERRUPTED, shown)
    assert talk.say("Go on") == replace(LLM(talkative).chat(talk.messages[:-1], 8), cycles=talk.turns[-1].answer.cycles)
    assert talk.messages[1] == {"role": "assistant", "content": shown}
    assert len(talk.turns[-1].answer.cycles) < len(talk.turns[-1].answer.prompt_tokens)


def test_a_question_whose_answer_did_not_begin_keeps_its_place(talkative: Bundle) -> None:
    talk = Conversation(LLM(with_template(talkative, STRICT)), max_tokens=4)
    steps = talk.stream("Hi")
    next(steps)
    steps.close()
    assert talk.messages == [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": ""}]
    assert talk.say("Again").finish is Finish.LENGTH


def test_a_full_context_ends_the_answer_and_refuses_the_next_message(talkative: Bundle) -> None:
    llm = LLM(talkative)
    talk = Conversation(llm)
    assert talk.say("Hi").finish is Finish.CONTEXT
    needed = len(llm.chat_prompt([*talk.messages, {"role": "user", "content": "And?"}]))
    before = list(talk.turns)
    with pytest.raises(InputError, match=f"prompt: {needed} tokens, the context bucket holds 192"):
        talk.stream("And?")
    assert talk.turns == before, "nothing that was refused is in the conversation"
    talk.turns.clear()
    assert talk.say("Hi") == replace(before[0].answer, cycles=talk.turns[0].answer.cycles)


def test_a_system_message_comes_first_and_may_change(talkative: Bundle) -> None:
    talk, afresh = Conversation(LLM(talkative), system="Be brief.", max_tokens=4), LLM(talkative)
    for system in ("Be brief.", "Be kind.", None):
        talk.system = system
        answer = talk.say("Hi")
        start = [] if system is None else [{"role": "system", "content": system}]
        assert talk.messages[: len(start)] == start
        assert answer == replace(afresh.chat(talk.messages[:-1], 4), cycles=answer.cycles)


def test_another_use_of_the_device_is_noticed(talkative: Bundle) -> None:
    llm = LLM(talkative)
    talk, other = Conversation(llm, max_tokens=4), Conversation(llm, max_tokens=4)
    talk.say("Hi")
    llm.generate("something else", 3)
    other.say("You")
    assert talk.say("Still there?") == replace(
        LLM(talkative).chat(talk.messages[:-1], 4), cycles=talk.turns[-1].answer.cycles
    )


@pytest.mark.parametrize(("text", "message"), [(" \n", "message: is empty"), ("\udcff", "lone surrogate")])
def test_what_is_no_message_is_refused_at_once(talkative: Bundle, text: str, message: str) -> None:
    talk = Conversation(LLM(talkative))
    with pytest.raises(InputError, match=message):
        talk.stream(text)
    assert talk.turns == []


def test_a_model_without_a_chat_template_is_refused(talkative: Bundle) -> None:
    with pytest.raises(InputError, match="chat template: there is none"):
        Conversation(LLM(with_template(talkative, None)))
