"""Runs: whether the runs of a block that are left out are like those that are kept.

Registers are alike in all runs. Addresses step: by *run* an address may be a place of its own, one that all runs
share, or one of a set that depends on the parameters. All runs are alike if every place that is written has one such
meaning for all that access it in a block, if whatever a run reads was written in the same run, in the outer run before,
or before the block, and if what another block wrote was written there by the same instructions, each in the same run.
What is rare is not argued about, but looked at in every run: an output or a constant that is written in a loop, a step
from anywhere in one copy of an object to anywhere in another.
"""

import numpy as np

from waterclock.chip import Chip
from waterclock.isa.program import Program
from waterclock.isa.record import Records
from waterclock.simulator.link.addresses import addresses
from waterclock.simulator.link.anatomy import RERAM, SRAM, Anatomy
from waterclock.simulator.link.linked import Bools, Events, Linked, Longs
from waterclock.simulator.link.memory import check_ranges
from waterclock.simulator.link.objects import NO_OBJECT, constants, objects_of, output_words
from waterclock.simulator.link.rolled import INNER, OUTER, Rolled
from waterclock.simulator.link.shared import (
    blocks_are_alike,
    cut_rows,
    moving,
    places_are_alike,
    places_of,
    runs_of_rows,
)
from waterclock.simulator.link.unroll import in_runs


def corner_events(program: Program, chip: Chip, rolled: Rolled) -> Events:
    """Every instruction in the first and the last inner and outer run of its block; one with a term that steps, which a
    mask can take anywhere between, in every inner run. LinkError for an address out of range."""
    ends = [(_ends(block.inner_runs), _ends(block.outer_runs)) for block in rolled.blocks]
    between = _in_all_inner_runs(rolled, _steps(rolled, INNER))
    runs = np.concatenate([np.stack(rolled.runs(ends)), between, _in_last_outer_run(rolled, between)], axis=1)
    events = in_runs(program, chip, rolled, *np.unique(runs, axis=1))
    anatomy = Anatomy(events)
    for name in ("address", "place"):
        check_ranges(anatomy, addresses(anatomy, name), name)
    return events


def _ends(runs: int) -> tuple[int, ...]:
    return tuple(dict.fromkeys((0, runs - 1)))


def runs_are_alike(program: Program, chip: Chip, rolled: Rolled) -> bool:
    """Whether in every block that is cut each place that is written means the same to all that access it, and banks
    meet in all runs or in none."""
    if (_steps(rolled, OUTER) & cut_rows(rolled)).any() or not _are_declared(program, rolled):
        return False
    runs = np.concatenate([runs_of_rows(rolled, number) for number in range(len(rolled.blocks))], axis=1)
    accessed = places_of(_anatomy(program, chip, rolled, runs))
    return (
        _offsets_are_alike(program, chip, rolled, accessed.place[accessed.is_written])
        and places_are_alike(rolled, runs, accessed)
        and blocks_are_alike(rolled, runs, accessed)
        and _banks_are_alike(program, chip, rolled)
    )


def _are_declared(program: Program, rolled: Rolled) -> bool:
    """Whether all parameters are declared that addresses use."""
    terms = [rolled.rows.record[name]["term"] for name in ("address", "place")]
    used = np.unique(np.concatenate([term["param"][term["used"] != 0] for term in terms]))
    return set(used.tolist()) <= {param.index for param in program.params}


def _anatomy(program: Program, chip: Chip, rolled: Rolled, runs: Longs) -> Anatomy:
    """The columns of issues, each of a row in an inner and an outer run: [3, k]."""
    return Anatomy(in_runs(program, chip, rolled, *runs))


def _once(program: Program, chip: Chip, rolled: Rolled) -> Anatomy:
    """Every row once."""
    row = np.flatnonzero(rolled.block >= 0)
    return _anatomy(program, chip, rolled, np.stack([row, np.zeros_like(row), np.zeros_like(row)]))


def _in_all_inner_runs(rolled: Rolled, chosen: Bools) -> Longs:
    """[3, k]: the chosen rows in all inner runs of their blocks."""
    row = np.flatnonzero(chosen & (rolled.block >= 0))
    count: Longs = np.array([block.inner_runs for block in rolled.blocks], np.int64)[rolled.block[row]]
    inner = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count, count)
    return np.stack([np.repeat(row, count), inner, np.zeros_like(inner)])


