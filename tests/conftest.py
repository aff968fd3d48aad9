"""Settings that every test shares."""

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
