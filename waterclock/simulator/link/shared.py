"""Places of memories that are written: whether all runs of a loop access them in the same way.

Accesses are those of every instruction in every run along which its address steps, once elsewhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from waterclock.simulator.link.addresses import addresses
from waterclock.simulator.link.anatomy import RERAM, Anatomy
from waterclock.simulator.link.linked import Bools, Longs
from waterclock.simulator.link.memory import accesses, registers
from waterclock.simulator.link.rolled import INNER, OUTER, Rolled


@dataclass(frozen=True, eq=False)
class Places:
    """Every event with every place that it may access where something can be written, and whether it writes there."""

    anatomy: Anatomy
    event: Longs
    place: Longs
    is_written: Bools


def places_of(anatomy: Anatomy) -> Places:
    accessed = accesses(anatomy, addresses(anatomy, "address"))
    writable = anatomy.space[accessed.event] != RERAM
    event, unit = accessed.event[writable], accessed.unit[writable]
    place = registers(anatomy, anatomy.memory[event], unit)
    return Places(anatomy, event, place, anatomy.writes_memory[event])


def cut_rows(rolled: Rolled) -> Bools:
    return np.array([*(block.is_cut for block in rolled.blocks), False])[rolled.block]


def moving(rolled: Rolled, level: int) -> Longs:
    """[m]: by how much each row's address steps along a loop level."""
    return rolled.rows.record["address"]["stride"][:, level].astype(np.int64)


def runs_of_rows(rolled: Rolled, number: int) -> Longs:
    """[3, k]: row, inner and outer run of all accesses in a block, once for those that are in the same place."""
    block, found = rolled.blocks[number], list[Longs]()
    mine = rolled.block == number
    for inner in (False, True):
        for outer in (False, True):
            stepping = mine & ((moving(rolled, INNER) != 0) == inner) & ((moving(rolled, OUTER) != 0) == outer)
            runs = block.inner_runs if inner else 1, block.outer_runs if outer else 1
            grid = np.meshgrid(np.flatnonzero(stepping), *map(range, runs), indexing="ij")
            found.append(np.stack([column.ravel() for column in grid]).astype(np.int64))
    return np.concatenate(found, axis=1)


def places_are_alike(rolled: Rolled, runs: Longs, accessed: Places) -> bool:
    """Whether each written place is, for all accesses in a block, of the same run of the loops along which they step.
    `runs` is by event."""
    meeting = np.isin(accessed.place, accessed.place[accessed.is_written])
    event, place = accessed.event[meeting], accessed.place[meeting]
    cut = cut_rows(rolled)[runs[0, event]]
    accesses_there = _Accesses.of(rolled, runs, event[cut], place[cut])
    steps = (accesses_there.run >= 0).astype(np.int64)
    meaning = np.unique(np.stack([accesses_there.block, accesses_there.place, *steps, *accesses_there.run]), axis=1)
    return np.unique(meaning[:2], axis=1).shape[1] == meaning.shape[1]


@dataclass(frozen=True, eq=False)
class _Accesses:
    """Accesses of places: the row and block of each; and its inner and outer run, -1 where the row does not step."""

    place: Longs
    row: Longs
    block: Longs
    run: Longs

    @staticmethod
    def of(rolled: Rolled, runs: Longs, event: Longs, place: Longs) -> "_Accesses":
        row = runs[0, event]
        steps = np.stack([moving(rolled, level)[row] != 0 for level in (INNER, OUTER)])
        return _Accesses(place, row, rolled.block[row], np.where(steps, runs[1:, event], -1))

    def __getitem__(self, chosen: Longs | Bools) -> "_Accesses":
        return _Accesses(self.place[chosen], self.row[chosen], self.block[chosen], self.run[:, chosen])


def blocks_are_alike(rolled: Rolled, runs: Longs, accessed: Places) -> bool:
    """Whether all runs of a block that is cut read what earlier blocks wrote from the same instructions, each in the
    same run or all in one that is kept; and others either what the runs that are kept wrote, or what all did."""
    every = _Accesses.of(rolled, runs, accessed.event, accessed.place)
    in_two_blocks = np.unique(np.stack([every.place, every.block]), axis=1)[0]
    in_two_blocks = in_two_blocks[1:][in_two_blocks[1:] == in_two_blocks[:-1]]
    shared = np.isin(every.place, in_two_blocks)
    reads, writes = every[shared & ~accessed.is_written], every[shared & accessed.is_written]
    read, written = _last_written(rolled, reads, writes)
    kept = np.array([[block.kept_inner, block.kept_outer] for block in rolled.blocks]).T[:, written.block]
    left_out = written.run >= kept
    cut = np.array([block.is_cut for block in rolled.blocks])[read.block]
    same_run = (written.run == read.run) & (read.run >= 0)
    if (cut & (left_out & ~same_run | (written.run >= 0) & (read.run >= 0) & ~same_run).any(axis=0)).any():
        return False
    by_reader = [read.row[cut], written.row[cut]], read.run[:, cut]
    odd = ~cut & left_out.any(axis=0)
    by_writer = [written.row, read.row, *read.run], written.run
    touched = _keys_of(by_writer[0], odd)
    return _all_runs_meet(rolled, *by_reader) and _all_runs_meet(
        rolled, [column[touched] for column in by_writer[0]], by_writer[1][:, touched]
    )


def _last_written(rolled: Rolled, reads: _Accesses, writes: _Accesses) -> tuple[_Accesses, _Accesses]:
    """Every read of what its own block has not written before, with every write of that in the last block that did."""
    reader, writer = _meetings(reads, writes)
    read_block, write_block = reads.block[reader], writes.block[writer]
    here = read_block == write_block
    before = here & (rolled.first_cycle[writes.row[writer]] < rolled.first_cycle[reads.row[reader]])
    last = np.full(len(reads.row), -1, np.int64)
    earlier = write_block < read_block
    np.maximum.at(last, reader[earlier], write_block[earlier])
    last[reader[before]] = -1
    chosen = earlier & (write_block == last[reader])
    return reads[reader[chosen]], writes[writer[chosen]]


def _meetings(reads: _Accesses, writes: _Accesses) -> tuple[Longs, Longs]:
    """Every read with every write of its place, as indices of both."""
    order = np.argsort(writes.place, kind="stable")
    first, end = (np.searchsorted(writes.place[order], reads.place, side=side) for side in ("left", "right"))
    count = end - first
    reader = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(reader)) - np.repeat(np.cumsum(count) - count, count)
    return reader, order[first[reader] + within]


def _keys_of(columns: Sequence[Longs], chosen: Bools) -> Bools:
    """Which columns are like a chosen one."""
    _, key = np.unique(np.stack(columns), axis=1, return_inverse=True)
    return np.isin(key, key[chosen])


def _all_runs_meet(rolled: Rolled, pair: Sequence[Longs], run: Longs) -> bool:
    """Whether the first row of each pair meets the rest of the pair in all runs along which it steps."""
    if not len(pair[0]):
        return True
    met = np.unique(np.stack([*pair, *run]), axis=1)
    found, count = np.unique(met[: len(pair)], axis=1, return_counts=True)
    block = rolled.block[found[0]]
    num_runs = np.ones(len(block), np.int64)
    for level, name in ((INNER, "inner_runs"), (OUTER, "outer_runs")):
        in_block = np.array([getattr(each, name) for each in rolled.blocks])[block]
        num_runs *= np.where(moving(rolled, level)[found[0]] != 0, in_block, 1)
    return bool((count == num_runs).all())
