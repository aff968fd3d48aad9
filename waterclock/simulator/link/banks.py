"""Banks of the MXM tiles: two accesses of one bank must issue at least its busy time apart, for all parameters."""

import numpy as np

from waterclock.simulator.link.addresses import Addresses
from waterclock.simulator.link.anatomy import RERAM, SRAM, Anatomy
from waterclock.simulator.link.errors import Cause
from waterclock.simulator.link.linked import Bools, Longs

_SRAM_BUSY_CYCLES = 1


def check_banks(anatomy: Anatomy, tiles: Addresses) -> None:
    """LinkError for the first event that may access a bank while an access before keeps it busy."""
    mxm = anatomy.chip.mxm
    busy_by_space = {RERAM: mxm.sense_cycles, SRAM: _SRAM_BUSY_CYCLES}
    num_banks_by_space = {RERAM: mxm.num_reram_banks, SRAM: mxm.num_sram_banks}
    clashing = np.full(len(anatomy.events), -1, np.int64)
    for space, num_banks in num_banks_by_space.items():
        here = np.flatnonzero(anatomy.space == space)
        here = here[np.argsort(anatomy.x[here], kind="stable")]
        busy = np.where(anatomy.writes_row[here], mxm.write_row_cycles, busy_by_space[space])
        for earlier, later in _close(anatomy, here, busy):
            met = _may_meet(tiles, earlier, later, num_banks)
            clashing[later[met]] = earlier[met]
    anatomy.events.refuse(
        clashing >= 0,
        Cause.BANK,
        lambda event: f"its bank may still be busy with {anatomy.events.name(int(clashing[event]))}",
    )


def _close(anatomy: Anatomy, events: Longs, busy: Longs) -> list[tuple[Longs, Longs]]:
    """Pairs of events of one slice, the later in the busy time of the earlier. `events` are by slice and cycle."""
    pairs: list[tuple[Longs, Longs]] = []
    x, cycle = anatomy.x[events], anatomy.cycle[events]
    for lag in range(1, int(busy.max(initial=1))):  # a slice has one queue: the next event but k is k + 1 cycles away
        near = (x[lag:] == x[:-lag]) & (cycle[lag:] - cycle[:-lag] < busy[:-lag])
        pairs.append((events[:-lag][near], events[lag:][near]))
    return pairs


def _may_meet(tiles: Addresses, earlier: Longs, later: Longs, num_banks: int) -> Bools:
    """Whether two events may access the same bank. Offsets with the same terms are the same number in both events."""
    distance = (tiles.base[later] - tiles.base[earlier]) % num_banks
    kinds = np.stack([tiles.kind[earlier], tiles.kind[later]], axis=1)
    meet: Bools = np.asarray(distance == 0)
    for first, second in np.unique(kinds[kinds[:, 0] != kinds[:, 1]], axis=0).tolist():
        chosen = (kinds == (first, second)).all(axis=1)
        banks = [np.unique(tiles.offsets[kind] % num_banks) for kind in (int(first), int(second))]
        meet[chosen] = np.isin(distance[chosen], (banks[0][:, None] - banks[1]) % num_banks)
    return meet
