"""Exit codes, and what is said where."""

import os
import subprocess
import sys
import time

import pytest

from waterclock.cli.entry import EXIT_BROKEN_PIPE, EXIT_INTERRUPTED, EXIT_REFUSED


def test_help_without_arguments(run) -> None:
    code, out, _ = run()
    assert code == 0
    assert "chip" in out
    assert out == run("--help")[1]


def test_an_interrupt_is_one_line(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("waterclock.chip.list_chips", interrupted)
    assert run("chip", "list") == (EXIT_INTERRUPTED, "", "waterclock: interrupted\n")


def test_a_reader_that_leaves_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as nobody:
        command = [sys.executable, "-m", "waterclock.cli", "chip", "show", "groq-tsp"]
        done = subprocess.run(command, stdout=nobody, stderr=subprocess.PIPE, check=False)
    assert done.stderr == b""
    assert done.returncode == EXIT_BROKEN_PIPE


def test_too_little_memory_is_one_line(run, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted() -> None:
        raise MemoryError

    monkeypatch.setattr("waterclock.chip.list_chips", exhausted)
    assert run("chip", "list") == (EXIT_REFUSED, "", "waterclock: not enough memory\n")


@pytest.mark.parametrize(
    ("option", "value", "allowed"),
    [
        ("--max-tokens", "0", "be greater than or equal to 1"),
        ("--max-tokens", "some", "be a valid integer"),
        ("--temperature", "-0.5", "be greater than or equal to 0"),
    ],
)
def test_a_number_that_is_none_is_repeated(run, option: str, value: str, allowed: str) -> None:
    code, out, err = run("run", "none.gguf", "Hello", f"{option}={value}")
    assert (code, out) == (EXIT_REFUSED, "")
    assert err == f"waterclock: {option} {value!r}: must {allowed} (see waterclock run --help)\n"


def test_help_is_there_at_once() -> None:
    took: list[float] = []
    for _ in range(3):
        start = time.process_time_ns(), time.perf_counter()
        subprocess.run([sys.executable, "-m", "waterclock", "--help"], check=True, capture_output=True)
        took.append(time.perf_counter() - start[1])
    assert min(took) < 1, "0.3 s on an idle machine; a test must not fail on a busy one"
