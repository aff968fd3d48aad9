"""Softmax: its bits are those of plain scalar arithmetic, its values those of 40 digits."""

import math
from decimal import Context, Decimal

import numpy as np
import pytest

from waterclock.runtime import softmax

CONTEXT = Context(prec=40)
DRAWN = np.random.default_rng(3)
SPREAD = -(DRAWN.random(2000) ** 3) * 740
EXACT = np.array([0.0, -0.0, -1e-300, -1.0, -math.log(2) / 2, -708.0, -745.13, -745.14, -750.0, -1e300, -math.inf])


def scalar_exp(x: float) -> float:
    """The same sequence of operations on Python's own floats, which IEEE 754 defines."""
    x = max(x, -750.0)
    power = round(x * 1.4426950408889634)
    rest = (x - power * float.fromhex("0x1.62e42feep-1")) - power * float.fromhex("0x1.a39ef35793c76p-33")
    value = 0.0
    for degree in range(13, -1, -1):
        value = value * rest + 1 / math.factorial(degree)
    return math.ldexp(value, power)


@pytest.mark.parametrize("values", [SPREAD, EXACT], ids=["spread", "exact"])
def test_exp_has_the_bits_of_scalar_arithmetic(values: np.ndarray) -> None:
    np.testing.assert_array_equal(softmax.exp(values), [scalar_exp(float(x)) for x in values])


def test_exp_is_right_within_2_units_in_the_last_place() -> None:
    for x, y in zip(SPREAD, softmax.exp(SPREAD), strict=True):
        true = Decimal(float(x)).exp(CONTEXT)
        assert abs(Decimal(float(y)) - true) <= 2 * Decimal(math.ulp(float(true)))


def test_the_ends_of_exp() -> None:
    assert softmax.exp(np.array([0.0, -750.0, -1e300, -math.inf])).tolist() == [1.0, 0.0, 0.0, 0.0]


def test_log_is_rounded_correctly() -> None:
    for x in DRAWN.random(100) * 50_000 + 1:
        assert softmax.log(float(x)) == float(Decimal(float(x)).ln(Context(prec=60)))


def test_a_running_sum_is_taken_from_left_to_right() -> None:
    values, total = DRAWN.random(5000), 0.0
    for value, end in zip(values, softmax.running_sum(values), strict=True):
        total += float(value)
        assert end == total


def test_log_softmax_is_the_logarithm_of_a_distribution() -> None:
    logits = np.append(DRAWN.standard_normal(300) * 8, -np.inf)
    weights = [Decimal(float(x)).exp(CONTEXT) for x in logits[:-1]]
    true = [float((w / sum(weights)).ln(CONTEXT)) for w in weights]
    # 300 sums of positive numbers and two differences of values below 64: 2^-53 times about 400
    np.testing.assert_allclose(softmax.log_softmax(logits)[:-1], true, rtol=0, atol=5e-14)
    assert softmax.log_softmax(logits)[-1] == -np.inf
