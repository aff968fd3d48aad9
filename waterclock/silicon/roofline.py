"""Time of a token on an accelerator of the catalog: a roofline with a measured efficiency, not a simulation.

A decode step reads all weights once and the keys and values of each sequence, and multiplies each weight for each
sequence; it takes the longer of both, over an efficiency that was measured with other models. A small model does worse
than that: its step is over before the launches of its kernels are.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from waterclock.errors import InputError
from waterclock.silicon.constants import Constants
from waterclock.silicon.fields import BYTE, OPERATION, TOKEN
from waterclock.silicon.figure import Figure, leaf, maximum
from waterclock.silicon.market import Accelerator, accelerators, first_known
from waterclock.silicon.token_cost import Server

LABEL = "roofline"
OPERATIONS = ("int8_or_fp8_TOPS", "bf16_TFLOPS")
NEEDED = ("mem_GB", "mem_bw_GBps", "tdp_W", "price_usd")
"""Columns that a cost takes, beside one of OPERATIONS."""


@dataclass(frozen=True)
class ModelReads:
    """What a token of a model reads: weights, and cached values of each position."""

    name: str
    num_weights: int
    cached_per_position: int
    num_positions: int


@dataclass(frozen=True, eq=False)
class Roofline:
    """A decode step of `batch` sequences on an accelerator, weights and cache in int8 as on the chip.

    InputError where the catalog lacks what it takes, or the model does not fit in memory.
    """

    accelerator: Accelerator
    reads: ModelReads
    batch: int
    constants: Constants

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise InputError(f"--batch {self.batch}: must be at least 1")
        missing = missing_columns(self.accelerator)
        if missing:
            raise InputError(f"{self.accelerator.name}: undetermined: needs {', '.join(missing)}")
        needed = self.reads.num_weights + self.batch * self._cached_values
        room = self.accelerator["mem_GB"].typical
        if needed > room * 10**9:
            raise InputError(
                f"{self.accelerator.name}: {needed / 1e9:.2f} GB of weights and cache, {room} GB are there"
            )

    @property
    def prefix(self) -> str:
        """Begins the names of its figures."""
        return f"{self.accelerator.slug}.batch{self.batch}"

    @cached_property
    def step(self) -> Figure:
        one = self.accelerator
        operations = first_known(one, OPERATIONS)
        assert operations is not None
        memory = (self._weights + self._sequences * self._cached) * BYTE / one["mem_bw_GBps"]
        arithmetic = 2 * self._sequences * self._weights * OPERATION / operations
        step = maximum(memory, arithmetic) / self.constants["roofline.efficiency"]
        return step.named(f"{self.prefix}.step", "us", "a decode step by roofline, over its efficiency")

    @cached_property
    def rate(self) -> Figure:
        rate = self._sequences * TOKEN / self.step
        return rate.named(f"{self.prefix}.rate", "token/s", "tokens a second by roofline, of all sequences")

    @cached_property
    def server(self) -> Server:
        """Power by its design power; price as published."""
        one, c = self.accelerator, self.constants
        working = (one["tdp_W"] * c["roofline.power"]).named(f"{self.prefix}.working", "W", "while it decodes")
        waiting = (working * c["roofline.idle"]).named(f"{self.prefix}.waiting", "W", "while it waits")
        name = f"{one.name}, {self.batch} sequence{'s' if self.batch > 1 else ''}"
        return Server(self.prefix, name, self.rate, working, waiting, one["price_usd"])

    def rented(self, utilisation: Figure) -> Figure | None:
        """Dollars for tokens where it is rented for three years; None where no rent is published."""
        if not self.accelerator.known("rent_usd_per_hr_3yr"):
            return None
        cost = self.accelerator["rent_usd_per_hr_3yr"] / (self.rate * utilisation)
        return cost.named(f"{self.prefix}.rented", "usd/Mtoken", "a million tokens where it is rented, all included")

    @property
    def _cached_values(self) -> int:
        return self.reads.cached_per_position * self.reads.num_positions

    @cached_property
    def _weights(self) -> Figure:
        return self._leaf("weights", self.reads.num_weights, "weights that a token is multiplied with")

    @cached_property
    def _cached(self) -> Figure:
        return self._leaf("cached", self._cached_values, "keys and values of a sequence")

    @cached_property
    def _sequences(self) -> Figure:
        return leaf(f"{self.prefix}.sequences", "sequences of a step", "", self.batch, "option --batch")

    def _leaf(self, name: str, value: int, meaning: str) -> Figure:
        return leaf(f"{self.prefix}.{name}", meaning, "", value, f"{self.reads.name}: its dimensions")


def missing_columns(one: Accelerator) -> list[str]:
    """What the catalog lacks for the cost of a token."""
    missing = [column for column in NEEDED if not one.known(column)]
    return missing if first_known(one, OPERATIONS) else [*missing, OPERATIONS[0]]


def comparable() -> Iterable[Accelerator]:
    """All of the catalog whose cost of a token can be told."""
    return [one for one in accelerators().values() if not missing_columns(one)]
