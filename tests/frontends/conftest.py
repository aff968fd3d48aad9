"""Models that the front-end tests share."""

from pathlib import Path

import pytest

from tests.models import write_random_llama
from waterclock.frontends.gguf_file import GgufFile, open_gguf
from waterclock.frontends.gguf_tokenizer import read_tokenizer
from waterclock.frontends.graph import Graph
from waterclock.frontends.llama import load_llama
from waterclock.frontends.tokenizer import Tokenizer


@pytest.fixture(scope="session")
def small_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_llama(tmp_path_factory.mktemp("models") / "small.gguf", tied=False)


@pytest.fixture(scope="session")
def small_file(small_path: Path) -> GgufFile:
    return open_gguf(small_path)


@pytest.fixture(scope="session")
def small_graph(small_file: GgufFile) -> Graph:
    return load_llama(small_file)


@pytest.fixture(scope="session")
def small_tokenizer(small_file: GgufFile) -> Tokenizer:
    return read_tokenizer(small_file)
