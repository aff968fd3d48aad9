"""Chat templates: messages -> the prompt that a model was tuned on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Template

from waterclock.errors import InputError
from waterclock.frontends.sandbox import Sandbox
from waterclock.frontends.tokenizer import Tokenizer

MAX_TEMPLATE_CHARACTERS = 65_536

Message = Mapping[str, Any]


@dataclass(frozen=True)
class ChatTemplate:
    """A chat template in Jinja, as Hugging Face tokenizers carry it; raises InputError if it does not compile."""

    source: str
    bos_token: str = ""
    eos_token: str = ""

    def __post_init__(self) -> None:
        if len(self.source) > MAX_TEMPLATE_CHARACTERS:
            raise InputError(
                f"chat template: {len(self.source)} characters, at most {MAX_TEMPLATE_CHARACTERS} are accepted"
            )
        self._compile()

    def render(self, messages: Sequence[Message], *, add_generation_prompt: bool = True) -> str:
        """The prompt for `messages`, each with a "role" and a "content".

        `add_generation_prompt` opens the assistant's turn at the end. Raises InputError if a message is malformed, the
        template refuses the messages, or it overruns the sandbox's limits.
        """
        for index, message in enumerate(messages):
            if not isinstance(message.get("role"), str) or not isinstance(message.get("content"), str):
                raise InputError(f"messages[{index}]: expected a text under role and under content")
        template = self._compile()
        try:
            return template.render(
                messages=[dict(message) for message in messages],
                add_generation_prompt=add_generation_prompt,
                bos_token=self.bos_token,
                eos_token=self.eos_token,
            )
        except Exception as error:  # whatever the template's own program does wrong
            raise InputError(f"chat template: {_one_line(error)}") from error

    def _compile(self) -> Template:
        try:
            return Sandbox().from_string(self.source)
        except Exception as error:  # syntax errors, but also what deep nesting does to the compiler
            raise InputError(f"chat template: {_one_line(error)}") from error


def read_chat_template(tokenizer: Tokenizer) -> ChatTemplate:
    """The chat template of a tokenizer; raises InputError if it has none."""
    if tokenizer.chat_template is None:
        raise InputError("chat template: the model has none; give it a plain prompt")
    end = tokenizer.eos_token_ids[0] if tokenizer.eos_token_ids else None
    return ChatTemplate(tokenizer.chat_template, tokenizer.text_of(tokenizer.bos_token_id), tokenizer.text_of(end))


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
