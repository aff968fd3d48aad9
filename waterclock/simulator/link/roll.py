"""Roll: which of a program's loops repeat one and the same thing.

Of an instruction that is in a queue's loop, what is written out before and after the loop is a further run, if it is
that instruction in every field, means the same, and issues in the cycle of that run.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np

from waterclock.chip import Chip
from waterclock.isa.program import NO_PRODUCER, QUEUE_SHIFT
from waterclock.isa.record import NUM_LEVELS, Records
from waterclock.isa.table import CONTROL, INSTRUCTIONS, OPCODES
from waterclock.simulator.link.rolled import INNER, OUTER, Block, Rolled
from waterclock.simulator.link.rows import Bools, Longs, Rows

_ADDRESSES = ("address", "place")
_MEANT_ALIKE = ("a", "b", "c", "memory", "acc", "object")
_CONTROL_OPCODES = [OPCODES[mnemonic] for mnemonic in sorted(CONTROL)]


def roll(rows: Rows, flow: Records, chip: Chip) -> Rolled | None:
    """The blocks of the rows; None where their loops are not alike, or what is written out is no run of a loop."""
    issuing = ~np.isin(rows.record["op"], _CONTROL_OPCODES)
    if not issuing.any() or (rows.runs[issuing, 0] > 1).any() or (rows.steered_by[:, OUTER + 1] >= 0).any():
        return None
    pattern = _patterns(rows, flow)
    itself = np.arange(len(pattern))
    written_out = issuing & (pattern != itself)
    if (pattern < 0).any() or not _are_runs(rows, flow, np.flatnonzero(written_out), pattern):
        return None
    token = flow["token"].astype(np.int64)
    first = rows.start - token * rows.period[:, INNER]
    block_rows = issuing & ~written_out
    if (token[block_rows & (rows.runs[:, INNER] == 1)] != 0).any() or (token < 0).any():
        return None
    num_runs = _num_runs(rows, token, pattern, block_rows, written_out)
    if num_runs is None:
        return None
    keys = np.stack([num_runs, rows.period[:, INNER], rows.runs[:, OUTER], rows.period[:, OUTER]], axis=1)
    return _blocks(rows, keys, block_rows, token, first, _reach_cycles(chip))


def _reach_cycles(chip: Chip) -> int:
    """How much later than an issue another can meet what it sent: a result on its way, a busy bank, a parameter."""
    latencies = [row.latency(chip) for row in INSTRUCTIONS.values() if row.latency is not None]
    busy = max(chip.mxm.sense_cycles, chip.mxm.write_row_cycles, chip.param_latency_cycles)
    return max(busy, max(latencies) + chip.num_positions)


def _patterns(rows: Rows, flow: Records) -> Longs:
    """The row that each row stands for, itself where it says none; -1 for none that there is."""
    ids = (rows.queue << QUEUE_SHIFT) | rows.entry
    named = flow["stands_for"].astype(np.int64)
    place = np.minimum(np.searchsorted(ids, named), len(ids) - 1)
    found = np.where(ids[place] == named, place, -1)
    return np.where(named == NO_PRODUCER, np.arange(len(ids)), found)


def _are_runs(rows: Rows, flow: Records, row: Longs, pattern: Longs) -> bool:
    """Whether each of these rows is and means the row that it stands for, in another run of the innermost loop around
    that."""
    own = pattern[row]
    if not len(row):
        return True
    if not np.array_equal(rows.queue[row], rows.queue[own]) or (pattern[own] != own).any():
        return False
    if not np.array_equal(rows.steered_by[row, INNER], rows.steered_by[own, OUTER]) or (rows.runs[own, 1] < 2).any():
        return False
    later = (flow["token"][row] - flow["token"][own]).astype(np.int64)
    if not np.array_equal(rows.start[row], rows.start[own] + later * rows.period[own, INNER]):
        return False
    if any(not np.array_equal(flow[name][row], flow[name][own]) for name in _MEANT_ALIKE):
        return False
    pairs = ((rows.record[row], _in_run(rows.record[own], later)), (flow[row], _addressed_in_run(flow[own], later)))
    (found, meant), (flow_found, flow_meant) = pairs
    same_address = [np.asarray(flow_found[name] == flow_meant[name]).all() for name in _ADDRESSES]
    computed = flow["computes"][row] == _computed_in_run(flow["computes"][own], later)
    return bool((found == meant).all() and all(same_address) and computed.all())


def _in_run(records: Records, later: Longs) -> Records:
    """The records as they are so many runs of the innermost loop later, outside of that loop."""
    return _computed_in_run(_addressed_in_run(records, later), later)


def _computed_in_run(records: Records, later: Longs) -> Records:
    """Rows of instructions or of what they compute whose scalar is that of that run."""
    moved = records.copy()
    moved["scalar"] += (records["scalar_step"][:, INNER] * later).astype(np.int32)
    moved["scalar_step"] = _outwards(records["scalar_step"])
    return moved


def _addressed_in_run(records: Records, later: Longs) -> Records:
    """Rows of instructions or of flow whose addresses are those of that run."""
    moved = records.copy()
    for name in _ADDRESSES:
        moved[name]["base"] += (records[name]["stride"][:, INNER] * later).astype(np.int32)
        moved[name]["stride"] = _outwards(records[name]["stride"])
        step = records[name]["term"]["step"]
        moved[name]["term"]["const"] += (step[:, :, INNER] * later[:, None]).astype(np.int32)
        moved[name]["term"]["step"] = _outwards(step)
    return moved


def _outwards(levels: Longs) -> Longs:
    """What steps by loop level, without the innermost loop."""
    moved = np.zeros_like(levels)
    moved[..., 0] = levels[..., 0]
    moved[..., INNER : NUM_LEVELS - 1] = levels[..., INNER + 1 :]
    return moved


def _num_runs(rows: Rows, token: Longs, pattern: Longs, block_rows: Bools, written_out: Bools) -> Longs | None:
    """[m]: the inner runs of each row, what is written out counted; None where one is missing or there twice."""
    num_runs = np.where(block_rows, rows.runs[:, INNER], 0)
    np.add.at(num_runs, pattern[written_out], 1)
    count = np.flatnonzero(block_rows)
    tokens = [np.repeat(count, rows.runs[count, INNER]), pattern[written_out]]
    within = np.arange(len(tokens[0])) - np.repeat(np.cumsum(rows.runs[count, INNER]) - rows.runs[count, INNER],
                                                   rows.runs[count, INNER])  # fmt: skip
    found = np.stack([np.concatenate(tokens), np.concatenate([token[tokens[0]] + within, token[written_out]])], axis=1)
    found = np.unique(found, axis=0)
    whole = len(found) == num_runs.sum() and (found[:, 1] >= 0).all() and (found[:, 1] < num_runs[found[:, 0]]).all()
    return num_runs if whole else None


def _blocks(rows: Rows, keys: Longs, block_rows: Bools, token: Longs, first: Longs, reach_cycles: int) -> Rolled | None:
    """Rows with the same loops are a block each; those in no loop are blocks between them."""
    block = np.full(len(keys), -1, np.int64)
    found, which = np.unique(keys[block_rows], axis=0, return_inverse=True)
    rows_by_key = [np.flatnonzero(block_rows)[which.ravel() == number] for number in range(len(found))]
    looped = [(key, own) for key, own in zip(found.tolist(), rows_by_key, strict=True) if key[0] * key[2] > 1]
    looped.sort(key=lambda pair: first[pair[1]].min())
    blocks = [_block(key, first[own], reach_cycles) for key, own in looped]
    if any(block is None for block in blocks):
        return None
    ordered = [block for block in blocks if block is not None]
    if any(before.end >= after.begin for before, after in pairwise(ordered)):
        return None
    alone = np.concatenate([own for key, own in zip(found.tolist(), rows_by_key, strict=True) if key[0] * key[2] == 1]
                           or [np.zeros(0, np.int64)])  # fmt: skip
    place = np.searchsorted([each.begin for each in ordered], first[alone], side="right")
    ends = np.array([-1, *(each.end for each in ordered)])
    if (first[alone] <= ends[place]).any():
        return None
    whole: list[Block] = []
    for number in range(len(ordered) + 1):
        between = alone[place == number]
        if len(between):
            block[between] = len(whole)
            start = int(first[between].min())
            whole.append(Block(start, int(first[between].max()) - start))
        if number < len(ordered):
            block[looped[number][1]] = len(whole)
            whole.append(ordered[number])
    # Where a block reads what another wrote, run by run, both need the same.
    kept = max(each.wanted_inner for each in whole)
    blocks = tuple(replace(each, kept_inner=min(each.inner_runs, kept)) for each in whole)
    return Rolled(rows, blocks, block, token, first)


def _block(key: list[int], first: Longs, reach_cycles: int) -> Block | None:
    begin = int(first.min())
    inner_runs, inner_period, outer_runs, outer_period = key
    block = Block(
        begin, int(first.max()) - begin, inner_runs, inner_period, outer_runs, outer_period, reach_cycles=reach_cycles
    )
    return block if block.outer_runs == 1 or block.outer_span_cycles < block.outer_period else None
