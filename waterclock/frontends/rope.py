"""Rotary position embedding: the table of cosines and sines (RoFormer, arXiv 2104.09864)."""

import numpy as np
from numpy.typing import NDArray


def rope_table(num_positions: int, head_dim: int, theta: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cosine and sine of position * theta^(-2i / head_dim), each [num_positions, head_dim / 2].

    Computed in float64 and rounded once, so that a table is the same whichever part of it is asked for.
    """
    frequencies = theta ** (-np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)
    angles = np.arange(num_positions, dtype=np.float64)[:, None] * frequencies
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def rope_tables(num_positions: int, head_dim: int, theta: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The table laid out for lanes: C and S, each [num_positions, head_dim], so that y = x * C + x[i xor 1] * S.

    C holds each cosine twice; S holds -sin at lane 2i and +sin at lane 2i + 1.
    """
    cos, sin = rope_table(num_positions, head_dim, theta)
    return np.repeat(cos, 2, axis=-1), np.stack([-sin, sin], axis=-1).reshape(num_positions, head_dim)
