"""The state of a chip: shapes, copies, and where two states differ."""

from dataclasses import fields

import numpy as np
import pytest

from waterclock.chip import Chip, load
from waterclock.simulator.state import State


@pytest.fixture(scope="module")
def chip() -> Chip:
    return load("tiny")


def test_zero_has_the_chips_shapes(chip: Chip) -> None:
    state = State.zero(chip)
    assert state.mem.shape == (4, 512, 8)
    assert state.reram.shape == (2, 256, 8, 8)
    assert state.sram.shape == (2, 128, 8, 8)
    assert state.params.shape == (16,)
    assert not any(getattr(state, field.name).any() for field in fields(state))


@pytest.mark.parametrize("name", [field.name for field in fields(State)])
def test_copies_share_nothing_and_the_difference_is_named(chip: Chip, name: str) -> None:
    state = State.zero(chip)
    other = state.copy()
    assert state.equals(other)
    array: np.ndarray = getattr(other, name)
    array.flat[-1] = -3
    place = [size - 1 for size in array.shape]
    assert state.first_difference(other) == f"{name}{place}: 0 here, -3 there"
    assert not state.equals(other)


def test_a_fork_shares_the_reram_alone(chip: Chip) -> None:
    state = State.zero(chip)
    fork = state.fork()
    assert fork.reram is state.reram
    for name in ("mem", "sram", "params"):
        assert not np.shares_memory(getattr(fork, name), getattr(state, name))


def test_states_of_different_chips_differ_in_shape(chip: Chip) -> None:
    larger = State.zero(chip.with_fields({"mem.num_words": 513}))
    assert State.zero(chip).first_difference(larger) == "mem: shape (4, 512, 8) here, (4, 513, 8) there"
