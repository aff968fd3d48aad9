"""Runs: whether the runs of a block that are left out are like those that are kept.

Registers are alike in all runs. Addresses step: by *run* an address may be a place of its own, one that all runs
share, or one of a set that depends on the parameters. All runs are alike if every place that is written has one such
meaning for all that access it, and if whatever a run reads was written in the same run, in the outer run before, or
before the block.
"""

from dataclasses import dataclass

import numpy as np

from waterclock.chip import Chip
from waterclock.isa.program import Program
from waterclock.simulator.link.addresses import addresses
from waterclock.simulator.link.anatomy import RERAM, SRAM, Anatomy
from waterclock.simulator.link.linked import Bools, Events, Linked, Longs
from waterclock.simulator.link.memory import accesses, check_ranges, registers
from waterclock.simulator.link.roll import INNER, OUTER, Rolled
from waterclock.simulator.link.unroll import in_runs


def corner_events(program: Program, chip: Chip, rolled: Rolled) -> Events:
    """Every instruction in the first and the last inner and outer run of its block. LinkError for an address out of
    range."""
    ends = [(_ends(block.inner_runs), _ends(block.outer_runs)) for block in rolled.blocks]
    events = in_runs(program, chip, rolled, *rolled.runs(ends))
    anatomy = Anatomy(events)
    for name in ("address", "place"):
        check_ranges(anatomy, addresses(anatomy, name), name)
    return events


def _ends(runs: int) -> tuple[int, ...]:
    return tuple(dict.fromkeys((0, runs - 1)))


def runs_are_alike(program: Program, chip: Chip, rolled: Rolled) -> bool:
    """Whether in every block that is cut each place that is written means the same to all that access it, and banks
    meet in all runs or in none."""
    runs = np.concatenate([_runs_of_rows(rolled, number) for number in range(len(rolled.blocks))], axis=1)
    accessed = _places(_anatomy(program, chip, rolled, runs))
    return (
        _offsets_are_alike(program, chip, rolled, accessed.place[accessed.is_written])
        and _places_are_alike(rolled, runs, accessed)
        and _banks_are_alike(program, chip, rolled)
    )


def _anatomy(program: Program, chip: Chip, rolled: Rolled, runs: Longs) -> Anatomy:
    """The columns of issues, each of a row in an inner and an outer run: [3, k]."""
    return Anatomy(in_runs(program, chip, rolled, *runs))


def _in_all_inner_runs(rolled: Rolled, chosen: Bools) -> Longs:
    """[3, k]: the chosen rows in all inner runs of their blocks."""
    row = np.flatnonzero(chosen & (rolled.block >= 0))
    count: Longs = np.array([block.inner_runs for block in rolled.blocks], np.int64)[rolled.block[row]]
    inner = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    return np.stack([np.repeat(row, count), inner, np.zeros_like(inner)])


def _offsets_are_alike(program: Program, chip: Chip, rolled: Rolled, written: Longs) -> bool:
    """Whether the parametric part of the address of whatever may meet a write is the same set of places in all runs;
    `written` holds the places that are written elsewhere too."""
    steps = (rolled.rows.record["address"]["term"]["step"] != 0).any(axis=(1, 2))
    anatomy = _anatomy(program, chip, rolled, _in_all_inner_runs(rolled, steps & _cut_rows(rolled)))
    addressed = addresses(anatomy, "address")
    number_by_set = {offsets.tobytes(): i for i, offsets in enumerate(addressed.offsets)}
    kind = np.array([number_by_set[offsets.tobytes()] for offsets in addressed.offsets])[addressed.kind]
    found = _places(anatomy)
    all_written = np.concatenate([written, found.place[found.is_written]])
    meeting = np.unique(found.event[np.isin(found.place, all_written)])
    pairs = np.unique(np.stack([anatomy.events.row, kind])[:, meeting], axis=1)
    return len(np.unique(pairs[0])) == pairs.shape[1]


@dataclass(frozen=True, eq=False)
class _Places:
    """Every event with every place that it may access where something can be written, and whether it writes there."""

    anatomy: Anatomy
    event: Longs
    place: Longs
    is_written: Bools


def _places(anatomy: Anatomy) -> _Places:
    accessed = accesses(anatomy, addresses(anatomy, "address"))
    writable = anatomy.space[accessed.event] != RERAM
    event, unit = accessed.event[writable], accessed.unit[writable]
    place = registers(anatomy, anatomy.memory[event], unit)
    return _Places(anatomy, event, place, anatomy.writes_memory[event])


def _cut_rows(rolled: Rolled) -> Bools:
    return np.array([*(block.is_cut for block in rolled.blocks), False])[rolled.block]


