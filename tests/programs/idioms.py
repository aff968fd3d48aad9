"""What noise does not find. A value that leaves slice x at t is east of it, at x + k, in cycle t + k."""

from collections.abc import Mapping
from itertools import count

import numpy as np

from tests.programs.parts import FIRST_FREE_WORD, GAP_CYCLES, POSITION, ROUTED, SLACK, SMALL_WORD, Issue, Part, row_of
from waterclock.chip import Chip, SliceKind
from waterclock.isa.record import Direction, OperandKind, Records, address


def copies(chip: Chip, rng: np.random.Generator) -> Part:
    """Words copied from one MEM slice to another, east of it, by repeats with strides."""
    west, east = chip.slices_of(SliceKind.MEM)[0], chip.slices_of(SliceKind.MEM)[-1]
    repeats, distance = int(rng.integers(1, 6)), int(rng.integers(1, 3))
    part = Part(repeats * distance + 1 + GAP_CYCLES)
    flight = chip.latency.mem_read + east.x - west.x
    read = row_of("mem.read32", address=_word(rng, chip), result=(4, Direction.EAST, 0, 0))
    write = row_of("mem.write32", a=(OperandKind.EAST, 4, 0), address=_word(rng, chip))
    part.add(west.name, Issue(0, read, repeats, distance))
    part.add(east.name, Issue(flight, write, repeats, distance))
    return part


def routing(chip: Chip, rng: np.random.Generator) -> Part:
    """A parameter that the launch sets, used as an address from the first cycle in which it is seen."""
    west, east = chip.slices_of(SliceKind.MEM)[0], chip.slices_of(SliceKind.MEM)[-1]
    read = row_of("mem.read32", address=address(SMALL_WORD), result=(8, Direction.EAST, 0, 0))
    part, arrival = Part(2 * GAP_CYCLES), chip.latency.mem_read + east.x - west.x
    part.add(west.name, Issue(0, read))
    part.add(east.name, Issue(arrival, row_of("icu.set_param", a=(OperandKind.EAST, 8, 0), param=ROUTED)))
    start = arrival + chip.param_latency_cycles - int(rng.integers(2)) * 2
    routed = address(int(rng.integers(FIRST_FREE_WORD, 64)), (5, ROUTED, 0, 0, 3), strides={0: 1})
    repeats = 3
    part.add(west.name, Issue(start, row_of("mem.read32", address=routed, result=(4, Direction.EAST, 0, 0)), repeats))
    write = row_of("mem.write32", a=(OperandKind.EAST, 4, 0), address=_word(rng, chip))
    part.add(east.name, Issue(start + arrival, write, repeats))
    return part


def attention(chip: Chip, rng: np.random.Generator) -> Part:
    """A row written to a tile at the position, then the tile multiplied both ways and read back."""
    memory, mxm = chip.slices_of(SliceKind.MEM)[0], chip.slices_of(SliceKind.MXM)[-1]
    sink = chip.slices_of(SliceKind.MEM)[0]
    out, back = chip.latency.mem_read + mxm.x - memory.x, mxm.x - sink.x
    tile = address(int(rng.integers(0, 64)), (8, POSITION, 0, 3, 1))
    row = address(0, (1, POSITION, 0, 0, chip.lanes - 1))
    part, cycle = Part(3 * GAP_CYCLES), count(0, 4)
    unsigned = int(rng.integers(2))
    operand = (OperandKind.EAST, 2, 0)
    emitted = {"address": tile, "first": 1, "emit": 1, "unsigned": unsigned, "result": (12, Direction.WEST, 0, 0)}
    read_back = {"address": tile, "place": row, "sram": 1, "result": (12, Direction.WEST, 0, 0)}
    uses: list[tuple[str, Mapping[str, object], int, str]] = [
        ("mxm.write_row", {"a": operand, "address": tile, "place": row}, 0, ""),
        ("mxm.matvec", {"a": operand, "acc": 1, "sram": 1, **emitted}, chip.latency.matvec, "mem.write32"),
        ("mxm.matvec_t", {"a": operand, "acc": 2, **emitted}, chip.latency.matvec, "mem.write32"),
        ("mxm.read_row", read_back, chip.latency.read_row, "mem.write8"),
    ]
    reads: list[Issue] = []
    writes: list[Issue] = []
    for (mnemonic, fields, latency, store), start in zip(uses, cycle, strict=False):
        if "a" in fields:
            byte = address(int(rng.integers(4 * FIRST_FREE_WORD, 400)))
            reads.append(Issue(start, row_of("mem.read8", address=byte, result=(2, Direction.EAST, 0, 0))))
        part.add(mxm.name, Issue(start + out, row_of(mnemonic, **fields)))
        if store:
            place = _word(rng, chip, scale=4 if store == "mem.write8" else 1)
            write = row_of(store, a=(OperandKind.WEST, 12, 0), address=place)
            writes.append(Issue(start + out + latency + back, write))
    for issue in sorted(reads + writes, key=lambda issue: issue.cycle):
        part.add(memory.name, issue)
    return part


def _word(rng: np.random.Generator, chip: Chip, scale: int = 1) -> Records:
    """A word somewhere, moving with repeat and loop and with the position."""
    base = scale * int(rng.integers(FIRST_FREE_WORD, chip.mem.num_words - 4 * SLACK))
    return address(base, (scale, POSITION, int(rng.integers(-2, 3)), 1, 7), strides=_strides(rng, 3, scale))


def _strides(rng: np.random.Generator, most: int, scale: int = 1) -> dict[int, int]:
    """Strides of the repeat and the innermost loop."""
    return {level: scale * int(rng.integers(0, most + 1)) for level in (0, 1)}
