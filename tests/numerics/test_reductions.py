"""Reductions, butterflies and Hadamard transforms against their definitions, element by element."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numba import njit

from tests.numerics.soft import add, maximum, sub
from tests.numerics.vectors import SIGNED_EDGES, unary_words
from waterclock.errors import InputError
from waterclock.numerics import fp32, reductions

NEGATIVE_ZERO, NEGATIVE_INFINITY = 0x80000000, 0xFF800000
REDUCTIONS = [
    pytest.param(reductions.reduce_add, fp32.add, add, NEGATIVE_ZERO, id="add"),
    pytest.param(reductions.reduce_max, fp32.maximum, maximum, NEGATIVE_INFINITY, id="max"),
]
IN_PLACE = [
    pytest.param(reductions.reduce_lanes_add, fp32.add, id="add"),
    pytest.param(reductions.reduce_lanes_max, fp32.maximum, id="max"),
]


def batches(num_rows: int, length: int) -> np.ndarray:
    """Rows of edges, of ordinary numbers and of anything."""
    random = np.random.default_rng(length)
    rows = random.choice(np.concatenate([SIGNED_EDGES, unary_words()]), (num_rows, length))
    rows[::2] = random.normal(size=(len(rows[::2]), length)).astype(np.float32).view(np.int32)
    return rows.view(np.float32)


def tree(combine: Callable[[int, int], int], words: list[int], padding: int) -> list[int]:
    """The halving tree of the design in every element, on SoftFloat words."""
    size = 1 << (len(words) - 1).bit_length()
    words = words + [padding] * (size - len(words))
    k = size // 2
    while k:
        words = [combine(words[i], words[i ^ k]) for i in range(size)]
        k //= 2
    return words


@pytest.mark.parametrize(("reduce", "combine", "soft", "padding"), REDUCTIONS)
@pytest.mark.parametrize("length", [1, 2, 3, 7, 8, 45, 64, 100])
def test_reduction_is_the_halving_tree(reduce: Any, combine: Any, soft: Any, padding: int, length: int) -> None:
    x = batches(24, length)
    expected = [set(tree(soft, row, padding)) for row in x.view(np.uint32).tolist()]
    assert [{word} for word in reduce(x).view(np.uint32)[:, 0].tolist()] == expected


@pytest.mark.parametrize(("reduce", "value"), [(reductions.reduce_add, -0.0), (reductions.reduce_max, -np.inf)])
def test_padding_changes_nothing(reduce: Any, value: float) -> None:
    result = reduce(np.full((2, 5), value, dtype=np.float32))
    np.testing.assert_array_equal(result.view(np.int32), np.full((2, 1), value, dtype=np.float32).view(np.int32))


@pytest.mark.parametrize(("reduce", "combine", "soft", "padding"), REDUCTIONS)
@pytest.mark.parametrize("lanes", [1, 4, 8, 64])
def test_bits_do_not_depend_on_the_lanes(reduce: Any, combine: Any, soft: Any, padding: int, lanes: int) -> None:
    """A machine reduces across vectors first, then lanes."""
    x = batches(20, 576)
    filler = np.array(padding, dtype=np.uint32).view(np.float32)
    vectors = np.concatenate([x, np.full((20, 1024 - 576), filler)], axis=1).reshape(20, -1, lanes)
    while vectors.shape[1] > 1:
        half = vectors.shape[1] // 2
        vectors = combine(vectors[:, :half], vectors[:, half:])
    result = reductions.reduce_lanes(combine, vectors[:, 0], lanes)
    np.testing.assert_array_equal(result.view(np.int32), np.broadcast_to(reduce(x).view(np.int32), result.shape))


@pytest.mark.parametrize(("in_place", "combine"), IN_PLACE)
@pytest.mark.parametrize("segment", [1, 2, 8, 32])
def test_lanes_in_place_compiled_and_interpreted(in_place: Any, combine: Any, segment: int) -> None:
    @njit
    def run(rows: Any) -> None:
        for row in rows:
            in_place(row, segment)

    x = batches(50, 32)
    compiled, interpreted = x.copy(), x.copy()
    run(compiled)
    for row in interpreted:
        in_place(row, segment)
    expected = reductions.reduce_lanes(combine, x, segment).view(np.int32)
    np.testing.assert_array_equal(compiled.view(np.int32), expected)
    np.testing.assert_array_equal(interpreted.view(np.int32), expected)


@pytest.mark.parametrize("mask", [1, 2, 8, 16])
def test_butterfly_element_by_element(mask: int) -> None:
    x = batches(30, 32)
    expected = [
        [sub(row[i ^ mask], row[i]) if i & mask else add(row[i], row[i ^ mask]) for i in range(32)]
        for row in x.view(np.uint32).tolist()
    ]
    np.testing.assert_array_equal(reductions.butterfly(x, mask).view(np.uint32), expected)


@pytest.mark.parametrize(("block", "length"), [(1, 3), (2, 6), (64, 576), (512, 1536)])
def test_hadamard_equals_the_matrix_on_integers(block: int, length: int) -> None:
    """Small integers add exactly, so the order does not matter."""
    x = np.random.default_rng(block).integers(-1000, 1000, (4, length))
    index = np.arange(block)
    matrix = 1 - 2 * (np.bitwise_count(index[:, np.newaxis] & index).astype(np.int64) % 2)
    expected = (x.reshape(4, -1, block) @ matrix).reshape(4, length)
    np.testing.assert_array_equal(reductions.hadamard(x.astype(np.float32), block), expected)


def test_hadamard_goes_from_the_largest_stride_down() -> None:
    x = batches(10, 64)
    expected = x
    for stride in (8, 4, 2, 1):
        expected = reductions.butterfly(expected, stride)
    np.testing.assert_array_equal(reductions.hadamard(x, 16).view(np.int32), expected.view(np.int32))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: reductions.hadamard(x, 3),
        lambda x: reductions.hadamard(x, 8),
        lambda x: reductions.butterfly(x, 0),
        lambda x: reductions.butterfly(x, 8),
        lambda x: reductions.reduce_lanes(fp32.add, x, 8),
        lambda x: reductions.reduce_add(x[:0]),
    ],
)
def test_sizes_that_do_not_fit_are_refused(call: Callable[[np.ndarray], Any]) -> None:
    with pytest.raises(InputError):
        call(np.ones(12, dtype=np.float32))
