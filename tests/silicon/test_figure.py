"""Figures: units are checked when a formula is built, and what is shown is what is computed."""

import pytest

from waterclock.errors import InputError
from waterclock.silicon.figure import Confidence, Figure, ceil, exp, floor, leaf, maximum, minimum, shown, sqrt, total
from waterclock.silicon.sheet import Sheet
from waterclock.silicon.units import unit


def one(name: str, unit_text: str, typical: float, low: float | None = None, high: float | None = None) -> Figure:
    return leaf(name, "a test's", unit_text, typical, "made up", Confidence.ASSUMPTION, low, high)


AREA, EDGE, COUNT, BITS = one("area", "mm^2", 400), one("edge", "mm", 10), one("count", "", 3), one("bits", "bit", 8)


@pytest.mark.parametrize("text", ["usd/wafer", "mm^2", "", "Mbit/mm^2", "pJ", "usd/Mtoken", "1/cm^2", "usd/(kW*hour)"])
def test_a_unit_is_what_it_says(text: str) -> None:
    assert unit(text).text == text and unit(text).factor > 0


@pytest.mark.parametrize("text", ["furlong", "3 mm", "mm^", "1e400", "__import__('os')"])
def test_what_is_no_unit_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no unit"):
        unit(text)


def test_prefixes_and_bytes_are_exact() -> None:
    assert unit("GB/s").factor == 8e9 and unit("um^2").factor == 1e-12 and unit("percent").factor == 0.01


@pytest.mark.parametrize(
    "build",
    [
        lambda: AREA + EDGE,
        lambda: AREA - BITS,
        lambda: AREA + 1,
        lambda: maximum(AREA, BITS),
        lambda: exp(EDGE),
        lambda: floor(AREA),
        lambda: EDGE**COUNT,
        lambda: COUNT**EDGE,
        lambda: AREA.named("x", "usd", "wrong"),
        lambda: one("order", "", 1, low=2),
    ],
)
def test_what_does_not_fit_never_comes_to_be(build) -> None:
    with pytest.raises(ValueError, match=r"fit|exponent|never|order"):
        build()


def test_dollars_a_wafer_are_no_dollars_a_die() -> None:
    with pytest.raises(ValueError, match="fit"):
        _ = one("a", "usd/wafer", 1) + one("b", "usd/die", 1)


@pytest.mark.parametrize(
    ("figure", "text", "value"),
    [
        (AREA / EDGE + EDGE, "area / edge + edge", 50),
        (AREA / (EDGE + EDGE), "area / (edge + edge)", 20),
        (AREA - (AREA - EDGE * EDGE), "area - (area - edge * edge)", 100),
        (1 - COUNT, "1 - count", -2),
        (2 * EDGE**2, "2 * edge^2", 200),
        (1 / (1 + COUNT) ** 2, "1 / (1 + count)^2", 1 / 16),
        (sqrt(AREA), "sqrt(area)", 20),
        (floor(COUNT / 2) + ceil(COUNT / 2), "floor(count / 2) + ceil(count / 2)", 3),
        (minimum(EDGE, 2 * EDGE), "min(edge, 2 * edge)", 10),
        (total([AREA, AREA]), "area + area", 800),
    ],
)
def test_a_formula_is_written_as_it_is_computed(figure: Figure, text: str, value: float) -> None:
    chosen = next(text for text in ("mm^2", "mm", "") if unit(text).dimension == figure.unit.dimension)
    named = figure.named("found", chosen, "found")
    assert shown(named) == text
    assert Sheet([named]).interval(named).typical == pytest.approx(value, rel=1e-12)  # floats in base units


def test_only_leaves_know_their_number() -> None:
    assert AREA.typical == 400
    with pytest.raises(ValueError, match="no leaf"):
        _ = (AREA + AREA).typical
