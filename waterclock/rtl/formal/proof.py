"""Proofs about the RTL: a claim, a harness that states it as assertions, and how far it is checked.

A harness takes the design that it is about, so that a planted bug is the same proof of another design.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from amaranth.hdl import Module

Design = Any
"""What a harness instantiates: the steps of a datapath, or a component."""


class Method(Enum):
    """How far a proof reaches; the values are the solver front-end's words."""

    BOUNDED = "bmc"
    """All states that can be reached in `depth` cycles."""
    INDUCTION = "prove"
    """All states that can ever be reached, by k-induction with k = `depth`."""


@dataclass(frozen=True)
class Proof:
    """`claim` holds for `design`. Of logic without registers a bounded proof of depth 1 is a whole one."""

    name: str
    claim: str
    design: Design
    harness: Callable[[Design], Module]
    method: Method = Method.BOUNDED
    depth: int = 1
    is_long: bool = False
    """Whether it takes more than about ten seconds."""

    def about(self, design: Design) -> "Proof":
        """The same claim about another design."""
        return replace(self, design=design)

    @property
    def reach(self) -> str:
        """How far the claim is proven, in words."""
        if self.method is Method.INDUCTION:
            return "all cycles, by induction"
        return "all inputs" if self.depth == 1 else f"{self.depth} cycles"
