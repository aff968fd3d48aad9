"""Timelines: a compiled model launched twice, and random programs with repeats and loops in all levels."""

import pytest

from tests.programs import random_program
from tests.runtime.conftest import bundle, model_path, prefilling
from waterclock.chip import Chip
from waterclock.runtime.bundle import Bundle
from waterclock.simulator.link import link, rebuild
from waterclock.simulator.trace import Timeline, script, timeline

__all__ = ["bundle", "model_path", "prefilling"]

RANDOM_SEEDS = (3, 7)


def model_line(bundle: Bundle) -> Timeline:
    """Two launches of the model's program, from inside the first to inside the second."""
    chip, (program,) = bundle.deployment.chip, bundle.deployment.programs.values()
    length = program.length_cycles
    return timeline(chip, [script(link(program, chip))], 2, 40, length + chip.launch_gap_cycles + length // 2)


def random_line(chip: Chip) -> Timeline:
    """Two programs in turn, twice."""
    return timeline(chip, [script(rebuild(random_program(chip, seed), chip)) for seed in RANDOM_SEEDS], 2)


@pytest.fixture(scope="session", params=["model", "random"])
def line(request: pytest.FixtureRequest, bundle: Bundle, tiny: Chip) -> Timeline:
    return model_line(bundle) if request.param == "model" else random_line(tiny)
