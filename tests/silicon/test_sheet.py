"""Sheets: intervals hold every combination of their leaves, leaves used twice move as one, nothing is unexplained."""

import numpy as np
import pytest

from waterclock.errors import InputError
from waterclock.silicon.figure import Confidence, Figure, leaf, maximum
from waterclock.silicon.sheet import Sheet, explained, parents


def one(name: str, low: float, typical: float, high: float) -> Figure:
    return leaf(name, "a test's", "", typical, f"source of {name}", Confidence.ASSUMPTION, low, high)


A, B = one("a", 1, 2, 4), one("b", 10, 20, 30)


def named(figure: Figure, name: str = "found") -> Figure:
    return figure.named(name, "", "a test's")


@pytest.mark.parametrize(
    ("figure", "bounds"),
    [
        (A + B, (11, 22, 34)),
        (A - B, (-29, -18, -6)),
        (B / A, (2.5, 10, 30)),
        (A - A, (0, 0, 0)),
        (A / A, (1, 1, 1)),
        (A / (A + B), (1 / 31, 2 / 22, 4 / 14)),
    ],
)
def test_bounds_are_those_of_all_corners(figure: Figure, bounds: tuple[float, float, float]) -> None:
    found = named(figure)
    interval = Sheet([found]).interval(found)
    assert (interval.low, interval.typical, interval.high) == pytest.approx(bounds, rel=1e-12)  # floats


def test_a_swing_is_one_leaf_alone() -> None:
    found = named(B / A)
    first, second = Sheet([found]).swings(found)
    assert (first.leaf, first.at_low, first.at_high) == (A, 20, 5)
    assert (second.leaf, second.at_low, second.at_high) == (B, 5, 15)


def test_samples_lie_in_the_interval() -> None:
    found = named(A * B + 1 / A)
    sheet = Sheet([found])
    rng = np.random.default_rng(0)
    samples = sheet.sampled({name: rng.random(200) for name in ("a", "b")})["found"]
    interval = sheet.interval(found)
    assert samples.min() >= interval.low and samples.max() <= interval.high


def test_why_ends_at_sources_and_opens_nothing_twice() -> None:
    inner = named(A + B, "inner")
    found = named(inner * A)
    lines = [(depth, figure.name, again) for depth, figure, again in Sheet([found]).why("found")]
    assert lines == [(0, "found", False), (1, "inner", False), (2, "a", False), (2, "b", False), (1, "a", True)]
    assert explained(inner) == "= a + b" and explained(A) == "[assumption] source of a"
    assert parents(found) == [inner, A]


def test_two_figures_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two figures"):
        Sheet([named(A + B, "same"), named(A - B, "same")])


def test_a_name_that_is_none_is_refused_with_what_is_near() -> None:
    with pytest.raises(InputError, match="no such figure; did you mean found"):
        _ = Sheet([named(A + B)])["fond"]


def test_a_whole_typical_does_not_round_its_bounds() -> None:
    found = leaf("whole", "a test's", "", 1, "made up", Confidence.ASSUMPTION, 1, 1.3)
    assert Sheet([found]).interval(found).high == 1.3


def test_a_leaf_that_works_both_ways_stands_at_the_end_that_the_others_make_it() -> None:
    """(a + b) / (a + 9) falls with a where b is above 9, which it is not at its low."""
    low, one_more = one("low b", 5, 20, 30), A + 9
    found = named((A + low) / one_more)
    interval = Sheet([found]).interval(found)
    assert (interval.low, interval.high) == pytest.approx((6 / 10, 31 / 10), rel=1e-12)  # floats


def test_a_leaf_that_a_maximum_hides_counts_at_the_ends() -> None:
    """10 to 30 hides 9 to 40 while both are typical."""
    low, high = one("low", 10, 20, 30), one("hidden", 9, 19, 40)
    found = named(1 / maximum(low, high))
    interval = Sheet([found]).interval(found)
    assert (interval.low, interval.typical, interval.high) == (1 / 40, 1 / 20, 1 / 10)


def test_most_draws_of_a_leaf_lie_around_its_typical_value() -> None:
    """A tenth of the draws below 1 * 2^0.2, a tenth above 2 * 2^0.8; tolerance that of 4,096 draws."""
    found = named(A + 0)
    low, high = Sheet([found]).likely(found)
    assert low == pytest.approx(2**0.2, rel=0.02) and high == pytest.approx(2 * 2**0.8, rel=0.02)
    found = named(one("from zero", 0, 1, 1) + 0)
    assert Sheet([found]).likely(found) == pytest.approx((0.2, 1), rel=0.05)


def test_a_leaf_is_drawn_alike_whatever_stands_beside_it_and_draws_err_apart() -> None:
    alone, both, ratio = named(A + 0, "alone"), named(A + B, "both"), named(A / A, "ratio")
    assert Sheet([alone]).likely(alone) == Sheet([both, alone]).likely(alone)
    sheet = Sheet([both, ratio])
    low, high = sheet.likely(both)
    interval = sheet.interval(both)
    assert interval.low < low < interval.typical < high < interval.high
    assert sheet.likely(ratio) == (1, 1)
