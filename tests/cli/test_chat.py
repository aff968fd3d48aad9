"""`waterclock chat`: turns from a pipe and from a terminal, and an interrupt that stops the answer alone."""

import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.processes import running
from waterclock import LLM, Conversation, Sampling
from waterclock.runtime.bundle import Bundle

SLOW_HOST = """
import fcntl, sys, termios, time
from waterclock.cli import main
from waterclock.runtime.device import Device

feed = Device.feed
Device.feed = lambda device, token, position: (time.sleep(0.03), feed(device, token, position))[1]
if sys.stdin.isatty():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)  # so that what is typed as Ctrl-C is a SIGINT to this session
main()
"""
"""Each launch takes so long that an interrupt surely comes while an answer is under way."""

SLOW_TO_LISTEN = """
import ctypes, readline
from functools import partial

readline.set_pre_input_hook(partial(ctypes.CDLL(None).usleep, 300_000))
"""
"""Each prompt is there so long before readline waits for a key, in which Python sees no signal."""

CTRL_C, CTRL_D = "\x03", "\x04"


@pytest.fixture
def say(run, monkeypatch: pytest.MonkeyPatch):
    """`say(b"Hi\\n", "chat", ...)` pipes bytes into a command."""

    def piped(text: bytes, *arguments: str) -> tuple[int | str | None, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text), encoding="utf-8"))
        return run("chat", *arguments)

    return piped


def cycles_of(bundle: Bundle) -> int:
    """What a launch takes, all of which are of one program."""
    (program,) = bundle.deployment.programs.values()
    return program.length_cycles


def test_each_line_is_a_message(say, talkative_folder: Path, talkative: Bundle) -> None:
    code, out, err = say(b"Hi\n\n  \r\nAnd you?", str(talkative_folder), "--max-tokens", "6")
    talk = Conversation(LLM(talkative), max_tokens=6)
    answers, each = [talk.say("Hi"), talk.say("And you?")], cycles_of(talkative)
    assert (code, out) == (0, "".join(f"{answer.text}\n" for answer in answers))
    assert [line.partition(";")[0] for line in err.splitlines()] == [
        f"[{len(a.cycles)} launches of {each:,} cycles for {len(a.prompt_tokens)} tokens in and 6 out, ended by length"
        for a in answers
    ]


def test_json_is_a_line_for_each_turn_and_the_same_bytes_again(
    say, run, talkative_folder: Path, talkative: Bundle
) -> None:
    options = ("--max-tokens", "6", "--temperature", "0.9", "--top-k", "20", "--seed", "5", "--logprobs", "2")
    arguments = (b"Hi\nAnd you?\n", str(talkative_folder), "--json", *options, "--system", "Be brief.")
    code, out, err = say(*arguments)
    assert (code, err) == (0, "")
    assert say(*arguments)[1] == out
    sampling = Sampling(temperature=0.9, top_k=20, seed=5, logprobs=2)
    talk = Conversation(LLM(talkative), system="Be brief.", max_tokens=6, sampling=sampling)
    one_answer = json.loads(run("run", str(talkative_folder), "Hi", "--json", *options)[1])
    for number, (line, question) in enumerate(zip(out.splitlines(), ("Hi", "And you?"), strict=True), 1):
        record, answer = json.loads(line), talk.say(question)
        assert record.keys() == {"turn"} | one_answer.keys()
        assert (record["turn"], record["prompt"], record["seed"]) == (number, question, 5)
        assert record["sampling"] == one_answer["sampling"] == json.loads(json.dumps(plain(sampling)))
        for name, value in asdict(answer).items():
            assert record[name] == json.loads(json.dumps(value))


def plain(sampling: Sampling) -> dict[str, object]:
    return {name: value for name, value in asdict(sampling).items() if name != "seed"}


def test_commands(say, talkative_folder: Path, talkative: Bundle) -> None:
    lines = b"/help\nHi\n/reset\nHi\n/system Be brief.\nHi\n/system\nHi\n/exit\nnever said\n"
    code, out, err = say(lines, str(talkative_folder), "--max-tokens", "3", "--json")
    records = [json.loads(line) for line in out.splitlines()]
    assert (code, [record["turn"] for record in records]) == (0, [1, 1, 2, 3])
    assert [line.split()[0] for line in err.splitlines()] == ["/system", "/reset", "/help", "/exit"]
    begins = [talkative.tokenizer.decode(record["prompt_tokens"], skip_special=False)[:24] for record in records]
    user, system = "<|im_start|>user\nHi<|im_", "<|im_start|>system\nBe br"
    assert begins == [user, user, system, user]


def test_a_refused_message_is_one_line_and_the_program_goes_on(say, talkative_folder: Path) -> None:
    lines = b"\xff\xfe\n/none of these\n/reset my router\n" + b"x" * 300 + b"\n /Hi\n"
    code, out, err = say(lines, str(talkative_folder), "--max-tokens", "3", "--json")
    commands = "/system TEXT, /reset, /help, /exit; a message may begin with a blank"
    assert code == 2
    assert [json.loads(line)["prompt"] for line in out.splitlines()] == [" /Hi"]
    assert err.splitlines() == [
        "waterclock: message: not UTF-8 at byte 0",
        f"waterclock: /none of these: is none of {commands}",
        f"waterclock: /reset my router: is none of {commands}",
        "waterclock: prompt: 319 tokens, the context bucket holds 192",
    ]


