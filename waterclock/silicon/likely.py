"""Where a figure lies if its constants err independently: between the 10th and the 90th percentile of many draws.

**What is assumed.** Each uncertain leaf is as likely below its typical value as above, evenly by factor up to its bound
(evenly by difference where its low is 0), whatever the others are. Nobody publishes that of any constant. An interval
of corners takes them all to err together, this takes none to: what is true of a chip lies between.

A leaf is drawn from a seed and its name, so that it moves alike in every command.
"""

import numpy as np

from waterclock.silicon.figure import Figure, Leaf, Values

SEED = 40
NUM_DRAWS = 4096
PERCENTILES = (10, 90)


def drawn(leaf: Figure) -> Values:
    """Values of a leaf as fractions of the way from its low to its high. ValueError for a formula."""
    if not isinstance(leaf.origin, Leaf):
        raise ValueError(f"{leaf.name}: is no leaf")
    low, typical, high = leaf.origin.low, leaf.origin.typical, leaf.origin.high
    chance = np.random.default_rng([SEED, *leaf.name.encode()]).random(NUM_DRAWS)
    below, above = _between(low, typical, 2 * chance), _between(typical, high, 2 * chance - 1)
    return (np.where(chance < 0.5, below, above) - low) / (high - low)


def _between(low: float, high: float, share: Values) -> Values:
    """Evenly by factor; by difference where there is none."""
    inside = np.clip(share, 0, 1)
    return low * (high / low) ** inside if low > 0 else low + inside * (high - low)


def likely(values: Values) -> tuple[float, float]:
    """The ends of what most draws lie between."""
    low, high = np.percentile(values, PERCENTILES)
    return float(low), float(high)
