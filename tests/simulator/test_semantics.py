"""The value functions: one for every instruction that issues, each against an independent computation of its values."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from waterclock.isa.table import CONTROL, INSTRUCTIONS, Area, Form
from waterclock.simulator.semantics import ELEMENTWISE, SEMANTICS, Type, byte_planes, lane_xor

LANES = 64
NUM_DRAWS = 5
PAYLOAD_NAN = np.int32(0x7F812345)


def random_words(rng: np.random.Generator, count: int = LANES) -> np.ndarray:
    """Any bits, among them some NaN payloads, zeros and small integers."""
    words = rng.integers(-(2**31), 2**31, count).astype(np.int32)
    words[::8] = rng.integers(-70, 70, len(words[::8]))
    words[1] = PAYLOAD_NAN
    return words


def random_numbers(rng: np.random.Generator) -> np.ndarray:
    """fp32 numbers of ordinary size as words; every fourth is halfway between two integers."""
    numbers = rng.normal(0, 60, LANES).astype(np.float32)
    numbers[::4] = np.floor(numbers[::4]) + np.float32(0.5)
    return numbers.view(np.int32)


def fp32(words: np.ndarray) -> np.ndarray:
    return words.view(np.float32)


def as_unsigned(words: np.ndarray) -> list[int]:
    return [int(word) % 2**32 for word in words]


def to_words(values: list[int]) -> np.ndarray:
    return np.array([value % 2**32 for value in values], np.uint32).view(np.int32)


def test_every_instruction_that_issues_has_a_value_function() -> None:
    assert set(SEMANTICS) == set(INSTRUCTIONS) - CONTROL


def test_the_elementwise_rows_are_those_of_the_vxm_with_operands_alone() -> None:
    numberless = {
        mnemonic
        for mnemonic, row in INSTRUCTIONS.items()
        if row.area is Area.VXM and row.sources and not row.field("mask") and not row.field("segment")
    }
    assert set(ELEMENTWISE) == numberless
    for mnemonic, row in ELEMENTWISE.items():
        assert len(row.operands) == len(INSTRUCTIONS[mnemonic].sources)
        assert not [operand for operand in INSTRUCTIONS[mnemonic].operands if operand.form is Form.ADDRESS]


@pytest.mark.parametrize("mnemonic", sorted(ELEMENTWISE))
def test_an_elementwise_row_takes_and_gives_words_and_treats_lanes_alike(mnemonic: str) -> None:
    rng = np.random.default_rng(1)
    row = ELEMENTWISE[mnemonic]
    operands = [random_words(rng) for _ in row.operands]
    before = [operand.copy() for operand in operands]
    result = row(*operands)
    assert result.dtype == np.int32 and result.shape == (LANES,)
    assert all(np.array_equal(operand, copy) for operand, copy in zip(operands, before, strict=True))
    order = rng.permutation(LANES)
    assert np.array_equal(row(*[operand[order] for operand in operands]), result[order])


# Functions of fp32 numbers of ordinary size, whose results numpy rounds as IEEE 754 says.
NUMBERS: Mapping[str, Callable[..., Any]] = {
    "vxm.add": lambda a, b: a + b,
    "vxm.sub": lambda a, b: a - b,
    "vxm.mul": lambda a, b: a * b,
    "vxm.max": np.maximum,
    "vxm.min": np.minimum,
    "vxm.abs": np.abs,
    "vxm.compare_lt": lambda a, b: -(a < b).astype(np.int32),
    "vxm.compare_le": lambda a, b: -(a <= b).astype(np.int32),
    "vxm.compare_eq": lambda a, b: -(a == b).astype(np.int32),
    "vxm.to_int8": lambda a: np.clip(np.rint(a), -128, 127).astype(np.int32),
    "vxm.to_uint8": lambda a: np.clip(np.rint(a), 0, 255).astype(np.int32),
    "vxm.to_int32": lambda a: np.rint(a).astype(np.int32),
}

# Functions of Python integers, one lane at a time, taken modulo 2^32.
BITS: Mapping[str, Callable[..., int]] = {
    "vxm.move": lambda a: a,
    "vxm.select": lambda a, b, c: b if a else c,
    "vxm.iadd": lambda a, b: a + b,
    "vxm.and": lambda a, b: a & b,
    "vxm.or": lambda a, b: a | b,
    "vxm.xor": lambda a, b: a ^ b,
    "vxm.shl": lambda a, b: a << (b & 31),
    "vxm.shr": lambda a, b: a >> (b & 31),
    "vxm.sar": lambda a, b: (a - (a >> 31 << 32)) >> (b & 31),
    "vxm.widen8": lambda a: (a & 255) - (a >> 7 & 1) * 256,
}

# Functions that approximate, and the domain in which they are compared here.
APPROXIMATIONS: Mapping[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "vxm.exp2": (np.exp2, lambda a: np.clip(a, -100, 100)),
    "vxm.reciprocal": (lambda a: 1 / a, lambda a: a + np.float32(0.25)),
    "vxm.rsqrt": (lambda a: 1 / np.sqrt(a), lambda a: np.abs(a) + np.float32(0.25)),
}
RELATIVE_ERROR = 2.0**-12  # coarse: enough to tell the functions apart


def test_every_elementwise_row_is_compared_with_something() -> None:
    assert set(ELEMENTWISE) == {*NUMBERS, *BITS, *APPROXIMATIONS, "vxm.to_fp32"}


@pytest.mark.parametrize("mnemonic", NUMBERS)
@pytest.mark.parametrize("seed", range(NUM_DRAWS))
def test_fp32_rows_equal_numpy_on_ordinary_numbers(mnemonic: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    operands = [random_numbers(rng) for _ in ELEMENTWISE[mnemonic].operands]
    operands[-1][:5] = operands[0][:5]
    expected = NUMBERS[mnemonic](*map(fp32, operands))
    assert np.array_equal(ELEMENTWISE[mnemonic](*operands), expected.view(np.int32))


@pytest.mark.parametrize("mnemonic", BITS)
@pytest.mark.parametrize("seed", range(NUM_DRAWS))
def test_raw_rows_equal_python_integers_on_any_bits(mnemonic: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    operands = [random_words(rng) for _ in ELEMENTWISE[mnemonic].operands]
    expected = to_words([BITS[mnemonic](*lanes) for lanes in zip(*map(as_unsigned, operands), strict=True)])
    assert np.array_equal(ELEMENTWISE[mnemonic](*operands), expected)


@pytest.mark.parametrize("mnemonic", APPROXIMATIONS)
def test_special_functions_are_close_to_numpys(mnemonic: str) -> None:
    """Their bits are defined by `numerics` and tested there; this is that the right one is behind each mnemonic."""
    reference, domain = APPROXIMATIONS[mnemonic]
    a = domain(fp32(random_numbers(np.random.default_rng(0))))
    result = fp32(ELEMENTWISE[mnemonic](a.view(np.int32)))
    np.testing.assert_allclose(result, reference(a.astype(np.float64)), rtol=RELATIVE_ERROR)


def test_to_fp32_rounds_to_nearest_even() -> None:
    a = random_words(np.random.default_rng(0))
    assert np.array_equal(fp32(ELEMENTWISE["vxm.to_fp32"](a)), a.astype(np.float32))


@pytest.mark.parametrize("mnemonic", [m for m, row in ELEMENTWISE.items() if row.result is Type.FP32])
def test_fp32_results_that_are_nan_are_canonical(mnemonic: str) -> None:
    row = ELEMENTWISE[mnemonic]
    result = row(*[np.full(LANES, PAYLOAD_NAN)] * len(row.operands))
    if row.operands[0] is Type.FP32:
        assert set(as_unsigned(result)) == {0x7FC00000}
    else:
        assert not np.isnan(fp32(result)).any()


@pytest.mark.parametrize("mask", [1, 2, 8, 32])
def test_butterfly_adds_below_and_subtracts_above(mask: int) -> None:
    a = random_numbers(np.random.default_rng(mask))
    x = fp32(a)
    expected = [x[i ^ mask] - x[i] if i & mask else x[i] + x[i ^ mask] for i in range(LANES)]
    assert np.array_equal(SEMANTICS["vxm.butterfly"](a, mask), np.array(expected, np.float32).view(np.int32))


@pytest.mark.parametrize("mnemonic", ["vxm.reduce_add", "vxm.reduce_max"])
@pytest.mark.parametrize("segment", [1, 2, 16, LANES])
def test_reductions_are_halving_trees_over_segments(mnemonic: str, segment: int) -> None:
    a = random_numbers(np.random.default_rng(segment))
    combine = {"vxm.reduce_add": np.add, "vxm.reduce_max": np.maximum}[mnemonic]
    x, k = fp32(a), segment // 2
    while k:
        x = np.array([combine(x[i], x[i ^ k]) for i in range(LANES)], np.float32)
        k //= 2
    result = SEMANTICS[mnemonic](a, segment)
    assert np.array_equal(result, x.view(np.int32))
    assert all(len(set(piece)) == 1 for piece in result.reshape(-1, segment).tolist())


def test_lane_index_and_lane_xor() -> None:
    index = SEMANTICS["vxm.lane_index"](LANES)
    assert index.dtype == np.int32 and index.tolist() == list(range(LANES))
    assert lane_xor(index, 16).tolist() == [i ^ 16 for i in range(LANES)]


@pytest.mark.parametrize("amount", [0, 1, 63, 64, 129, -1, -200])
def test_rotate_takes_its_amount_modulo_the_lanes(amount: int) -> None:
    a = random_words(np.random.default_rng(0))
    assert SEMANTICS["sxm.rotate"](a, amount).tolist() == [int(a[(i + amount) % LANES]) for i in range(LANES)]


@pytest.mark.parametrize("lane", [0, 63, 64, -1])
def test_broadcast_takes_its_lane_modulo_the_lanes(lane: int) -> None:
    a = random_words(np.random.default_rng(0))
    assert SEMANTICS["sxm.broadcast"](a, lane).tolist() == [int(a[lane % LANES])] * LANES


@pytest.mark.parametrize("amount", [-(2**31), -1, 0, 5, 64, 1000])
def test_mask_does_not_take_its_amount_modulo_the_lanes(amount: int) -> None:
    a = random_words(np.random.default_rng(0))
    assert SEMANTICS["sxm.mask"](a, amount).tolist() == [int(a[i]) if i < amount else 0 for i in range(LANES)]


def test_permute_gives_zero_where_the_index_is_no_lane() -> None:
    rng = np.random.default_rng(0)
    a, b = random_words(rng), rng.integers(-20, LANES + 20, LANES).astype(np.int32)
    b[:3] = -(2**31), -1, LANES
    assert SEMANTICS["sxm.permute"](a, b).tolist() == [int(a[i]) if 0 <= i < LANES else 0 for i in b.tolist()]


def test_transpose_swaps_byte_and_lane_in_blocks_of_four() -> None:
    a = random_words(np.random.default_rng(0))
    result = SEMANTICS["sxm.transpose"](a)
    source, target = as_unsigned(a), as_unsigned(result)
    for block in range(0, LANES, 4):
        for lane in range(4):
            for byte in range(4):
                assert target[block + lane] >> 8 * byte & 255 == source[block + byte] >> 8 * lane & 255
    assert np.array_equal(SEMANTICS["sxm.transpose"](result), a)


@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("mnemonic", ["mxm.matvec", "mxm.matvec_t"])
def test_matrix_products_are_exact_modulo_2_to_the_32(mnemonic: str, unsigned: bool) -> None:
    rng = np.random.default_rng(0)
    tile = rng.integers(-128, 128, (LANES, LANES)).astype(np.int8)
    a = rng.integers(0, 256, LANES).astype(np.uint8)
    tile[0], a[0] = -128, 255
    acc = random_words(rng)
    acc[0] = 2**31 - 1
    rows = (tile if mnemonic == "mxm.matvec" else tile.T).tolist()
    x = [value if unsigned or value < 128 else value - 256 for value in a.tolist()]
    products = [sum(w * v for w, v in zip(row, x, strict=True)) for row in rows]
    expected = to_words([int(before) + product for before, product in zip(acc, products, strict=True)])
    assert np.array_equal(SEMANTICS[mnemonic](tile, a, acc, unsigned), expected)


def test_rows_of_a_tile_are_written_and_read_as_bytes() -> None:
    rng = np.random.default_rng(0)
    tile = rng.integers(-128, 128, (LANES, LANES)).astype(np.int8)
    before, a = tile.copy(), rng.integers(0, 256, LANES).astype(np.uint8)
    SEMANTICS["mxm.write_row"](tile, a, 5)
    assert np.array_equal(SEMANTICS["mxm.read_row"](tile, 5), a)
    assert tile[5].tolist() == [value if value < 128 else value - 256 for value in a.tolist()]
    assert np.array_equal(np.delete(tile, 5, 0), np.delete(before, 5, 0))


def test_words_bytes_and_lanes_of_a_memory() -> None:
    rng = np.random.default_rng(0)
    words = random_words(rng, 4 * LANES).reshape(4, LANES)
    a, plane = random_words(rng), rng.integers(0, 256, LANES).astype(np.uint8)
    expected = words.copy()
    SEMANTICS["mem.write32"](words, a, 2)
    expected[2] = a
    assert np.array_equal(words, expected) and np.array_equal(SEMANTICS["mem.read32"](words, 2), a)
    SEMANTICS["mem.write8"](words, plane, 4 * 1 + 3)
    expected[1] = to_words(
        [word & 0xFFFFFF | int(byte) << 24 for word, byte in zip(as_unsigned(expected[1]), plane, strict=True)]
    )
    assert np.array_equal(words, expected) and np.array_equal(SEMANTICS["mem.read8"](words, 4 * 1 + 3), plane)
    SEMANTICS["mem.write_lane"](words, a, 3, 17)
    expected[3, 17] = a[17]
    assert np.array_equal(words, expected)


def test_what_is_read_does_not_change_with_the_memory() -> None:
    words = np.zeros((2, LANES), np.int32)
    word, plane = SEMANTICS["mem.read32"](words, 1), SEMANTICS["mem.read8"](words, 4)
    words[1] = -1
    assert not word.any() and not plane.any()


def test_set_param_takes_lane_0() -> None:
    assert SEMANTICS["icu.set_param"](np.array([-7, 1, 2, 3], np.int32)) == -7


def test_byte_planes_are_a_view_lowest_byte_first() -> None:
    words = np.array([0x04030201, -1], np.int32)
    assert byte_planes(words).tolist() == [[1, 2, 3, 4], [255] * 4]
    byte_planes(words)[1, 0] = 0
    assert words[1] == -256
