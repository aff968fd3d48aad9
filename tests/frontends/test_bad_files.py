"""Every handcrafted bad file is refused in one line that says what is wrong, quickly and in little memory."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.frontends.bad_files import BAD_FILES, GROUPS
from tests.frontends.gguf_bytes import F32, HIDDEN, TOKENS, Stored, llama_bytes
from tests.frontends.try_bad_files import MAX_MEMORY_BYTES, load_and_chat, write
from waterclock.errors import InputError

ROOT = Path(__file__).parents[2]
MAX_SECONDS = 1.0
MAX_LINE = 600
LOADED = [name for name in BAD_FILES if not name.startswith("template: ")]
SHORT_HEADER = llama_bytes(
    {
        "tokenizer.ggml.tokens": TOKENS[:20],
        "tokenizer.ggml.token_type": [1] * 20,
        "tokenizer.ggml.merges": [],
    },
    {"token_embd.weight": Stored((20, HIDDEN), F32, bytes(4 * 20 * HIDDEN))},
)
"""Of its first 4,096 bytes, some are the header's and some the tensors'."""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """All files in one process of its own, where a crash, a hang or much memory ends that process, not this one."""
    folder = tmp_path_factory.mktemp("bad")
    command = [sys.executable, "-m", "tests.frontends.try_bad_files", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return {outcome.pop("name"): outcome for outcome in map(json.loads, done.stdout.splitlines())}


@pytest.mark.parametrize("content", [llama_bytes(), SHORT_HEADER], ids=["long header", "short header"])
def test_the_file_that_they_are_made_from_is_good(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "good.gguf"
    path.write_bytes(content)
    assert load_and_chat(path) == "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n"


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_file_is_refused_in_one_line(outcomes: dict[str, dict[str, Any]], name: str) -> None:
    outcome = outcomes[name]
    assert outcome["is_input_error"], outcome
    assert "bad.gguf: " in outcome["message"]
    assert BAD_FILES[name].words in outcome["message"]
    assert outcome["message"].isprintable()
    assert len(outcome["message"]) < MAX_LINE
    assert outcome["seconds"] < MAX_SECONDS
    assert outcome["peak_bytes"] < MAX_MEMORY_BYTES


def test_no_two_files_are_one(outcomes: dict[str, dict[str, Any]]) -> None:
    """The number that is promised is of different files."""
    assert len({outcome["sha256"] for outcome in outcomes.values()}) == len(BAD_FILES) == len(outcomes)
    slowest = max(outcomes, key=lambda name: outcomes[name]["seconds"])
    largest = max(outcomes, key=lambda name: outcomes[name]["peak_bytes"])
    print(", ".join(f"{len(files)} of {group}" for group, files in GROUPS.items()))
    print(f"slowest: {slowest}, {outcomes[slowest]['seconds']:.2f} s")
    print(f"largest: {largest}, {outcomes[largest]['peak_bytes'] / (1 << 20):.0f} MiB")


@pytest.mark.parametrize("name", LOADED[::8])
def test_the_command_line_says_it_in_one_line(run, tmp_path: Path, name: str) -> None:
    path = tmp_path / "bad.gguf"
    write(BAD_FILES[name], path)
    code, out, err = run("check", str(path))
    assert (code, out) == (2, "")
    assert err.startswith(f"waterclock: {path}: ")
    assert BAD_FILES[name].words in err
    assert err.endswith("\n")
    assert err[:-1].isprintable()


@pytest.mark.parametrize("content", [llama_bytes(), SHORT_HEADER], ids=["long header", "short header"])
def test_every_truncation_of_the_first_4096_bytes_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    for length in reversed(range(4096)):
        with path.open("r+b") as file:
            file.truncate(length)
        with pytest.raises(InputError) as error:
            load_and_chat(path)
        assert str(error.value).startswith(f"{path}: ")
        assert str(error.value).isprintable()
