"""Rotary position embedding: the table of cosines and sines (RoFormer, arXiv 2104.09864).

A deployment carries these tables, so they must not depend on the processor's or the library's cosine: the angles of
positions 1, 2, 4, .. are computed in decimal arithmetic, and every other position is a product of these in float64.
"""

from decimal import Decimal, localcontext

import numpy as np
from numpy.typing import NDArray

NUM_DIGITS = 50


def rope_table(num_positions: int, head_dim: int, theta: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cosine and sine of position * theta^(-2i / head_dim), each [num_positions, head_dim / 2].

    Computed to within 1e-14 and rounded once to float32, the same on every machine and whichever part is asked for.
    """
    with localcontext(prec=NUM_DIGITS):
        turns = [_cos_sin(Decimal(theta) ** (Decimal(-2 * i) / head_dim)) for i in range(head_dim // 2)]
        cos, sin = np.ones((1, len(turns))), np.zeros((1, len(turns)))
        while len(cos) < num_positions:
            c, s = (np.array([float(part) for part in parts]) for parts in zip(*turns, strict=True))
            cos, sin = np.concatenate([cos, cos * c - sin * s]), np.concatenate([sin, sin * c + cos * s])
            turns = [(c * c - s * s, 2 * s * c) for c, s in turns]
    return cos[:num_positions].astype(np.float32), sin[:num_positions].astype(np.float32)


def _cos_sin(angle: Decimal) -> tuple[Decimal, Decimal]:
    """Cosine and sine by their power series, for an angle of at most about one."""
    sums, term, n = [Decimal(0), Decimal(0), Decimal(0), Decimal(0)], Decimal(1), 0
    while abs(term) > Decimal(10) ** -NUM_DIGITS:
        sums[n % 4] += term
        n += 1
        term = term * angle / n
    return sums[0] - sums[2], sums[1] - sums[3]


def rope_tables(num_positions: int, head_dim: int, theta: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The table laid out for lanes: C and S, each [num_positions, head_dim], so that y = x * C + x[i xor 1] * S.

    C holds each cosine twice; S holds -sin at lane 2i and +sin at lane 2i + 1.
    """
    cos, sin = rope_table(num_positions, head_dim, theta)
    return np.repeat(cos, 2, axis=-1), np.stack([-sin, sin], axis=-1).reshape(num_positions, head_dim)
