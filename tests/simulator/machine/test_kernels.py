"""Every kernel of the virtual machine against the value function of its mnemonic."""

from typing import Any

import numpy as np
import pytest

from tests.programs import SPECIAL_WORDS
from waterclock.isa.table import CONTROL, INSTRUCTIONS, Width
from waterclock.simulator.machine.columns import TERM_COLUMNS
from waterclock.simulator.machine.kernels import KERNELS, NUMBER_BY_KERNEL, PREPARATIONS
from waterclock.simulator.machine.kernels.barrier import APART
from waterclock.simulator.machine.kernels.chains import (
    COLUMNS,
    EXCESS,
    PARTS,
    ROWS,
    TOKENS,
    chain_of_token,
    chain_of_tokens,
)
from waterclock.simulator.machine.kernels.compiled import compiled
from waterclock.simulator.machine.kernels.memory import Memory
from waterclock.simulator.machine.kernels.products import ACC_SHIFT, EMIT, FIRST, LINK_COLUMNS, SRAM, UNSIGNED
from waterclock.simulator.machine.ops import COLUMNS as OP_COLUMNS
from waterclock.simulator.machine.run import loop
from waterclock.simulator.semantics import ELEMENTWISE, SEMANTICS, lane_xor

LANES = (2, 4, 8, 16, 64, 128)
NUM_ROWS, NUM_WORDS, NUM_TILES, NUM_ACCUMULATORS = 8, 6, 3, 5
RESULT, A, B, C = 7, 2, 3, 4
NUM_SLOTS = 2
LONGEST_CHAIN = 5
NO_TERMS = np.full((1, len(TERM_COLUMNS)), -1, np.int32)


