"""What the builder builds is what numerics defines, in the same order, whatever the lanes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.compiler.interpreter import interpret
from waterclock.compiler.builder import Builder, bits_of
from waterclock.compiler.layout import plain
from waterclock.compiler.tileops import Vector
from waterclock.numerics import reductions

LANES = st.sampled_from([2, 4, 8, 16])
SEEDS = st.integers(0, 2**32 - 1)


def numbers(size: int, seed: int) -> np.ndarray:
    """Numbers of very different sizes, so that the order of their sum shows in the bits."""
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(size) * 2.0 ** rng.integers(-20, 20, size)).astype(np.float32)


def vectors_of(build: Builder, x: np.ndarray, padding: float) -> dict[Vector, np.ndarray]:
    """The values of the vectors that x is cut into."""
    elements = plain(len(x), build.lanes).elements
    padded = np.where(elements >= 0, x[elements], np.float32(padding)).astype(np.float32)
    return {build.vector(): row.view(np.int32) for row in padded}


@given(lanes=LANES, size=st.integers(1, 70), seed=SEEDS)
@pytest.mark.parametrize("name", ["add", "max"])
def test_reductions_are_the_halving_tree_of_numerics(name: str, lanes: int, size: int, seed: int) -> None:
    build, x = Builder(lanes), numbers(size, seed)
    padding = {"add": reductions.ADD_PADDING, "max": reductions.MAX_PADDING}[name]
    values = vectors_of(build, x, padding)
    result = getattr(build, f"reduce_{name}")(list(values))
    expected = getattr(reductions, f"reduce_{name}")(x)
    assert (interpret(build.operations, values)[result] == expected.view(np.int32)).all()


@given(lanes=LANES, log2_block=st.integers(0, 6), count=st.integers(1, 5), seed=SEEDS)
def test_hadamard_takes_the_stages_of_numerics(lanes: int, log2_block: int, count: int, seed: int) -> None:
    build, block = Builder(lanes), 1 << log2_block
    x = numbers(count * block, seed)
    values = vectors_of(build, x, 0.0)
    results = build.hadamard(list(values), block)
    known = {**interpret(build.operations, values)}
    got = np.concatenate([known[vector] for vector in results])[: len(x)]
    assert (got == reductions.hadamard(x, block).view(np.int32)).all()


def test_the_tree_skips_what_is_missing() -> None:
    """Of seven, the first four take three; the fourth waits for a half of its own."""
    build = Builder(2)
    names = build.tree(lambda a, b: f"({a}+{b})", list("abcdefg"))
    assert names == "(((a+e)+(c+g))+((b+f)+d))"


def test_immediates_are_fp32_bits() -> None:
    assert bits_of(1.0) == 0x3F800000
    assert bits_of(-0.0) == -(1 << 31)
    assert bits_of(0.1) == int(np.float32(0.1).view(np.int32))
