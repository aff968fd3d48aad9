"""Addresses whose numbers are wide and whose values are not: all fields matter, yet every value is where it may be.

A term that follows the position may add any number in its width, for the base takes it back; a stride of any width
may be taken back by a term's step; and of a parameter with a wide range, a mask leaves a few values.
"""

from collections.abc import Mapping
from itertools import product

import numpy as np

from tests.programs.parts import INDEX, MAX_POSITION, MAX_RUNS, POSITION
from waterclock.isa.record import NUM_LEVELS, NUM_TERMS, Records, address

Iterations = np.ndarray
"""[case, level]"""
MASKS = (1, 2, 3, 5, 7)
MAX_TRIES = 20
MAX_REPEATS = 6
"""How often an instruction may issue by a repeat, the first time included."""


def _cases() -> tuple[np.ndarray, Iterations]:
    """Every position with the first and the last iteration of every level, and all between."""
    levels = [range(runs) for runs in (MAX_REPEATS, *MAX_RUNS)]
    cases = list(product(range(MAX_POSITION + 1), *levels))
    return np.array([case[0] for case in cases]), np.array([case[1:] for case in cases])


_POSITIONS, _ITERATIONS = _cases()


def walk(rng: np.random.Generator, low: int, limit: int, bits: int, step: int = 1) -> Records:
    """An address with fields of `bits` bits and all its values in [low, limit), which differ by multiples of `step`."""
    for _ in range(MAX_TRIES):
        drawn = _drawn(rng, bits, step)
        lowest, highest = _range(drawn)
        first, last = low - lowest, limit - 1 - highest
        if first <= last and -(1 << bits - 1) <= first and last < 1 << bits - 1:
            drawn["base"] = rng.integers(first, last, endpoint=True)
            return drawn
    return address(int(rng.integers(low, limit)))


def anything(rng: np.random.Generator, bits: int) -> Records:
    """An address that may have any value."""
    terms = [_anything(rng, bits) for _ in range(rng.integers(NUM_TERMS + 1))]
    row = address(wide(rng, bits), *terms)
    row["stride"] = [wide(rng, bits) for _ in range(NUM_LEVELS)]
    for number in range(len(terms)):
        row["term"]["step"][number] = [wide(rng, bits) for _ in range(NUM_LEVELS)]
    return row


def _anything(rng: np.random.Generator, bits: int) -> tuple[int, int, int, int, int]:
    stride, constant, mask = (wide(rng, bits) for _ in range(3))
    return stride, int(rng.choice([POSITION, INDEX])), constant, int(rng.integers(32)), mask


def wide(rng: np.random.Generator, bits: int) -> int:
    """A number of any width up to this many bits, with its sign."""
    width = int(rng.integers(1, bits, endpoint=True))
    return int(rng.integers(-(1 << width - 1), 1 << width - 1))


def _drawn(rng: np.random.Generator, bits: int, step: int) -> Records:
    """Strides and terms at base 0."""
    kinds = [_KINDS[kind] for kind in rng.choice(list(_KINDS), rng.integers(NUM_TERMS + 1))]
    row = address(0, *((0, 0, 0, 0, 0) for _ in kinds))
    row["stride"] = step * rng.integers(-1, 2, NUM_LEVELS)
    for number, kind in enumerate(kinds):
        kind(rng, row, number, bits, step)
    return row


def _following(rng: np.random.Generator, row: Records, number: int, bits: int, step: int) -> None:
    """The position and any constant, shifted and masked in any way."""
    _set(row, number, {
        "stride": step * int(rng.integers(-2, 3)), "param": POSITION, "const": wide(rng, bits),
        "shift": int(rng.integers(5)), "mask": int(rng.choice([wide(rng, bits), *MASKS])),
    })  # fmt: skip


def _taking_back(rng: np.random.Generator, row: Records, number: int, bits: int, step: int) -> None:
    """Steps of any width that undo strides of any width; the mask lets the position through or drops it."""
    sign, unit = int(rng.choice([-1, 1])), int(rng.choice([1, MAX_POSITION + 1]))
    narrower = bits - (step * unit).bit_length()
    _set(row, number, {
        "stride": sign * step, "param": POSITION, "const": unit * wide(rng, narrower), "shift": 0, "mask": -unit,
    })  # fmt: skip
    for level in range(NUM_LEVELS):
        undone = unit * wide(rng, narrower)
        row["term"]["step"][number][level] = -sign * undone
        row["stride"][level] = step * undone


def _choosing(rng: np.random.Generator, row: Records, number: int, bits: int, step: int) -> None:
    """A few bits from anywhere in the sum of a wider parameter, a constant and steps of any width."""
    _set(row, number, {
        "stride": step * int(rng.integers(-1, 2)), "param": INDEX, "const": wide(rng, bits),
        "shift": int(rng.integers(32)), "mask": int(rng.choice(MASKS)),
    })  # fmt: skip
    row["term"]["step"][number] = [wide(rng, bits) for _ in range(NUM_LEVELS)]


_KINDS = {"following": _following, "taking back": _taking_back, "choosing": _choosing}


def _set(row: Records, number: int, fields: Mapping[str, int]) -> None:
    for name, value in fields.items():
        row["term"][name][number] = value


def _range(row: Records) -> tuple[int, int]:
    """The lowest and the highest value: the wider parameter makes of a mask all that it can be."""
    strides = row["stride"].astype(np.int64)
    total = _int32(_ITERATIONS @ strides)
    slack_low = slack_high = 0
    for term in row["term"][row["term"]["used"] != 0]:
        stride, mask = int(term["stride"]), int(term["mask"])
        if term["param"] == INDEX:
            slack_low, slack_high = slack_low + min(0, stride * mask), slack_high + max(0, stride * mask)
            continue
        number = _int32(_POSITIONS + int(term["const"]) + _ITERATIONS @ term["step"].astype(np.int64))
        total = _int32(total + _int32(stride * ((number >> int(term["shift"])) & mask)))
    return int(total.min()) + slack_low, int(total.max()) + slack_high


def _int32(values: np.ndarray) -> np.ndarray:
    """Modulo 2^32, as signed numbers."""
    return values.astype(np.uint64).astype(np.uint32).view(np.int32).astype(np.int64)
