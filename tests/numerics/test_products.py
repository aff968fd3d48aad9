"""The 8-bit matrix product: every pair of factors, the wrap at 2^32, and the fast form against the slow one."""

import numpy as np
import pytest

from waterclock.numerics.products import matmul, matvec

ALL_INT8 = np.arange(-128, 128, dtype=np.int8)
ALL_UINT8 = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize("left", [ALL_INT8, ALL_UINT8], ids=["int8", "uint8"])
def test_every_pair_of_factors(left: np.ndarray) -> None:
    expected = [[int(a) * int(b) for b in ALL_INT8] for a in left]
    product = matmul(left[:, np.newaxis], ALL_INT8[np.newaxis])
    assert product.dtype == np.int32
    np.testing.assert_array_equal(product, expected)
    columns = [matvec(ALL_INT8[:, np.newaxis], left[i : i + 1]) for i in range(256)]
    np.testing.assert_array_equal(columns, expected)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_fast_product_equals_the_definition(dtype: type) -> None:
    random = np.random.default_rng(5)
    limits = np.iinfo(dtype)
    x = random.integers(limits.min, limits.max + 1, (3, 5, 129)).astype(dtype)
    tile = random.integers(-128, 128, (70, 129)).astype(np.int8)
    expected = np.array([[matvec(tile, row) for row in block] for block in x])
    np.testing.assert_array_equal(matmul(x, tile.T), expected)
    np.testing.assert_array_equal(matmul(x.astype(np.int32), tile.T.astype(np.int32)), expected)


def test_sum_wraps_modulo_2_to_the_32() -> None:
    tile, x = np.full((2, 140_000), -128, dtype=np.int8), np.full(140_000, 255, dtype=np.uint8)
    expected = (140_000 * 255 * -128 + 2**31) % 2**32 - 2**31
    assert 140_000 * 255 * 128 > 2**32
    np.testing.assert_array_equal(matmul(tile, x), [expected, expected])
    np.testing.assert_array_equal(matvec(tile, x), [expected, expected])
