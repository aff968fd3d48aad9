"""Every kernel of the virtual machine against the value function of its mnemonic."""

from typing import Any

import numpy as np
import pytest

from tests.programs import SPECIAL_WORDS
from waterclock.isa.table import CONTROL, INSTRUCTIONS, Width
from waterclock.simulator.machine.columns import TERM_COLUMNS
from waterclock.simulator.machine.kernels import KERNELS, NUMBER_BY_KERNEL, PREPARATIONS
from waterclock.simulator.machine.kernels.blocks import LINKS
from waterclock.simulator.machine.kernels.memory import Memory
from waterclock.simulator.machine.kernels.products import ACC_SHIFT, EMIT, FIRST, SRAM, UNSIGNED
from waterclock.simulator.machine.run import loop
from waterclock.simulator.machine.tape import COLUMNS
from waterclock.simulator.semantics import ELEMENTWISE, SEMANTICS, lane_xor

LANES = (2, 4, 8, 64, 128)
NUM_ROWS, NUM_WORDS, NUM_TILES, NUM_ACCUMULATORS = 8, 6, 3, 5
RESULT, A, B, C = 7, 2, 3, 4
NUM_SLOTS = 2
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
        operands=np.zeros((LINKS, num_tokens, lanes), np.int16),
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
    return [{**usual, **columns}.get(name, 0) for name in COLUMNS]


def ran(kernel: str, m: Memory, at: int = 0, place: int = 0, extra: int = 0, **columns: int) -> Memory:
    """The memory after one call."""
    after = copied(m)
    ops = np.array([op_of(kernel, at=at, place=place, extra=extra, **columns)], np.int32)
    assert loop()(after, ops, NO_TERMS, 0, 0) == -1
    return after


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
    assert set(PREPARATIONS) == {"lane_xor", "byte_plane", "broadcast_param", "arrive_param", "linked_matvecs"}


def test_set_param_keeps_what_it_takes_and_stops_outside_the_limits() -> None:
    m = memory(8, 11)
    m.values[A, 0] = 7
    assert ran("icu.set_param", m, at=2).values[RESULT, 0] == 7
    m.limits[2] = 0, 6
    ops = np.array([op_of("icu.set_param", at=2)] * 2, np.int32)
    assert loop()(m, ops, NO_TERMS, 0, 0) == 0


NUM_TOKENS = 5


@pytest.mark.parametrize("lanes", [4, 64])
@pytest.mark.parametrize(
    "kernel", sorted({*KERNELS, *PREPARATIONS} - {"icu.set_param", "arrive_param", "linked_matvecs"})
)
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
@pytest.mark.parametrize("flags", [0, FIRST, EMIT, FIRST | EMIT, UNSIGNED, FIRST | EMIT | UNSIGNED])
@pytest.mark.parametrize("num_tiles", [2, 3])
def test_linked_products_are_those_of_one_after_another(
    lanes: int, num_tokens: int, flags: int, num_tiles: int
) -> None:
    """Two or three tiles at once; the bit of SRAM says that there are three."""
    m, acc, tiles = memory(lanes, 14, num_tokens), 3, (2, 0, 1)[:num_tiles]
    three = SRAM if num_tiles == LINKS else 0
    linked = ran(
        "linked_matvecs", m, at=tiles[0], place=tiles[1], slot=tiles[-1], extra=flags | three | acc << ACC_SHIFT
    )
    one = m
    for place, tile in enumerate(tiles):
        mine = flags & UNSIGNED | (flags & FIRST if place == 0 else 0) | (flags & EMIT if place == num_tiles - 1 else 0)
        one = ran("mxm.matvec", one, at=tile, extra=mine | acc << ACC_SHIFT, a=(A, B, C)[place])
    np.testing.assert_array_equal(linked.acc, one.acc)
    np.testing.assert_array_equal(linked.values, one.values)
