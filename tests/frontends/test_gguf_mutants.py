"""Damaged files: each is refused in one line, or is a good file that says what the loader read in it."""

import signal
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np
import pytest

from tests.frontends.gguf_mutants import KINDS, Mutant, good_files, mutants
from tests.frontends.llama_oracle import check, values_of
from tests.frontends.tiny_gguf import TinyGguf
from tests.frontends.try_bad_files import MESSAGES
from waterclock.errors import InputError
from waterclock.frontends.chat_template import read_chat_template
from waterclock.runtime.model import Model, load_model

NUM_MUTANTS = {"default": 240, "slow": 20_000}
HANG_SECONDS = 10.0


class Hang(BaseException):
    """Loading a file takes so long that something is wrong."""


@contextmanager
def no_hang() -> Generator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, HANG_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def loaded(path: Path) -> tuple[Model, str]:
    model = load_model(path)
    return model, read_chat_template(model.tokenizer, str(path)).render(MESSAGES)


def is_accepted(path: Path, data: bytes) -> bool:
    """Whether the loader takes a file; if it does, rightly, and if not, in one line."""
    path.unlink(missing_ok=True)  # another file, since the last one may still be mapped
    path.write_bytes(data)
    try:
        with no_hang():
            model, prompt = loaded(path)
    except InputError as error:
        assert str(error).startswith(f"{path}: ")
        assert str(error).isprintable()
        assert len(str(error)) < 600
        return False
    check(model, prompt, data)
    return True


def must_be_accepted(mutant: Mutant) -> bool | None:
    """What is known of a kind of damage without loading the file; None if nothing is."""
    if mutant.kind == "truncation":
        return len(mutant.data) >= mutant.base.data_end
    if mutant.kind == "data bytes":
        return all(np.isfinite(values_of(span)).all() for span in TinyGguf(mutant.data).tensors.values())
    return True if mutant.kind == "growth" else None


def test_the_good_files_are_accepted(tmp_path: Path) -> None:
    for base in good_files():
        assert is_accepted(tmp_path / "good.gguf", base.data)


@pytest.mark.parametrize("size", ["default", pytest.param("slow", marks=pytest.mark.slow)])
def test_mutants(tmp_path: Path, size: str) -> None:
    outcomes: Counter[tuple[str, bool]] = Counter()
    start = time.monotonic()
    for mutant in mutants(NUM_MUTANTS[size], seed=0):
        accepted = is_accepted(tmp_path / "mutant.gguf", mutant.data)
        assert must_be_accepted(mutant) in (accepted, None), mutant.kind
        outcomes[mutant.kind, accepted] += 1
    for kind in KINDS:
        print(f"{kind:15} {outcomes[kind, False]:6,} refused, {outcomes[kind, True]:6,} accepted")
    num_refused, num_accepted = (sum(outcomes[kind, known] for kind in KINDS) for known in (False, True))
    print(f"{NUM_MUTANTS[size]:,} files: {num_refused:,} refused, {num_accepted:,} accepted and right, "
          f"{time.monotonic() - start:.0f} s")  # fmt: skip
    assert num_refused > NUM_MUTANTS[size] // 4
    assert num_accepted > NUM_MUTANTS[size] // 4
