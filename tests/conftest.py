"""Settings and fixtures that every test shares."""

import sys
from collections.abc import Callable

import pytest
from hypothesis import settings

from waterclock.chip import Chip, list_chips, load

settings.register_profile("same-every-time", derandomize=True, deadline=None, database=None)
settings.load_profile("same-every-time")


@pytest.fixture(scope="session", params=list_chips())
def shipped_chip(request: pytest.FixtureRequest) -> Chip:
    """Each chip that ships, in turn."""
    return load(request.param)


@pytest.fixture(scope="session")
def tiny() -> Chip:
    return load("tiny")


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
