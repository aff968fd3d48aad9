"""Yield: how many dies a wafer has, and which share of them works."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import product
from math import comb

from waterclock.silicon.constants import Constants
from waterclock.silicon.fields import WAFER
from waterclock.silicon.figure import PI, Figure, exp, floor, maximum, sqrt, whole


class DefectSet(StrEnum):
    """A published set of defect densities; each goes with its own cluster parameter."""

    ACTUARY = "actuary"
    TTM = "ttm"


class YieldModel(StrEnum):
    """How defects lie: in clusters, or as Murphy took them."""

    NEGATIVE_BINOMIAL = "negative-binomial"
    MURPHY = "murphy"


@dataclass(frozen=True)
class Defects:
    """Defects by area [1/area] and how they cluster (alpha); no figure is without one of the models."""

    density: Figure
    cluster: Figure
    model: YieldModel = YieldModel.NEGATIVE_BINOMIAL

    def survival(self, area: Figure) -> Figure:
        """The share of areas of this size without a defect."""
        mean = area * self.density
        if self.model is YieldModel.MURPHY:
            return ((1 - exp(0 - mean)) / mean) ** 2
        return 1 / (1 + mean / self.cluster) ** self.cluster


def defects(
    constants: Constants, node_nm: int, published: DefectSet, model: YieldModel = YieldModel.NEGATIVE_BINOMIAL
) -> Defects:
    """The defects of a node. InputError where the set has no figure for it."""
    density = constants.at(node_nm, f"yield.defects.{published.value}")
    return Defects(density, constants[f"yield.cluster.{published.value}"], model)


def gross_dies(constants: Constants, width: Figure, height: Figure) -> Figure:
    """Whole dies of this size on a wafer: area of the wafer over that of the die with its scribe, less those that the
    edge cuts: pi (d/2)^2 / A - pi d / sqrt(2 A)."""
    scribe = constants["wafer.scribe"]
    site = ((width + scribe) * (height + scribe)).named("die.site", "mm^2", "a die with its share of the scribe lines")
    usable = constants["wafer.diameter"] - 2 * constants["wafer.edge"]
    usable = usable.named("wafer.usable", "mm", "diameter within which dies are good")
    whole_dies = PI * (usable / 2) ** 2 / site - PI * usable / sqrt(2 * site)
    return maximum(floor(whole_dies), whole(1)).named("wafer.dies", "", "dies on a wafer, good or bad; at least one")


def density_for(reported: Figure, area: Figure, cluster: Figure) -> Figure:
    """The defect density at which this share of dies of this area works (negative binomial)."""
    return cluster * (1 / reported ** (1 / cluster) - 1) / area


@dataclass(frozen=True)
class Spared:
    """Blocks that are alike, each of one area: `needed` of them must work, `spares` more are there."""

    block: Figure
    needed: int
    spares: int


def survival_with_spares(defects: Defects, rest: Figure, spared: Sequence[Spared]) -> Figure:
    """The share of dies whose rest works and which have enough blocks of each kind that work.

    For one density of defects, blocks fail independently: the chance is a sum of powers of the survival of areas, with
    whole coefficients. Over the clusters each power becomes the yield of its whole area, so the sum is exact.
    """
    found: Figure | None = None
    for chosen in product(*(_coefficients(one).items() for one in spared)):
        area, coefficient = rest, 1
        for (num_blocks, times), one in zip(chosen, spared, strict=True):
            area, coefficient = area + num_blocks * one.block, coefficient * times
        term = coefficient * defects.survival(area)
        found = term if found is None else found + term
    return whole(1) if found is None else found


def _coefficients(spared: Spared) -> dict[int, int]:
    """The chance that at most `spares` of all blocks fail as a polynomial in the survival q of one: by power of q."""
    num_blocks = spared.needed + spared.spares
    found: dict[int, int] = {}
    for failed in range(spared.spares + 1):
        for i in range(failed + 1):
            power = num_blocks - failed + i
            found[power] = found.get(power, 0) + comb(num_blocks, failed) * comb(failed, i) * (-1) ** i
    return {power: times for power, times in found.items() if times}


def die_figures(constants: Constants, node_nm: int, area: Figure, width: Figure) -> list[Figure]:
    """Dies on a wafer, and by each published set and model the yield and the dollars of a die that works."""
    gross = gross_dies(constants, width, area / width)
    price = constants.at(node_nm, "wafer.price") * WAFER
    found = [gross]
    for published, model in product(DefectSet, YieldModel):
        name = f"{published.value}.{model.value}"
        survival = defects(constants, node_nm, published, model).survival(area)
        share = survival.named(f"yield.{name}", "percent", "dies that work")
        found += [share, (price / gross / share).named(f"cost.{name}", "usd", "a die that works")]
    return found
