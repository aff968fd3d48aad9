"""A model as it comes: its float Graph, its tokenizer, and the hash of the file that both came from."""

from dataclasses import dataclass
from pathlib import Path

from waterclock.frontends.gguf_file import open_gguf
from waterclock.frontends.gguf_tokenizer import read_tokenizer
from waterclock.frontends.graph import Graph
from waterclock.frontends.llama import load_llama
from waterclock.frontends.model_path import find_model
from waterclock.frontends.tokenizer import Tokenizer
from waterclock.runtime.tensor_file import file_sha256


@dataclass(frozen=True, eq=False)
class Model:
    """An unmodified model; `sha256` is of its file."""

    graph: Graph
    tokenizer: Tokenizer
    sha256: str


def load_model(reference: str | Path) -> Model:
    """The model in a GGUF file or in an installed model package (`waterclock.frontends.model_path`).

    InputError names the file and what in it is missing, malformed or not supported.
    """
    path = find_model(reference)
    file = open_gguf(path)
    return Model(load_llama(file), read_tokenizer(file), file_sha256(path))
