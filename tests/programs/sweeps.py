"""Sweeps: one instruction repeated over many places, fed by a repeated read and followed by a repeated write.

Strides and steps of the repeat matter here as nowhere in noise. A value goes east from the last MEM slice, or from the
first over the VXM, meets the unit, and what comes of it goes on to be written in another MEM slice.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np

from tests.programs.parts import ANY, FIRST_FREE_WORD, GAP_CYCLES, Issue, Part, Row, row_of
from tests.programs.walks import MAX_REPEATS, anything, walk, wide
from waterclock.chip import Chip, Slice, SliceKind
from waterclock.isa.layout import field_by_path
from waterclock.isa.record import NUM_LEVELS, Direction, OperandKind, Records
from waterclock.isa.table import INSTRUCTION_BY_OPCODE, INSTRUCTIONS, Width

READ_STREAM, RESULT_STREAM = 4, 8
BYTES_PER_WORD = Width.WORD.value


def sweeps(chip: Chip, rng: np.random.Generator) -> Part:
    """A sweep of the VXM, an SXM or an MXM."""
    return _ROUTES[rng.choice(list(_ROUTES))](chip, rng)


def _vxm(chip: Chip, rng: np.random.Generator) -> Part:
    """A parameter with steps, joined with words on their way from the first MEM slice to the last."""
    memories = chip.slices_of(SliceKind.MEM)
    row = row_of(
        str(rng.choice(["vxm.iadd", "vxm.xor", "vxm.add"])), a=(OperandKind.EAST, READ_STREAM, 0),
        b=(OperandKind.PARAM, ANY, 0), scalar=wide(rng, 32), scalar_step=[wide(rng, 24) for _ in range(NUM_LEVELS)],
    )  # fmt: skip
    queue = f"vxm.alu{rng.integers(chip.vxm.num_alus)}"
    return _sweep(chip, rng, (memories[0], memories[-1]), (queue, chip.slices_of(SliceKind.VXM)[0]), row)


def _sxm(chip: Chip, rng: np.random.Generator) -> Part:
    row = row_of(str(rng.choice(["sxm.rotate", "sxm.mask", "sxm.broadcast"])), a=(OperandKind.EAST, READ_STREAM, 0))
    bits = _bits(row, "address")
    row["address"] = anything(rng, bits) if rng.random() < 0.5 else walk(rng, 0, chip.lanes, bits)
    return _outside(chip, rng, SliceKind.SXM, row)


def _mxm(chip: Chip, rng: np.random.Generator) -> Part:
    mnemonic = str(rng.choice(["mxm.matvec", "mxm.matvec_t", "mxm.write_row", "mxm.read_row"]))
    row, instruction, mxm = row_of(mnemonic), INSTRUCTIONS[mnemonic], chip.mxm
    if instruction.field("sram") is not None:
        row["sram"] = rng.integers(2)
    is_sram = instruction.field("sram") is None or bool(row["sram"])
    num_tiles, num_banks = (
        (mxm.num_sram_tiles, mxm.num_sram_banks) if is_sram else (mxm.num_reram_tiles, mxm.num_reram_banks)
    )
    row["address"] = walk(rng, 0, num_tiles, _bits(row, "address"), num_banks)
    if instruction.field("place") is not None:
        row["place"] = walk(rng, 0, chip.lanes, _bits(row, "place"))
    if instruction.sources:
        row["a"] = OperandKind.EAST, READ_STREAM, 0
    if instruction.field("acc") is not None:
        row["first"], row["emit"], row["unsigned"] = 1, 1, rng.integers(2)
    return _outside(chip, rng, SliceKind.MXM, row)


_ROUTES: Mapping[str, Callable[[Chip, np.random.Generator], Part]] = MappingProxyType({
    "vxm": _vxm, "sxm": _sxm, "mxm": _mxm,
})  # fmt: skip


def _outside(chip: Chip, rng: np.random.Generator, kind: SliceKind, row: Row) -> Part:
    """From the last MEM slice to the unit east of it and back to the first."""
    memories, unit = chip.slices_of(SliceKind.MEM), chip.slices_of(kind)[-1]
    return _sweep(chip, rng, (memories[-1], memories[0]), (unit.name, unit), row)


def _sweep(
    chip: Chip, rng: np.random.Generator, memories: tuple[Slice, Slice], unit: tuple[str, Slice], row: Row
) -> Part:
    """Read, meet, write: each so often, so far apart, and as much later as the value is on its way."""
    (source, sink), (queue, place) = memories, unit
    instruction = INSTRUCTIONS[_mnemonic(row)]
    repeats, distance = int(rng.integers(1, MAX_REPEATS)), int(rng.integers(chip.mxm.sense_cycles, 9))
    part = Part(repeats * distance + 2 * GAP_CYCLES)
    met = chip.latency.mem_read + abs(place.x - source.x)
    if instruction.sources:
        width = instruction.sources[0].width
        part.add(source.name, Issue(0, _read(chip, rng, width), repeats, distance))
    part.add(queue, Issue(met, row, repeats, distance))
    if instruction.result is not None and instruction.latency is not None:
        way = Direction.EAST if sink.x > place.x else Direction.WEST
        row["result"] = RESULT_STREAM, way, 0, 0
        written = met + instruction.latency(chip) + abs(sink.x - place.x)
        part.add(sink.name, Issue(written, _write(chip, rng, instruction.result.width, way), repeats, distance))
    return part


def _mnemonic(row: Row) -> str:
    return INSTRUCTION_BY_OPCODE[int(row["op"])].mnemonic


def _bits(row: Row, name: str) -> int:
    return field_by_path(_mnemonic(row))[f"{name}.base"].bits


def _read(chip: Chip, rng: np.random.Generator, width: Width) -> Row:
    row = row_of("mem.read32" if width is Width.WORD else "mem.read8", result=(READ_STREAM, Direction.EAST, 0, 0))
    row["address"] = _place(chip, rng, row, width)
    return row


def _write(chip: Chip, rng: np.random.Generator, width: Width, way: Direction) -> Row:
    kind = OperandKind.EAST if way is Direction.EAST else OperandKind.WEST
    row = row_of("mem.write32" if width is Width.WORD else "mem.write8", a=(kind, RESULT_STREAM, 0))
    row["address"] = _place(chip, rng, row, width)
    return row


def _place(chip: Chip, rng: np.random.Generator, row: Row, width: Width) -> Records:
    scale = 1 if width is Width.WORD else BYTES_PER_WORD
    return walk(rng, scale * FIRST_FREE_WORD, scale * chip.mem.num_words, _bits(row, "address"))
