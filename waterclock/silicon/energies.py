"""The constants of `energy.toml` as figures, so that they move with all others and `--why` ends at their sources."""

from functools import cache

from waterclock.silicon.energy import AJ_PER_PJ, Bound, Constant, load_energy_constants
from waterclock.silicon.figure import Confidence, Figure, leaf


def energy_figure(constant: Constant) -> Figure:
    """A constant as a figure, in picojoules; the same one each time."""
    return _figure(constant.name, (constant.low, constant.typical, constant.high), constant.meaning)


def named_energy(name: str) -> Figure:
    return energy_figure(load_energy_constants().by_name[name])


def sram_bit(capacity_bytes: int) -> Figure:
    """A bit read from or written to an SRAM of this capacity."""
    return energy_figure(load_energy_constants().sram_bit(capacity_bytes))


@cache
def _figure(name: str, bounds: tuple[Bound, Bound, Bound], meaning: str) -> Figure:
    low, typical, high = (bound.aj / AJ_PER_PJ for bound in bounds)
    sources = dict.fromkeys(f"{bound.source} ({bound.node_nm} nm)" for bound in bounds)
    return leaf(f"energy.{name}", meaning, "pJ", typical, "; ".join(sources), Confidence.SOURCED, low, high)
