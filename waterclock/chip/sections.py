"""The sections of a Chip: each field with its allowed range and its meaning."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from waterclock.chip.rules import Whole


class WeightCell(StrEnum):
    """The memory cell that keeps the weights."""

    RERAM = "reram"
    SRAM = "sram"


def _latency(meaning: str) -> Whole:
    return Whole(1, 128, f"cycles from issue to result: {meaning}")


@dataclass(frozen=True)
class Layout:
    """How many MXM and MEM slices stand on either side of the VXM."""

    num_mxm_west: Annotated[int, Whole(0, 64, "MXM slices west of the VXM")]
    num_mxm_east: Annotated[int, Whole(0, 64, "MXM slices east of the VXM")]
    num_mem_west: Annotated[int, Whole(0, 256, "MEM slices west of the VXM")]
    num_mem_east: Annotated[int, Whole(0, 256, "MEM slices east of the VXM")]


@dataclass(frozen=True)
class Mem:
    """A MEM slice: single-port SRAM, words of `lanes` x 32 bits."""

    num_words: Annotated[int, Whole(1, 1 << 20, "words in a MEM slice")]


@dataclass(frozen=True)
class Vxm:
    """The VXM: special functions run on ALUs 0 .. num_special - 1, reductions on the last num_reduce."""

    num_alus: Annotated[int, Whole(1, 64, "ALUs, each issuing one vector instruction a cycle")]
    num_special: Annotated[int, Whole(1, 64, "ALUs that also do exp2, reciprocal and rsqrt (the first ones)")]
    num_reduce: Annotated[int, Whole(1, 64, "ALUs that also reduce over lanes (the last ones)")]
    num_holds: Annotated[int, Whole(0, 64, "hold registers")]


@dataclass(frozen=True)
class Mxm:
    """An MXM slice: resident `lanes` x `lanes` int8 tiles; tile t of a kind of cell lives in bank t mod num_banks."""

    num_reram_tiles: Annotated[int, Whole(0, 65536, "ReRAM tiles in an MXM slice (weights)")]
    num_reram_banks: Annotated[int, Whole(1, 256, "banks that the ReRAM tiles are spread over")]
    sense_cycles: Annotated[int, Whole(1, 1024, "cycles that a ReRAM bank is busy with an access")]
    num_sram_tiles: Annotated[int, Whole(0, 65536, "SRAM tiles in an MXM slice (KV cache)")]
    num_sram_banks: Annotated[int, Whole(1, 256, "banks that the SRAM tiles are spread over")]
    write_row_cycles: Annotated[int, Whole(1, 1024, "cycles that an SRAM bank is busy with write_row")]
    num_accumulators: Annotated[int, Whole(1, 4, "vectors of int32 accumulators")]


@dataclass(frozen=True)
class C2c:
    """The chip-to-chip links."""

    num_links: Annotated[int, Whole(0, 256, "chip-to-chip links")]
    link_latency_cycles: Annotated[int, Whole(1, 65536, "cycles from send to the peer's receive")]


@dataclass(frozen=True)
class Latency:
    """Cycles from the issue of an instruction to its result on its stream at the slice's own x."""

    mem_read: Annotated[int, _latency("mem.read8 and mem.read32")]
    vxm_simple: Annotated[int, _latency("move, bit operations, select, compare, maximum, minimum, absolute")]
    vxm_add: Annotated[int, _latency("fp32 and int32 add and subtract, butterfly")]
    vxm_mul: Annotated[int, _latency("fp32 multiply")]
    vxm_convert: Annotated[int, _latency("conversions between fp32 and integers")]
    vxm_exp2: Annotated[int, _latency("exp2")]
    vxm_reciprocal: Annotated[int, _latency("reciprocal")]
    vxm_rsqrt: Annotated[int, _latency("rsqrt")]
    reduce_add_stage: Annotated[int, _latency("one halving stage of reduce_add")]
    reduce_max_stage: Annotated[int, _latency("one halving stage of reduce_max")]
    sxm: Annotated[int, _latency("every lane movement of the SXM")]
    matvec: Annotated[int, _latency("matvec and matvec_t, from operand to emitted vector")]
    read_row: Annotated[int, _latency("read_row")]