def memory(lanes: int, seed: int, num_tokens: int = 1) -> Memory:
    rng = np.random.default_rng(seed)
    values = rng.integers(-(1 << 31), 1 << 31, (NUM_ROWS, num_tokens * lanes)).astype(np.int32)
    ordinary = rng.normal(0, 90, values.shape).astype(np.float32).view(np.int32)
    pick = rng.choice(3, values.shape, p=[0.6, 0.2, 0.2])
    values = np.choose(pick, [ordinary, values, rng.choice(SPECIAL_WORDS, values.shape)]).astype(np.int32)
    acc = rng.integers(-(1 << 31), 1 << 31, (NUM_ACCUMULATORS, num_tokens * lanes)).astype(np.int32)
    return Memory(
        **viewed(values, acc, num_tokens),
        mem=rng.integers(-(1 << 31), 1 << 31, (NUM_WORDS, lanes)).astype(np.int32),
        reram=rng.integers(-128, 128, NUM_TILES * lanes * lanes).astype(np.int8),
        sram=rng.integers(-128, 128, NUM_TILES * lanes * lanes).astype(np.int8),
        params=np.arange(4, dtype=np.int32),
        limits=np.full((4, 2), ((-(1 << 31)), (1 << 31) - 1), np.int32),
        operand=np.zeros(lanes, np.int16),
        links=np.zeros((0, len(LINK_COLUMNS)), np.int32),
        operands=np.zeros((LONGEST_CHAIN, num_tokens, lanes), np.int8),
        places=np.zeros((2, LONGEST_CHAIN), np.int64),
        beginnings=np.zeros((-(-lanes // COLUMNS), num_tokens, PARTS), np.int32),
        runs=np.zeros(2, np.int32),
        counters=np.zeros(APART, np.int64),
        stopped=np.zeros(1, np.bool_),
        at=np.zeros(num_tokens, np.int32),
        place=np.zeros(num_tokens, np.int32),
        shared=np.zeros(2, np.int32),
        written=np.zeros((NUM_SLOTS + 1, 2, num_tokens), np.int32),
        rows_before=np.zeros((NUM_SLOTS + 1, num_tokens, lanes), np.int8),
        lanes_before=np.zeros((NUM_SLOTS + 1, num_tokens), np.int32),
    )


def viewed(values: np.ndarray, acc: np.ndarray, num_tokens: int) -> dict[str, np.ndarray]:
    """The same memory in all the ways in which kernels see it."""
    by_token = (len(values), num_tokens, -1)
    views = {"values": values, "floats": values.view(np.float32), "bytes": values.view(np.uint8), "acc": acc}
    return {**views, "by_token": values.reshape(by_token), "acc_by_token": acc.reshape(len(acc), num_tokens, -1)}


def copied(m: Memory) -> Memory:
    views = viewed(m.values.copy(), m.acc.copy(), len(m.at))
    return Memory(**{name: views[name] if name in views else array.copy() for name, array in m._asdict().items()})


def op_of(kernel: str, **columns: int) -> list[int]:
    """A row of a tape."""
    usual = {"kernel": NUMBER_BY_KERNEL[kernel], "result": RESULT, "a": A, "b": B, "c": C}
    return [{**usual, **columns}.get(name, 0) for name in OP_COLUMNS]


def ran(kernel: str, m: Memory, at: int = 0, place: int = 0, extra: int = 0, **columns: int) -> Memory:
    """The memory after one call."""
    after = copied(m)
    ops = np.array([op_of(kernel, at=at, place=place, extra=extra, **columns)], np.int32)
    assert run(after, ops) == -1
    return after


def run(m: Memory, ops: np.ndarray) -> int:
    """Run operations on a memory, as the one part of its tokens."""
    parts = m._replace(**{name: getattr(m, name)[None] for name in viewed(m.values, m.acc, 1)})
    return loop()(parts, ops, NO_TERMS, np.array([[0, 0], [len(ops), 0]], np.int32), 0, 1, 1, 0)


def only_changed(before: Memory, after: Memory, name: str, place: Any) -> None:
    """Nothing but `after.name[place]` and scratch may differ."""
    for field in ("values", "mem", "reram", "sram", "acc", "params"):
        here, there = getattr(before, field).copy(), getattr(after, field)
        if field == name:
            here[place] = there[place]
        np.testing.assert_array_equal(here, there, err_msg=field)


def low_bytes(words: Any) -> Any:
    return words.astype(np.uint8)


def test_there_is_a_kernel_for_every_mnemonic_that_issues() -> None:
    assert set(KERNELS) == set(INSTRUCTIONS) - CONTROL == set(SEMANTICS)


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("mnemonic", ELEMENTWISE)
def test_elementwise(mnemonic: str, lanes: int) -> None:
    for seed in range(4):
        m = memory(lanes, seed)
        operands = m.values[A : A + len(ELEMENTWISE[mnemonic].operands)]
        after = ran(mnemonic, m)
        np.testing.assert_array_equal(after.values[RESULT], SEMANTICS[mnemonic](*operands))
        only_changed(m, after, "values", RESULT)


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("mnemonic", ["vxm.butterfly", "vxm.reduce_add", "vxm.reduce_max"])
def test_across_lanes(mnemonic: str, lanes: int) -> None:
    m = memory(lanes, 2)
    for power in range(lanes.bit_length() - (mnemonic == "vxm.butterfly")):
        after = ran(mnemonic, m, at=1 << power)
        np.testing.assert_array_equal(after.values[RESULT], SEMANTICS[mnemonic](m.values[A], 1 << power))
        only_changed(m, after, "values", RESULT)


@pytest.mark.parametrize("lanes", LANES)
def test_lane_index(lanes: int) -> None:
    after = ran("vxm.lane_index", memory(lanes, 3))
    np.testing.assert_array_equal(after.values[RESULT], SEMANTICS["vxm.lane_index"](lanes))


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("amount", [0, 1, 3, -1, -5, 200, -(1 << 31), (1 << 31) - 1])
@pytest.mark.parametrize("mnemonic", ["sxm.rotate", "sxm.broadcast", "sxm.mask"])
def test_amounts(mnemonic: str, amount: int, lanes: int) -> None:
    m = memory(lanes, 4)
    after = ran(mnemonic, m, at=amount)
    np.testing.assert_array_equal(after.values[RESULT], SEMANTICS[mnemonic](m.values[A], amount))
    only_changed(m, after, "values", RESULT)


@pytest.mark.parametrize("lanes", LANES)
def test_permute(lanes: int) -> None:
    m = memory(lanes, 5)
    m.values[B] = np.random.default_rng(5).integers(-2, lanes + 2, lanes)
    after = ran("sxm.permute", m)
    np.testing.assert_array_equal(after.values[RESULT], SEMANTICS["sxm.permute"](m.values[A], m.values[B]))


@pytest.mark.parametrize("lanes", [lanes for lanes in LANES if lanes % 4 == 0])
def test_transpose(lanes: int) -> None:
    m = memory(lanes, 6)
    np.testing.assert_array_equal(ran("sxm.transpose", m).values[RESULT], SEMANTICS["sxm.transpose"](m.values[A]))


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("mnemonic", [name for name in SEMANTICS if name.startswith("mem.read")])
def test_memory_reads(mnemonic: str, lanes: int) -> None:
    m = memory(lanes, 7)
    for address in range(NUM_WORDS * (4 if mnemonic == "mem.read8" else 1)):
        after = ran(mnemonic, m, at=address)
        np.testing.assert_array_equal(after.values[RESULT], SEMANTICS[mnemonic](m.mem, address))
        only_changed(m, after, "values", RESULT)


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("mnemonic", [name for name in SEMANTICS if name.startswith("mem.write")])
def test_memory_writes(mnemonic: str, lanes: int) -> None:
    m, place = memory(lanes, 8), lanes - 1
    operand = low_bytes(m.values[A]) if INSTRUCTIONS[mnemonic].sources[0].width is Width.BYTE else m.values[A]
    for address in range(NUM_WORDS * (4 if mnemonic == "mem.write8" else 1)):
        after, expected = ran(mnemonic, m, at=address, place=place), m.mem.copy()
        SEMANTICS[mnemonic](expected, operand, address, *([place] if mnemonic == "mem.write_lane" else []))
        np.testing.assert_array_equal(after.mem, expected)
        only_changed(m, after, "mem", slice(None))


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("flags", range(16))
@pytest.mark.parametrize("mnemonic", ["mxm.matvec", "mxm.matvec_t"])
def test_products(mnemonic: str, flags: int, lanes: int) -> None:
    m, tile, acc = memory(lanes, flags), 1, 3
    flags |= SRAM if mnemonic == "mxm.matvec_t" else 0
    tiles = (m.sram if flags & SRAM else m.reram).reshape(NUM_TILES, lanes, lanes)
    before = np.zeros(lanes, np.int32) if flags & FIRST else m.acc[acc]
    after = ran(mnemonic, m, at=tile, place=2, extra=flags | acc << ACC_SHIFT)
    expected = SEMANTICS[mnemonic](tiles[tile], low_bytes(m.values[A]), before, bool(flags & UNSIGNED))
    np.testing.assert_array_equal(after.acc[acc], expected)
    np.testing.assert_array_equal(after.values[RESULT], expected if flags & EMIT else m.values[RESULT])
    only_changed(copied(m)._replace(acc=after.acc), after, "values", RESULT)


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("mnemonic", ["mxm.matvec", "mxm.matvec_t"])
@pytest.mark.parametrize("weight", [-128, 127])
@pytest.mark.parametrize(
    ("value", "flags"), [(-128, FIRST | SRAM), (127, FIRST | SRAM), (255, FIRST | SRAM | UNSIGNED)]
)
def test_largest_products(mnemonic: str, weight: int, value: int, flags: int, lanes: int) -> None:
    m = memory(lanes, 0)
    m.sram[:], m.values[A] = weight, value
    after = ran(mnemonic, m, extra=flags)
    assert after.acc[0].tolist() == [lanes * weight * value] * lanes


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("flags", [0, SRAM])
def test_rows_of_tiles(flags: int, lanes: int) -> None:
    m, tile, row = memory(lanes, 9), 2, lanes - 2
    tiles = (m.sram if flags & SRAM else m.reram).reshape(NUM_TILES, lanes, lanes)
    after = ran("mxm.read_row", m, at=tile, place=row, extra=flags)
    np.testing.assert_array_equal(low_bytes(after.values[RESULT]), SEMANTICS["mxm.read_row"](tiles[tile], row))
    only_changed(m, after, "values", RESULT)
    after, expected = ran("mxm.write_row", m, at=tile, place=row), m.sram.copy()
    SEMANTICS["mxm.write_row"](expected.reshape(tiles.shape)[tile], low_bytes(m.values[A]), row)
    np.testing.assert_array_equal(after.sram, expected)
    only_changed(m, after, "sram", slice(None))


@pytest.mark.parametrize("lanes", LANES)
def test_preparations(lanes: int) -> None:
    m = memory(lanes, 10)
    for power in range(lanes.bit_length() - 1):
        after = ran("lane_xor", m, at=1 << power)
        np.testing.assert_array_equal(after.values[RESULT], lane_xor(m.values[A], 1 << power))
    for plane in range(4):
        found = ran("byte_plane", m, at=plane).values[RESULT]
        np.testing.assert_array_equal(low_bytes(found), m.values[A].view(np.uint8)[plane::4])
    assert (ran("broadcast_param", m, at=(1 << 31) - 1, place=3).values[RESULT] == -(1 << 31) + 2).all()
    assert ran("arrive_param", m, at=1).params[1] == m.values[A, 0]
    assert set(PREPARATIONS) == {"lane_xor", "byte_plane", "broadcast_param", "arrive_param", "matvecs"}


def test_set_param_keeps_what_it_takes_and_stops_outside_the_limits() -> None:
    m = memory(8, 11)
    m.values[A, 0] = 7
    assert ran("icu.set_param", m, at=2).values[RESULT, 0] == 7
    m.limits[2] = 0, 6
    ops = np.array([op_of("icu.set_param", at=2)] * 2, np.int32)
    assert run(m, ops) == 0


NUM_TOKENS = 5


@pytest.mark.parametrize("lanes", [4, 16, 64])
@pytest.mark.parametrize("kernel", sorted({*KERNELS, *PREPARATIONS} - {"icu.set_param", "arrive_param", "matvecs"}))
def test_what_is_done_for_tokens_at_once_is_done_for_each(kernel: str, lanes: int) -> None:
    """With addresses that step from token to token; single words that all of them write go to the last."""
    m = memory(lanes, 12, NUM_TOKENS)
    numbers = {"at": 1, "place": lanes - NUM_TOKENS if kernel.startswith("m") and lanes > NUM_TOKENS else 0}
    numbers["extra"] = FIRST | EMIT | SRAM
    numbers["at_inner"] = 1 if kernel.startswith(("mem.", "sxm.")) else 0
    numbers["place_inner"] = int(lanes > NUM_TOKENS and kernel in ("mem.write_lane", "mxm.read_row", "mxm.write_row"))
    after, one = ran(kernel, m, **numbers), memory(lanes, 12)
    for state in ("mem", "sram", "reram", "params"):
        getattr(one, state)[:] = getattr(m, state)
    for token in range(NUM_TOKENS):
        one.values[:] = m.by_token[:, token]
        at = numbers["at"] + token * numbers["at_inner"]
        place = numbers["place"] + token * numbers["place_inner"]
        one = ran(kernel, one, at=at, place=place, extra=numbers["extra"])
        np.testing.assert_array_equal(after.by_token[RESULT, token], one.values[RESULT], err_msg=f"token {token}")
    np.testing.assert_array_equal(after.mem, one.mem)
    np.testing.assert_array_equal(after.sram, one.sram)


@pytest.mark.parametrize("ahead", [-2, -1, 0, 1, 2, 9])
@pytest.mark.parametrize(
    ("write", "read"),
    [("mxm.write_row", "mxm.matvec"), ("mxm.write_row", "mxm.matvec_t"), ("mem.write_lane", "mem.read32")],
)
def test_a_token_sees_the_parts_of_those_that_had_written(write: str, read: str, ahead: int) -> None:
    lanes = 8
    m = memory(lanes, 13, NUM_TOKENS)
    written = ran(write, m, at=1, place=2, place_inner=1, slot=2)
    after = ran(read, written, at=1, extra=FIRST | EMIT | SRAM, slot=2, ahead=ahead, a=B)
    for token in range(NUM_TOKENS):
        one = memory(lanes, 13)
        one.mem[:], one.sram[:] = m.mem, m.sram
        for writer in range(min(NUM_TOKENS, max(0, token + ahead + 1))):
            one.values[:] = m.by_token[:, writer]
            one = ran(write, one, at=1, place=2 + writer)
        one.values[:] = m.by_token[:, token]
        one = ran(read, one, at=1, extra=FIRST | EMIT | SRAM, a=B)
        np.testing.assert_array_equal(after.by_token[RESULT, token], one.values[RESULT], err_msg=f"token {token}")


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("num_tokens", [1, 3, 4, 8])
@pytest.mark.parametrize("flags", [0, FIRST, EMIT, FIRST | EMIT])
@pytest.mark.parametrize("length", [1, 2, LONGEST_CHAIN])
def test_a_chain_is_its_products_one_after_another(lanes: int, num_tokens: int, flags: int, length: int) -> None:
    """In the second runs of both loops, whatever chain comes before and after; and again with the operands taken."""
    m, acc, rng = memory(lanes, 14, num_tokens), 3, np.random.default_rng(length)
    operands = rng.integers(NUM_ROWS - 1, size=length)
    tiles = rng.integers(NUM_TILES, size=length)
    m = m._replace(links=np.array([[0, 0, 0, 0], *zip(operands, tiles, 0 * tiles, 0 * tiles, strict=True)], np.int32))
    chained = ran("matvecs", m, at=1, place=length, extra=flags | acc << ACC_SHIFT)
    again = ran("matvecs", m._replace(operands=chained.operands, beginnings=chained.beginnings), at=1, place=length,
                ahead=1, extra=flags | acc << ACC_SHIFT)  # fmt: skip
    one = m
    for place, (operand, tile) in enumerate(zip(operands, tiles, strict=True)):
        mine = (flags & FIRST if place == 0 else 0) | (flags & EMIT if place == length - 1 else 0)
        one = ran("mxm.matvec", one, at=tile, extra=mine | acc << ACC_SHIFT, a=operand)
    for found in (chained, again):
        np.testing.assert_array_equal(found.acc, one.acc)
        np.testing.assert_array_equal(found.values, one.values)


@pytest.mark.parametrize("excess", sorted({0, EXCESS}))
@pytest.mark.parametrize("num_tokens", [1, TOKENS, 3 * TOKENS])
def test_blocks_of_products_are_the_same_whatever_the_host_has(excess: int, num_tokens: int) -> None:
    """The extremes too: -128 times -128, and sums that wrap."""
    rng, count, stride = np.random.default_rng(15), 3, COLUMNS + 8
    tiles = rng.choice(np.array([-128, -1, 0, 1, 127], np.int8), count * ROWS * stride)
    x = rng.choice(np.array([-128, -1, 0, 1, 127], np.int8), (count, num_tokens, COLUMNS))
    y = rng.integers(-(1 << 31), 1 << 31, (num_tokens, ROWS)).astype(np.int32)
    at = np.arange(count) * ROWS * stride
    blocks = np.stack([tiles[place : place + ROWS * stride].reshape(ROWS, stride)[:, :COLUMNS] for place in at])
    expected = y + np.einsum("krc,ktc->tr", blocks.astype(np.int32), x.astype(np.int32))
    beginnings = np.zeros((num_tokens, PARTS), np.int32)
    beginnings[:, 0] = -excess * x.astype(np.int32).sum(axis=(0, 2))
    multiply_blocks(excess)(tiles, at, np.int64(count), np.int64(stride), x, beginnings, y)
    np.testing.assert_array_equal(y, expected)


def multiply_blocks(excess: int) -> Any:
    """y[t, r] += the products of blocks of tiles at `at`, by whichever function does so many tokens."""
    of_token, of_tokens = chain_of_token(excess), chain_of_tokens(excess)

    @compiled()
    def multiply(tiles: Any, at: Any, count: int, stride: int, x: Any, beginnings: Any, y: Any) -> None:
        if x.shape[1] == 1:
            of_token(tiles, at, at, count, stride, x[:, 0], beginnings[0], y[0])
        else:
            y += beginnings[:, :1]
            of_tokens(tiles, at, at, count, stride, x, np.int64(x.shape[1]), y)

    return multiply


SMALLEST = 0x00800000


def test_products_at_the_edge_of_the_smallest_normal_number() -> None:
    """Rounded up to it from below, which gives zero; and just not."""
    pairs = [(0x3F7FFFFF, 0x00800001), (0x3F7FFFFF, 0x00800000), (0x3F800000, SMALLEST), (0x3F800001, SMALLEST),
             (0x3F7FFFFE, 0x00800001), (0x00FFFFFF, 0x3F000001), (0x5F7FFFFF, 0x20000001)]  # fmt: skip
    for lanes in (4, 64):
        m = memory(lanes, 16)
        for sign in (0, -(1 << 31)):
            for a, b in pairs:
                m.values[A], m.values[B] = np.int32(a), np.int32(b) ^ np.int32(sign)
                m.values[A, 0] = 0x3F800000  # an ordinary lane beside it
                after = ran("vxm.mul", m)
                np.testing.assert_array_equal(after.values[RESULT], SEMANTICS["vxm.mul"](m.values[A], m.values[B]))