def test_a_full_context_ends_the_answer_and_a_reset_makes_room(say, talkative_folder: Path) -> None:
    code, out, err = say(b"Hi\nMore\n/reset\nHi\n", str(talkative_folder), "--json")
    first, again = (json.loads(line) for line in out.splitlines())
    assert first["finish"] == "context"
    assert again["text"] == first["text"]
    assert re.fullmatch(r"waterclock: prompt: \d+ tokens, the context bucket holds 192\n", err)
    assert code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["FOLDER", "--temperature", "-1"], "--temperature"),
        (["FOLDER", "--temperature", "nan"], "--temperature"),
        (["FOLDER", "--top-p", "1.5"], "--top-p"),
        (["FOLDER", "--seed", "-1"], "--seed"),
        (["FOLDER", "--logprobs", "21"], "--logprobs"),
        (["FOLDER", "--stop", ""], "stop_strings = ('',): must be"),
        (["FOLDER", "--system", "\udcff"], "--system: not UTF-8 at character 0"),
        (["FOLDER", "--max-tokens", "0"], "--max-tokens"),
        (["FOLDER", "Hi"], "unexpected extra argument"),
        (["none.gguf"], "model none.gguf: no such file"),
    ],
)
def test_what_can_not_be_is_one_line_and_exit_code_2(
    say, talkative_folder: Path, arguments: list[str], message: str
) -> None:
    code, out, err = say(b"Hi\n", *(str(talkative_folder) if a == "FOLDER" else a for a in arguments))
    assert (code, out) == (2, "")
    assert err.startswith("waterclock: ") and err.count("\n") == 1
    assert message in err


def test_a_closed_stdin_is_one_line(run, talkative_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert run("chat", str(talkative_folder)) == (2, "", "waterclock: stdin: is closed, so there are no messages\n")


class Terminal:
    """A terminal in which a program runs: what it prints, and what somebody types."""

    def __init__(self, controller: int, program: "subprocess.Popen[bytes]") -> None:
        self.program = program
        self._controller = controller
        self._printed = ""

    def type(self, text: str) -> None:
        os.write(self._controller, text.encode())

    def until(self, pattern: str) -> str:
        """What is printed up to the end of a pattern, which must come within a minute."""
        deadline = time.monotonic() + 60
        while not (found := re.search(pattern, self._printed)):
            assert select.select([self._controller], [], [], max(deadline - time.monotonic(), 0))[0], self._printed
            self._printed += os.read(self._controller, 4096).decode(errors="replace")
        printed, self._printed = self._printed[: found.end()], self._printed[found.end() :]
        return printed


@contextmanager
def terminal(*arguments: str, before: str = "") -> Iterator[Terminal]:
    controller, its_side = pty.openpty()
    command = [sys.executable, "-c", before + SLOW_HOST, "chat", *arguments]
    with (
        os.fdopen(controller),
        os.fdopen(its_side) as side,
        running(command, stdin=side, stdout=side, stderr=side, start_new_session=True) as program,
    ):
        side.close()
        yield Terminal(controller, program)


def test_ctrl_c_stops_the_answer_and_not_the_program(talkative_folder: Path, talkative: Bundle) -> None:
    with terminal(str(talkative_folder)) as screen:
        screen.until("> ")
        screen.type("Hi\n")
        screen.until(" a a a")
        screen.type(CTRL_C)
        stopped = screen.until("ended by interrupted.*\n")
        assert "> " not in stopped
        screen.until("> ")
        screen.type("Hi\n")
        screen.until(" a a a")
        os.kill(screen.program.pid, signal.SIGINT)
        found = re.search(
            rf"\[(\d+) launches of {cycles_of(talkative):,} cycles for (\d+) tokens in", screen.until("interrupted.*\n")
        )
        assert found is not None
        assert int(found[1]) < int(found[2]), "what was said before the interrupt is still in the KV cache"
        screen.until("> ")
        screen.type("dropped")
        screen.until("dropped")
        screen.type(CTRL_C)
        screen.until("> ")
        screen.type(CTRL_C)
        assert screen.program.wait(60) == 0


def test_ctrl_c_is_seen_before_anything_is_typed(talkative_folder: Path) -> None:
    """Where it comes between the prompt and readline's wait for a key, no key need follow."""
    with terminal(str(talkative_folder), before=SLOW_TO_LISTEN) as screen:
        screen.until("> ")
        screen.type(CTRL_C)
        assert screen.program.wait(10) == 0


def test_ctrl_d_ends_the_program(talkative_folder: Path) -> None:
    with terminal(str(talkative_folder), "--max-tokens", "2") as screen:
        screen.until("> ")
        screen.type("Hi\n")
        screen.until("ended by length")
        screen.until("> ")
        screen.type(CTRL_D)
        assert screen.program.wait(60) == 0


@pytest.mark.slow
def test_an_interrupt_stops_an_answer_to_a_pipe_too(talkative_folder: Path) -> None:
    command = [sys.executable, "-c", SLOW_HOST, "chat", str(talkative_folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with running(command, bufsize=0, **pipes) as program:
        assert program.stdin is not None and program.stdout is not None
        program.stdin.write(b"Hi\n")
        assert program.stdout.read(4)
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(b"/exit\n", 60)
    assert (program.returncode, out.count(b"\n")) == (0, 1)
    assert err.count(b"\n") == 1 and b"ended by interrupted" in err
