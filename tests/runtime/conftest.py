"""A small random model, compiled once and saved once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.models import write_random_llama
from waterclock.chip import Chip
from waterclock.runtime.build import build
from waterclock.runtime.bundle import Bundle
from waterclock.runtime.deployment_file import save_bundle
from waterclock.runtime.device import Device
from waterclock.runtime.model import Model, load_model

CONTEXT = 32


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "random.gguf"
    return write_random_llama(
        path, hidden=20, intermediate=24, num_layers=2, num_heads=3, num_kv_heads=1, head_dim=6, vocab=300, seed=1
    )


@pytest.fixture(scope="session")
def model(model_path: Path) -> Model:
    return load_model(model_path)


@pytest.fixture(scope="session")
def prefilling(model_path: Path, tiny: Chip) -> Bundle:
    """For the tiny chip, with programs that take many tokens at a time; nobody changes it."""
    return build(model_path, tiny, CONTEXT)


@pytest.fixture(scope="session")
def bundle(prefilling: Bundle) -> Bundle:
    """The same with a launch for each token; nobody changes it."""
    return decode_only(prefilling)


def decode_only(bundle: Bundle) -> Bundle:
    """Without the programs that take many tokens at a time."""
    deployment = bundle.deployment
    kept = [name for name in deployment.programs if name.startswith("decode")]
    programs = {name: deployment.programs[name] for name in kept}
    explanations = {name: deployment.explanations[name] for name in kept}
    return replace(bundle, deployment=replace(deployment, programs=programs, explanations=explanations))


@pytest.fixture(scope="session")
def folder(prefilling: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle, saved; nobody changes it."""
    path = tmp_path_factory.mktemp("saved") / "bundle"
    save_bundle(prefilling, path)
    return path


@pytest.fixture
def device(bundle: Bundle) -> Device:
    return Device(bundle.deployment)


@pytest.fixture
def tokens() -> list[int]:
    return np.random.default_rng(2).integers(0, 300, 9).tolist()


@pytest.fixture(scope="session")
def talkative(tmp_path_factory: pytest.TempPathFactory, tiny: Chip) -> Bundle:
    """A smaller model with room for several turns, which never ends an answer by itself when it is greedy."""
    path = tmp_path_factory.mktemp("talkative") / "talkative.gguf"
    shape = {"hidden": 20, "intermediate": 24, "num_layers": 1, "num_heads": 2, "num_kv_heads": 1, "head_dim": 8}
    return decode_only(build(write_random_llama(path, **shape, vocab=300, context_length=256), tiny, 192))


@pytest.fixture(scope="session")
def talkative_folder(talkative: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "talkative"
    save_bundle(talkative, path)
    return path
