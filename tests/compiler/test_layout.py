"""Layouts: every element once, padding zero."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from waterclock.compiler.layout import Layout, heads, plain

LANES = st.sampled_from([2, 4, 8, 64])


def gathered(layout: Layout, spread: np.ndarray, size: int) -> np.ndarray:
    """The logical vector back from [vector, lane]."""
    values = np.zeros(size, spread.dtype)
    values[layout.elements[layout.elements >= 0]] = spread[layout.elements >= 0]
    return values


@given(lanes=LANES, size=st.integers(1, 200))
def test_plain_puts_element_e_in_lane_e_mod_lanes_of_vector_e_div_lanes(lanes: int, size: int) -> None:
    layout = plain(size, lanes)
    assert layout.num_vectors == -(-size // lanes)
    for e in range(size):
        assert layout.elements[e // lanes, e % lanes] == e
    assert (layout.elements < 0).sum() == layout.num_vectors * lanes - size


@given(lanes=LANES, num_heads=st.integers(1, 5), head_dim=st.integers(1, 70))
def test_every_head_starts_a_vector(lanes: int, num_heads: int, head_dim: int) -> None:
    layout = heads(num_heads, head_dim, lanes)
    first_elements = layout.elements[:: layout.num_vectors // num_heads, 0]
    assert first_elements.tolist() == [h * head_dim for h in range(num_heads)]
    assert sorted(layout.elements[layout.elements >= 0].tolist()) == list(range(num_heads * head_dim))


@given(lanes=LANES, num_heads=st.integers(1, 5), head_dim=st.integers(1, 40))
def test_spread_keeps_every_element_and_pads_with_zero(lanes: int, num_heads: int, head_dim: int) -> None:
    layout, size = heads(num_heads, head_dim, lanes), num_heads * head_dim
    values = np.arange(1, size + 1)
    spread = layout.spread(values)
    assert spread.shape == (layout.num_vectors, lanes)
    assert (gathered(layout, spread, size) == values).all()
    assert not spread[layout.elements < 0].any()


def test_spread_replaces_the_axis_it_is_told() -> None:
    values = np.arange(1, 31).reshape(5, 6)
    rows, columns = plain(5, 4), plain(6, 4)
    tiles = columns.spread(rows.spread(values, 0), -1)
    assert tiles.shape == (2, 4, 2, 4)
    for j, i in np.ndindex(values.shape):
        assert tiles[j // 4, j % 4, i // 4, i % 4] == values[j, i]
    assert tiles.sum() == values.sum()
