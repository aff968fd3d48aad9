"""MEM words and MXM tiles: who wrote last what is read, and that every access is inside its memory."""

from dataclasses import dataclass

import numpy as np

from waterclock.simulator.link.addresses import Addresses
from waterclock.simulator.link.anatomy import NO_SPACE, RERAM, UNLIMITED, Anatomy
from waterclock.simulator.link.errors import Cause
from waterclock.simulator.link.linked import Longs
from waterclock.simulator.link.timeline import Timeline


@dataclass(frozen=True, eq=False)
class Accesses:
    """All accesses of memories, once for each word or tile (`unit`) that the event may access."""

    event: Longs
    unit: Longs


def check_ranges(anatomy: Anatomy, addressed: Addresses, name: str) -> None:
    """LinkError for an event whose `address` or `place` may lie outside its memory, tile or vector."""
    limit = anatomy.limit(name)
    outside = (limit < UNLIMITED) & ((addressed.low < 0) | (addressed.high >= limit))
    anatomy.events.refuse(
        outside,
        Cause.ADDRESS,
        lambda event: (
            f"{name} {_interval(addressed.low[event], addressed.high[event])}: must be in 0 to {limit[event] - 1}"
        ),
    )


def accesses(anatomy: Anatomy, addressed: Addresses) -> Accesses:
    """Every word and tile that every event may access."""
    event, value = addressed.values(np.flatnonzero(anatomy.space != NO_SPACE))
    pairs = np.stack([event, value // anatomy.bytes_per_word[event]], axis=1)
    parametric = addressed.kind[event] > 0  # only these can name a word twice, by its bytes
    repeated = np.unique(pairs[parametric], axis=0)
    return Accesses(*np.concatenate([pairs[~parametric], repeated]).T)


def registers(anatomy: Anatomy, memory: Longs, unit: Longs) -> Longs:
    """A number for each word or tile of each memory of the chip."""
    mem, mxm = anatomy.chip.mem, anatomy.chip.mxm
    return memory * max(mem.num_words, mxm.num_reram_tiles, mxm.num_sram_tiles) + unit


def writes(anatomy: Anatomy, accessed: Accesses) -> Timeline:
    """Everything that a launch may write to memories."""
    event, unit = (column[anatomy.writes_memory[accessed.event]] for column in (accessed.event, accessed.unit))
    return Timeline(registers(anatomy, anatomy.memory[event], unit), anatomy.cycle[event], event)


def resolve_memory(anatomy: Anatomy, accessed: Accesses) -> Longs:
    """[n]: the last event before each read that may have written what it reads; -1 where none did."""
    writable = (anatomy.space != RERAM) & ~anatomy.writes_memory
    event, unit = (column[writable[accessed.event]] for column in (accessed.event, accessed.unit))
    register = registers(anatomy, anatomy.memory[event], unit)
    writer = np.full(len(anatomy.events), -1, np.int64)
    np.maximum.at(writer, event, writes(anatomy, accessed).latest(register, anatomy.cycle[event] - 1))
    return writer


def _interval(low: int, high: int) -> str:
    return f"is {low}" if low == high else f"may be {low} to {high}"