def _places_are_alike(rolled: Rolled, runs: Longs, accessed: _Places) -> bool:
    """Whether each written place is, for all accesses in a block, of the same run of the loops along which they step;
    and whether what is in no loop accesses only places of runs that are kept. `runs` is by event."""
    meeting = np.isin(accessed.place, accessed.place[accessed.is_written])
    event, place = accessed.event[meeting], accessed.place[meeting]
    row = runs[0, event]
    cut, block = _cut_rows(rolled)[row], rolled.block[row]
    steps = [_moving(rolled, level)[row] for level in (INNER, OUTER)]
    run = [np.where(step != 0, runs[1 + i, event], -1) for i, step in enumerate(steps)]
    meaning = np.unique(np.stack([block, place, *steps, *run])[:, cut], axis=1)
    if np.unique(meaning[:2], axis=1).shape[1] < meaning.shape[1]:
        return False
    kept = [np.array([getattr(each, name) for each in rolled.blocks]) for name in ("kept_inner", "kept_outer")]
    left_out = cut & ((run[0] >= kept[0][block]) | (run[1] >= kept[1][block]))
    parametric: Bools = np.asarray(accessed.anatomy.terms("address", "used").any(axis=1))
    fixed = ~parametric[event] & ~cut
    return not np.isin(place[fixed], place[left_out]).any()


def _moving(rolled: Rolled, level: int) -> Longs:
    """[m]: by how much each row's address steps along a loop level."""
    return rolled.rows.record["address"]["stride"][:, level].astype(np.int64)


def _runs_of_rows(rolled: Rolled, number: int) -> Longs:
    """[3, k]: row, inner and outer run of all accesses in a block, once for those that are in the same place."""
    block, found = rolled.blocks[number], list[Longs]()
    mine = rolled.block == number
    for inner in (False, True):
        for outer in (False, True):
            stepping = mine & ((_moving(rolled, INNER) != 0) == inner) & ((_moving(rolled, OUTER) != 0) == outer)
            runs = block.inner_runs if inner else 1, block.outer_runs if outer else 1
            grid = np.meshgrid(np.flatnonzero(stepping), *map(range, runs), indexing="ij")
            found.append(np.stack([column.ravel() for column in grid]).astype(np.int64))
    return np.concatenate(found, axis=1)


def _banks_are_alike(program: Program, chip: Chip, rolled: Rolled) -> bool:
    """Whether the tiles of each memory step alike, modulo its banks, in all accesses of a block; what does not step by
    whole rounds of banks must not be accessed outside of its block."""
    once = np.flatnonzero(rolled.block >= 0)
    anatomy = _anatomy(program, chip, rolled, np.stack([once, np.zeros_like(once), np.zeros_like(once)]))
    tiles = np.flatnonzero((anatomy.space == RERAM) | (anatomy.space == SRAM))
    row = anatomy.events.row[tiles].astype(np.int64)
    num_banks = np.where(anatomy.space[tiles] == RERAM, chip.mxm.num_reram_banks, chip.mxm.num_sram_banks)
    steps = [_moving(rolled, level)[row] % np.maximum(1, num_banks) for level in (INNER, OUTER)]
    meaning = np.unique(np.stack([anatomy.memory[tiles], rolled.block[row], *steps]), axis=1)
    if np.unique(meaning[:2], axis=1).shape[1] < meaning.shape[1]:
        return False
    moved = np.unique(meaning[0, (meaning[2:] != 0).any(axis=0)])
    return len(moved) == np.isin(meaning[0], moved).sum()


def is_in_its_run(linked: Linked) -> bool:
    """Whether every value, in a block that is cut, is of the same run as its reader, and what is read from a memory is
    of the same run, of the outer run before, of an earlier block, or (shared by all) of an overlapping run."""
    rolled = linked.rolled
    assert rolled is not None
    block, inner, outer = _run_of(linked, rolled)
    cut = np.array([each.is_cut for each in rolled.blocks])[block]
    for values, may_be_earlier in (
        (np.concatenate([linked.producer, linked.acc[:, None]], axis=1), False), (linked.param, True)
    ):  # fmt: skip
        reader, place = np.nonzero(values >= 0)
        found = values[reader, place].astype(np.int64)
        here = block[reader] == block[found]
        same = here & (inner[reader] == inner[found]) & (outer[reader] == outer[found])
        if (~same & (cut[reader] | cut[found]) & ~(may_be_earlier & ~here)).any():
            return False
    return _memory_is_in_its_run(linked, block, inner, outer, cut)


def _memory_is_in_its_run(linked: Linked, block: Longs, inner: Longs, outer: Longs, cut: Bools) -> bool:
    assert linked.rolled is not None
    reader = np.flatnonzero((linked.memory >= 0) & cut)
    found = linked.memory[reader].astype(np.int64)
    later, before = inner[found] - inner[reader], outer[reader] - outer[found]
    here = block[reader] == block[found]
    overlap = np.array([each.overlap for each in linked.rolled.blocks])[block[reader]]
    near = here & (before == 0) & (np.abs(later) < np.maximum(overlap, 2))
    carried = here & (before == 1) & (later == 0)
    earlier = ~here & ((later == 0) | ~cut[found])
    return bool((near | carried | earlier).all())


def _run_of(linked: Linked, rolled: Rolled) -> tuple[Longs, Longs, Longs]:
    """The block, inner and outer run of every event."""
    row = linked.row.astype(np.int64)
    iteration = linked.iteration.astype(np.int64)
    return rolled.block[row], iteration[:, INNER] + rolled.first_run[row], iteration[:, OUTER]
