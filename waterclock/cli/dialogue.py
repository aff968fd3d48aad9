"""A dialogue: lines from a terminal or a pipe, and interrupts that stop an answer and not the program."""

import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.util import find_spec
from threading import Event
from typing import Any

from waterclock.errors import InputError

PROMPT = "> "
BETWEEN_LOOKS_S = 0.2


@contextmanager
def noted_interrupts() -> Generator[Event]:
    """An event that an interrupt sets, which does nothing else while this lasts; `next_line` sees to its own."""
    noted = Event()
    with _interrupts_handled_by(lambda number, frame: noted.set()):
        yield noted


def next_line() -> str | None:
    """The next line, without its end; None after the last one, and for an interrupt while nothing has been typed.

    InputError for a line that is not UTF-8.
    """
    try:
        with _interrupts_handled_by(signal.default_int_handler), _signals_looked_at():
            line = _typed() if _can_be_edited() else _piped()
        return None if line is None else line.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise InputError(f"message: not UTF-8 at byte {error.start}") from None
    except KeyboardInterrupt:
        return None


def _can_be_edited() -> bool:
    """Whether somebody types and sees what is typed, and this Python can edit lines."""
    return sys.stdin.isatty() and sys.stdout.isatty() and find_spec("readline") is not None


def _typed() -> bytes | None:
    """From a terminal, with a prompt and a history. An interrupt drops what has been typed so far."""
    import readline

    while True:
        try:
            return input(PROMPT).encode(errors="surrogateescape")
        except EOFError:
            print(file=sys.stderr)
            return None
        except KeyboardInterrupt:
            print(file=sys.stderr)
            if not readline.get_line_buffer():
                return None


def _piped() -> bytes | None:
    if sys.stdin.isatty():  # stdout may be a file, which a prompt has no business in
        print(PROMPT, end="", file=sys.stderr, flush=True)
    return sys.stdin.buffer.readline() or None


@contextmanager
def _signals_looked_at() -> Generator[None]:
    """While Python waits for a key it looks for signals only when one comes: one that came just before it began to
    wait, such as an interrupt right after a key, would be seen with the next key. So one comes again and again."""
    previous = signal.signal(signal.SIGALRM, lambda number, frame: None)
    signal.setitimer(signal.ITIMER_REAL, BETWEEN_LOOKS_S, BETWEEN_LOOKS_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


@contextmanager
def _interrupts_handled_by(handler: Callable[[int, Any], Any]) -> Generator[None]:
    previous = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
