"""Conversation: turns with a model, whose keys and values stay in the KV cache from one turn to the next."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

from waterclock.errors import InputError
from waterclock.frontends.chat_template import Message, read_chat_template
from waterclock.runtime.generate import Completion, Step, completion
from waterclock.runtime.llm import LLM
from waterclock.runtime.sampling import GREEDY, Sampling


@dataclass(frozen=True)
class Turn:
    """What somebody said and what came back, whole or interrupted."""

    question: str
    answer: Completion


class Conversation:
    """Turns with one model.

    Each turn renders all messages through the model's chat template and feeds the tokens after the longest prefix that
    the KV cache already holds: what was said before is not fed again, unless the template or a new system message
    changes it. InputError for a model without a chat template.
    """

    def __init__(
        self, llm: LLM, *, system: str | None = None, max_tokens: int | None = None, sampling: Sampling = GREEDY
    ) -> None:
        read_chat_template(llm.bundle.tokenizer, llm.name)
        self._llm = llm
        self._max_tokens = max_tokens
        self._sampling = sampling
        self.system = system
        """What the model is told about itself; a change holds from the next turn on."""
        self.turns: list[Turn] = []

    @property
    def messages(self) -> Sequence[Message]:
        """What was said so far, in the form that chat templates take."""
        start = [] if self.system is None else [_message("system", self.system)]
        said = [(turn.question, turn.answer.text) for turn in self.turns]
        return start + [_message(*pair) for both in said for pair in zip(("user", "assistant"), both, strict=True)]

    def say(self, text: str) -> Completion:
        """The answer to a message."""
        for _ in self.stream(text):
            pass
        return self.turns[-1].answer

    def stream(self, text: str) -> Generator[Step]:
        """As `say`, one step for each launch. What was shown when it is closed early stays in the conversation.

        InputError, before anything runs, for a message that is empty or no UTF-8, one that the template refuses, and
        one that does not fit into the context bucket with what was said before: the conversation stays as it is.
        """
        if not text.strip():
            raise InputError("message: is empty")
        prompt = self._llm.chat_prompt([*self.messages, _message("user", text)])
        steps = self._llm.stream(prompt, self._max_tokens, self._sampling, reuse_prefix=True)
        return self._noted(text, prompt, steps)

    def _noted(self, text: str, prompt: Sequence[int], steps: Iterator[Step]) -> Generator[Step]:
        taken: list[Step] = []
        try:
            for step in steps:
                taken.append(step)
                yield step
        finally:
            self.turns.append(Turn(text, completion(prompt, taken)))


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}