def _offsets_are_alike(program: Program, chip: Chip, rolled: Rolled, written: Longs) -> bool:
    """Whether the parametric part of the address of whatever may meet a write is the same set of places in all runs;
    `written` holds the places that are written elsewhere too."""
    steps = _steps(rolled, INNER, ("address",)) & cut_rows(rolled)
    anatomy = _anatomy(program, chip, rolled, _in_all_inner_runs(rolled, steps))
    addressed = addresses(anatomy, "address")
    number_by_set = {offsets.tobytes(): i for i, offsets in enumerate(addressed.offsets)}
    kind = np.array([number_by_set[offsets.tobytes()] for offsets in addressed.offsets])[addressed.kind]
    found = places_of(anatomy)
    all_written = np.concatenate([written, found.place[found.is_written]])
    in_banks = np.isin(anatomy.space, (RERAM, SRAM))
    meeting = np.flatnonzero(in_banks | anatomy.events.marked(found.event[np.isin(found.place, all_written)]))
    pairs = np.unique(np.stack([anatomy.events.row, kind])[:, meeting], axis=1)
    return len(np.unique(pairs[0])) == pairs.shape[1]


def objects_are_alike(program: Program, chip: Chip, rolled: Rolled, flow: Records) -> bool:
    """Whether it is enough to ask in the corners of the loops that addresses stay inside their objects, and of the runs
    that are kept who wrote the outputs. LinkError for an object that can't be."""
    once = _once(program, chip, rolled)
    objects, row = objects_of(once), once.events.row.astype(np.int64)
    object_of_row = flow["object"].astype(np.int64)[row]
    if ((object_of_row < NO_OBJECT) | (object_of_row >= len(program.objects))).any():
        return False
    copies = objects.stride[object_of_row] * once.bytes_per_word
    steps = np.stack([moving(rolled, level)[row] for level in (INNER, OUTER)])
    if ((objects.num_copies[object_of_row] > 1) & (steps % copies != 0) & cut_rows(rolled)[row]).any():
        return False
    runs = np.concatenate([runs_of_rows(rolled, number) for number in range(len(rolled.blocks))], axis=1)
    accessed = places_of(_anatomy(program, chip, rolled, runs))
    in_loop = np.array([block.inner_runs * block.outer_runs > 1 for block in rolled.blocks])
    written = accessed.place[accessed.is_written & in_loop[rolled.block[runs[0, accessed.event]]]]
    single = np.concatenate([constants(once, objects), output_words(once)])
    return not np.isin(single, written).any()


def _steps(rolled: Rolled, level: int, names: tuple[str, ...] = ("address", "place")) -> Bools:
    """[m]: whether a term of each row's `address` or `place` steps along a loop level."""
    steps = [rolled.rows.record[name]["term"]["step"][:, :, level] != 0 for name in names]
    return np.asarray(np.concatenate(steps, axis=1).any(axis=1))


def _in_last_outer_run(rolled: Rolled, runs: Longs) -> Longs:
    """[3, k]: the same rows and inner runs in the last outer run of their blocks."""
    last = np.array([block.outer_runs - 1 for block in rolled.blocks])
    return np.stack([runs[0], runs[1], last[rolled.block[runs[0]]]])


def _banks_are_alike(program: Program, chip: Chip, rolled: Rolled) -> bool:
    """Whether the tiles of each memory step alike, modulo its banks, in all accesses of a block; what does not step by
    whole rounds of banks must not be accessed outside of its block."""
    anatomy = _once(program, chip, rolled)
    tiles = np.flatnonzero((anatomy.space == RERAM) | (anatomy.space == SRAM))
    row = anatomy.events.row[tiles].astype(np.int64)
    num_banks = np.where(anatomy.space[tiles] == RERAM, chip.mxm.num_reram_banks, chip.mxm.num_sram_banks)
    steps = [moving(rolled, level)[row] % np.maximum(1, num_banks) for level in (INNER, OUTER)]
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
