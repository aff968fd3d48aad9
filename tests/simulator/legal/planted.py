"""What a planted illegality is: a program, and where the wrong shows first."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tests.simulator.legal.parts import Legal
from waterclock.chip import Queue
from waterclock.isa.program import Program

Rng = np.random.Generator


@dataclass(frozen=True)
class Planted:
    """A program with one thing wrong, and the queue and cycle where that shows first; None where it has none."""

    program: Program
    queue: Queue | None = None
    cycle: int | None = None


Planter = Callable[[Rng, Legal], Planted | None]
"""None where the program has no room for it."""
