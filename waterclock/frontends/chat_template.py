"""Chat templates: messages -> the prompt that a model was tuned on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import CodeType
from typing import Any

from waterclock.errors import InputError
from waterclock.frontends.printable import printable
from waterclock.frontends.sandbox import compile_template, render_template
from waterclock.frontends.tokenizer import Tokenizer

MAX_TEMPLATE_CHARACTERS = 65_536

Message = Mapping[str, Any]


@dataclass(frozen=True)
class ChatTemplate:
    """A chat template in Jinja, as Hugging Face tokenizers carry it; raises InputError if it does not compile.

    `model` is whose template it is, for messages.
    """

    source: str
    bos_token: str = ""
    eos_token: str = ""
    model: str = "model"

    def __post_init__(self) -> None:
        if len(self.source) > MAX_TEMPLATE_CHARACTERS:
            raise self._error(f"{len(self.source)} characters, at most {MAX_TEMPLATE_CHARACTERS} are accepted")
        _ = self._code

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool = True) -> str:
        """The prompt for `messages`, each with a "role" and a "content".

        `add_generation_prompt` opens the assistant's turn at the end. Raises InputError if a message is malformed, the
        template refuses the messages, or it overruns the sandbox's limits.
        """
        for index, message in enumerate(messages):
            if not isinstance(message.get("role"), str) or not isinstance(message.get("content"), str):
                raise InputError(f"messages[{index}]: expected a text under role and under content")
        variables = {
            "messages": [dict(message) for message in messages],
            "add_generation_prompt": add_generation_prompt,
            "bos_token": self.bos_token,
            "eos_token": self.eos_token,
        }
        try:
            return render_template(self._code, variables)
        except Exception as error:  # whatever the template's own program does wrong
            raise self._error(_one_line(error)) from error

    @cached_property
    def _code(self) -> CodeType:
        try:
            return compile_template(self.source)
        except Exception as error:  # syntax errors, but also what deep nesting does to the compiler
            raise self._error(_one_line(error)) from error

    def _error(self, reason: str) -> InputError:
        return InputError(f"{self.model}: chat template: {reason}")


def read_chat_template(tokenizer: Tokenizer, model: str = "model") -> ChatTemplate:
    """The chat template of a tokenizer; raises InputError, which names the `model`, if it has none."""
    if tokenizer.chat_template is None:
        raise InputError(f"{model}: chat template: there is none; give it a plain prompt")
    end = tokenizer.eos_token_ids[0] if tokenizer.eos_token_ids else None
    begin_text, end_text = tokenizer.text_of(tokenizer.bos_token_id), tokenizer.text_of(end)
    return ChatTemplate(tokenizer.chat_template, begin_text, end_text, model)


def _one_line(error: Exception) -> str:
    return printable(f"{type(error).__name__}: {error}"[:200])
