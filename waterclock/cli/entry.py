"""The entry point: whatever goes wrong becomes one line and an exit code."""

import gc
import os
import signal
import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any

from typer.exceptions import TyperException

from waterclock.cli.app import app
from waterclock.errors import WaterclockError

OBJECTS_BETWEEN_COLLECTIONS = 100_000
"""Garbage is looked for so often: what a model is read into is many objects, and next to none of them are garbage."""
EXIT_REFUSED = 2
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141
EXIT_TERMINATED = 143


def main() -> None:
    """Run a command. Whatever is refused is one line on stderr and exit code 2."""
    signal.signal(signal.SIGTERM, _terminated)
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    sys.exit(_run(sys.argv[1:] or ["--help"]))


def _run(arguments: list[str]) -> int:
    stdout = sys.stdout
    try:
        code = app(arguments, prog_name="waterclock", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except SystemExit:  # typer's way to leave where a pipe is broken: it puts another stdout in place
        if sys.stdout is stdout:
            raise
        return EXIT_BROKEN_PIPE
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except WaterclockError as error:
        return refuse(str(error))
    except MemoryError:
        return refuse("not enough memory")
    except OSError as error:
        return _refuse_stdout(error)
    except TyperException as error:
        context = getattr(error, "ctx", None)
        return refuse(f"{_reason(error)} (see {context.command_path if context else 'waterclock'} --help)")
    if code == EXIT_INTERRUPTED:  # which is also what typer makes of an interrupt
        print("waterclock: interrupted", file=sys.stderr)
    return code if isinstance(code, int) else 0


OWN_WORDS = "Value error, "
"""What comes before the words of a parser of an option's own."""


def _reason(error: TyperException) -> str:
    """What is wrong with the arguments. Of a value that has the wrong type or size typer does not say which it was."""
    problems, option = getattr(error.__cause__, "errors", None), getattr(error, "param", None)
    if problems is None or option is None:
        return error.format_message()
    problem: Mapping[str, Any] = problems()[0]
    said, value = str(problem["msg"]), f"{option.opts[0]} {problem['input']!r}"
    if said.startswith(OWN_WORDS):
        return f"{value}: {said.removeprefix(OWN_WORDS)}"
    return f"{value}: must {said.removeprefix('Input should ').partition(',')[0]}"


def _refuse_stdout(error: OSError) -> int:
    """Output that can't be written (a full disk): what is left of it is dropped, so that the exit is quiet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return refuse(f"{error.filename or 'output'}: {error.strerror}")


def _terminated(number: int, frame: FrameType | None) -> None:
    """Leave through every `finally`, so that no half-written folder stays."""
    sys.exit(EXIT_TERMINATED)


def refuse(reason: str) -> int:
    """Say in one line on stderr why something can't be; the exit code for it."""
    print("waterclock: " + " ".join(reason.split()), file=sys.stderr)
    return EXIT_REFUSED
