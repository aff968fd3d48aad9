"""`waterclock chat`: turns with a language model."""

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from waterclock.cli.answer import shown, what_came, what_ran
from waterclock.cli.app import ModelOrFolder, Target, Threads, app, check_utf8
from waterclock.cli.dialogue import next_line, noted_interrupts
from waterclock.cli.entry import EXIT_REFUSED, refuse
from waterclock.cli.records import with_records
from waterclock.cli.sampling import SamplingOptions
from waterclock.cli.terminal import progress
from waterclock.errors import InputError
from waterclock.runtime.sampling import Sampling

if TYPE_CHECKING:
    from waterclock.runtime.conversation import Conversation, Turn
    from waterclock.runtime.generate import Step
    from waterclock.runtime.llm import LLM


@dataclass(frozen=True)
class _Command:
    """A line that is no message. `obey` gets the conversation and the rest of the line, and says whether to go on."""

    meaning: str
    obey: "Callable[[Conversation, str], bool]"
    argument: str = ""


def _set_system(conversation: "Conversation", text: str) -> bool:
    conversation.system = text or None
    return True


def _reset(conversation: "Conversation", text: str) -> bool:
    conversation.turns.clear()
    return True


def _help(conversation: "Conversation", text: str) -> bool:
    print(_COMMAND_LINES, file=sys.stderr)
    return True


_COMMANDS: Mapping[str, _Command] = {
    "/system": _Command("tell the model what it is; without TEXT, nothing", _set_system, " TEXT"),
    "/reset": _Command("forget what was said", _reset),
    "/help": _Command("list these commands", _help),
    "/exit": _Command("end the program, as Ctrl-D does", lambda conversation, text: False),
}
_COMMAND_LINES = "\n".join(f"{name + each.argument:13} {each.meaning}" for name, each in _COMMANDS.items())
_ABOUT = f"""Talk with a language model on a chip. Answers go to stdout, what they took to stderr.

Each line of stdin is a message. What was said stays in the KV cache: a turn feeds only what is new. Ctrl-C stops an
answer, and what was said stays; where nothing has been typed it ends the program. A message that is refused, such as
one that does not fit into the context any more, is one line on stderr, and the program goes on; where stdin is no
terminal it then ends with exit code {EXIT_REFUSED}. A line that begins with a slash is a command:

\b
{_COMMAND_LINES}
"""


@app.command("chat", help=_ABOUT)
@with_records
def chat(
    model: ModelOrFolder,
    system: Annotated[str | None, typer.Option(metavar="TEXT", help="tell the model what it is")] = None,
    *,
    target: Target,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="stop an answer after so many tokens")] = None,
    options: SamplingOptions,
    threads: Threads = None,
    as_json: Annotated[bool, typer.Option("--json", help="print one JSON object, in one line, for each turn")] = False,
) -> int:
    from waterclock.runtime.conversation import Conversation

    sampling = options.sampling
    check_utf8("--system", system or "")
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise InputError("stdin: is closed, so there are no messages")
    with progress() as phase:
        llm = target.llm(model, phase, threads)
    conversation = Conversation(llm, system=system or None, max_tokens=max_tokens, sampling=sampling)
    return _Chat(llm, conversation, sampling, as_json).run()


@dataclass(frozen=True)
class _Chat:
    """The program from the first line to the last."""

    llm: "LLM"
    conversation: "Conversation"
    sampling: Sampling
    as_json: bool

    def run(self) -> int:
        """The exit code."""
        if sys.stdin.isatty():
            print(self._greeting(), file=sys.stderr)
        goes_on, any_refused = True, False
        with noted_interrupts() as interrupt:
            while goes_on:
                try:
                    line = next_line()
                    goes_on = line is not None and self._take(line, interrupt)
                except InputError as error:
                    refuse(str(error))
                    any_refused = True
        return EXIT_REFUSED if any_refused and not sys.stdin.isatty() else 0

    def _greeting(self) -> str:
        deployment = self.llm.bundle.deployment
        what = f"{deployment.config.name} on {deployment.chip.name}, context {self.llm.device.num_positions}"
        return f"{what}. Ctrl-C stops an answer, Ctrl-D ends the program, /help lists the commands."

    def _take(self, line: str, interrupt: Event) -> bool:
        """Do what a line asks for; whether to go on after it."""
        word, _, rest = line.partition(" ")
        command, text = _COMMANDS.get(word), rest.strip()
        if command and (command.argument or not text):
            return command.obey(self.conversation, text)
        if word.startswith("/"):
            known = ", ".join(name + each.argument for name, each in _COMMANDS.items())
            raise InputError(f"{line.rstrip()}: is none of {known}; a message may begin with a blank")
        if line.strip():
            self._answer(line, interrupt)
        return True

    def _answer(self, message: str, interrupt: Event) -> None:
        interrupt.clear()
        start = time.perf_counter()
        with closing(self.conversation.stream(message)) as steps:
            for _ in shown(_until(interrupt, steps), quiet=self.as_json):
                pass
        turn = self.conversation.turns[-1]
        if not self.as_json:
            print(_summary(turn, time.perf_counter() - start), file=sys.stderr)
            return
        record = {
            "turn": len(self.conversation.turns),
            **self._what_ran,
            **what_came(message, turn.answer, self.sampling),
        }
        print(json.dumps(record, ensure_ascii=False), flush=True)

    @cached_property
    def _what_ran(self) -> Mapping[str, Any]:
        return what_ran(self.llm)


def _until(event: Event, steps: "Iterable[Step]") -> "Iterator[Step]":
    """The steps, up to the one during which the event is set."""
    for step in steps:
        yield step
        if event.is_set():
            return


def _summary(turn: "Turn", seconds: float) -> str:
    answer = turn.answer
    each = " or ".join(f"{cycles:,}" for cycles in sorted(set(answer.cycles)))
    return (
        f"[{len(answer.cycles)} launches of {each} cycles for {len(answer.prompt_tokens)} tokens in and "
        f"{len(answer.tokens)} out, ended by {answer.finish}; {seconds:.1f} s]"
    )
