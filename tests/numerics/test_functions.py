"""exp2, reciprocal and rsqrt against float64, at their special values, and the length of their longest chain."""

import inspect

import numpy as np
import pytest

from tests.numerics.traced import traced
from waterclock.numerics import functions
from waterclock.numerics.functions import ACCURACY, CRITICAL_PATH

INF, NAN = np.inf, np.nan
EXACT = {"exp2": np.exp2, "reciprocal": np.reciprocal, "rsqrt": lambda x: 1.0 / np.sqrt(x)}


def numbers(first_word: int, last_word: int, step: int) -> np.ndarray:
    return np.arange(first_word, last_word, step, dtype=np.int32).view(np.float32)


def dense_sweep(name: str) -> np.ndarray:
    """Numbers over the whole range of a function, dense where its error is largest."""
    if name == "exp2":
        positive = np.concatenate([numbers(0x33000000, 0x3F800000, 401), numbers(0x3F800000, 0x42FC0000, 113)])
        return np.concatenate([positive, -positive])
    significands = numbers(0x3F800000, 0x40800000, 29)
    return np.concatenate([significands, numbers(0x00800000, 0x7E800000, 4093)])


@pytest.mark.parametrize("name", EXACT)
def test_error_is_as_stated(name: str) -> None:
    x = dense_sweep(name)
    exact = EXACT[name](x.astype(np.float64))
    error = np.abs(getattr(functions, name)(x) - exact)
    assert len(x) > 500_000
    assert (error / 2.0 ** (np.floor(np.log2(exact)) - 23)).max() <= ACCURACY[name].max_error_ulp
    assert (error / exact).max() <= ACCURACY[name].max_relative_error


@pytest.mark.slow
@pytest.mark.parametrize(("name", "end"), [("reciprocal", 0x40000000), ("rsqrt", 0x40800000)])
def test_error_is_as_stated_for_every_significand(name: str, end: int) -> None:
    for start in range(0x3F800000, end, 1 << 20):
        x = numbers(start, start + (1 << 20), 1)
        exact = EXACT[name](x.astype(np.float64))
        error = np.abs(getattr(functions, name)(x) - exact)
        assert (error / 2.0 ** (np.floor(np.log2(exact)) - 23)).max() <= ACCURACY[name].max_error_ulp


@pytest.mark.parametrize(
    ("name", "x", "result"),
    [
        *[("exp2", x, 1.0) for x in (0.0, -0.0, 1e-40, -1e-40, 1e-30, -1e-30)],
        *[("exp2", x, INF) for x in (INF, 128.0, 3e38)],
        *[("exp2", x, 0.0) for x in (-INF, -126.00001, -149.0, -3e38)],
        ("exp2", -126.0, 2.0**-126),
        ("exp2", 127.0, 2.0**127),
        *[("reciprocal", x, INF) for x in (0.0, 1e-40)],
        *[("reciprocal", x, -INF) for x in (-0.0, -1e-40)],
        *[("reciprocal", x, 0.0) for x in (INF, 1.0000001 * 2.0**126, 3e38)],
        *[("reciprocal", x, -0.0) for x in (-INF, -1.0000001 * 2.0**126, -3e38)],
        ("reciprocal", 2.0**126, 2.0**-126),
        ("reciprocal", -(2.0**-126), -(2.0**126)),
        *[("rsqrt", x, INF) for x in (0.0, 1e-40)],
        *[("rsqrt", x, -INF) for x in (-0.0, -1e-40)],
        ("rsqrt", INF, 0.0),
        *[("rsqrt", x, NAN) for x in (-INF, -1.0, -(2.0**-126))],
        *[(name, NAN, NAN) for name in EXACT],
    ],
)
def test_special_values(name: str, x: float, result: float) -> None:
    actual = getattr(functions, name)(np.float32(x))
    assert actual.view(np.int32) == np.float32(result).view(np.int32)


def test_powers_map_to_powers_exactly() -> None:
    exponents = np.arange(-126, 127)
    powers = np.ldexp(np.float32(1), exponents)
    np.testing.assert_array_equal(functions.exp2(exponents.astype(np.float32)), powers)
    np.testing.assert_array_equal(functions.reciprocal(powers), powers[::-1])
    np.testing.assert_array_equal(functions.rsqrt(powers[::2]), np.ldexp(np.float32(1), -exponents[::2] // 2))


@pytest.mark.parametrize("name", EXACT)
def test_fp32_part_of_the_critical_path(name: str) -> None:
    assert max(depth for _, depth in traced(getattr(functions, name), 1.2345679)) == CRITICAL_PATH[name].num_fp32


@pytest.mark.parametrize("name", EXACT)
def test_only_normal_numbers_meet_inside(name: str) -> None:
    """So that the host's operations are those of `fp32`: numpy would warn of the others."""
    words = np.random.default_rng(0).integers(-(1 << 31), 1 << 31, 1_000_000).astype(np.int32)
    specials = np.array([0, 1, 0x007FFFFF, 0x7F800000, 0x7F800001, 0x7FC00000], np.int32)
    x = np.concatenate([words, specials, specials | np.int32(-(1 << 31))]).view(np.float32)
    with np.errstate(all="raise"):
        inspect.unwrap(getattr(functions, name))(x)
