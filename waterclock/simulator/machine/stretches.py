"""Stretches: what of a linked program is run once, again and again, or for all runs of a loop at a time.

In a block whose inner runs overlap, operation after operation is done for all of them ("tokens") at once. That gives
what the chip gives, which works on several tokens at a time, if an operation that reads a word or tile into which every
token writes a part sees the parts of exactly those tokens that had written by then: `Shared` says which.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from waterclock.isa.table import OPCODES
from waterclock.simulator.link import Linked
from waterclock.simulator.link.addresses import Addresses, addresses
from waterclock.simulator.link.anatomy import Anatomy
from waterclock.simulator.link.linked import Bools, Longs
from waterclock.simulator.link.memory import accesses, registers
from waterclock.simulator.link.rolled import INNER, OUTER, Block, Rolled
from waterclock.simulator.semantics import BYTES_PER_WORD

_WRITE_A_PART = frozenset(OPCODES[mnemonic] for mnemonic in ("mem.write_lane", "mxm.write_row"))
_WHOLE = {OPCODES["mem.read32"]: OPCODES["mem.write32"], OPCODES["mem.read8"]: OPCODES["mem.write8"]}


@dataclass(frozen=True)
class Shared:
    """An event reads what `writer` (an event) writes a part of for every token: it sees the parts of the tokens up to
    `ahead` after its own."""

    writer: int
    ahead: int


@dataclass(frozen=True, eq=False)
class Stretch:
    """Events in the order of their cycles, run `outer_runs` times, each time `inner_runs` times, for `num_tokens` inner
    runs at once.

    `writer` says which event's operand a read of MEM gives as it is, because that was written there in the same run;
    `shared` is by event too. `is_apart` says that a token reads nothing else that another writes: some threads may each
    run some of the tokens, if they wait for one another before what is shared is read, and before each outer run.
    """

    events: Longs
    outer_runs: int = 1
    inner_runs: int = 1
    num_tokens: int = 1
    writer: Mapping[int, int] = field(default_factory=lambda: MappingProxyType({}))
    shared: Mapping[int, Shared] = field(default_factory=lambda: MappingProxyType({}))
    is_apart: bool = False

    @property
    def num_runs(self) -> int:
        return self.outer_runs * self.inner_runs * self.num_tokens


def stretches(linked: Linked) -> tuple[Stretch, ...] | None:
    """The stretches of a program in order; None if its loops, though rolled, can't be run so."""
    anatomy = Anatomy(linked)
    addressed = addresses(anatomy, "address")
    if linked.rolled is None:
        events = np.arange(len(linked))
        return (Stretch(events, writer=dict(_whole_words(anatomy, addressed, events))),)
    found = [_stretch(anatomy, addressed, linked.rolled, number) for number in range(len(linked.rolled.blocks))]
    whole = tuple(one for one in found if one is not None)
    return whole if len(whole) == len(found) else None


def _stretch(anatomy: Anatomy, addressed: Addresses, rolled: Rolled, number: int) -> Stretch | None:
    linked, block = anatomy.events, rolled.blocks[number]
    assert isinstance(linked, Linked)
    row = linked.row.astype(np.int64)
    mine = np.flatnonzero(rolled.block[row] == number)
    if not block.is_cut:
        return Stretch(mine, writer=dict(_whole_words(anatomy, addressed, mine)))
    inner, outer = linked.iteration[:, INNER] + rolled.first_run[row], linked.iteration[:, OUTER]
    found = linked.memory[mine]
    crosses = (found >= 0) & (rolled.block[row[found]] == number) & (inner[mine] != inner[found])
    once = mine[(inner[mine] == 0) & (outer[mine] == block.kept_outer - 1)]
    once = once[np.lexsort((linked.queue[once], rolled.first_cycle[row[once]]))]
    writer = dict(_whole_words(anatomy, addressed, once))
    if block.overlap == 1 or (anatomy.sets_param[once].any() and not crosses.any()):
        return Stretch(once, block.outer_runs, block.inner_runs, writer=writer)
    shared = dict(_parts(linked, rolled, block, once))
    runs_at_once = not anatomy.sets_param[once].any() and _are_own_parts(anatomy, addressed, once, block)
    if not runs_at_once:
        return None
    left = [event for event in once.tolist() if event not in writer and event not in shared]
    stays = all(_is_own_place(anatomy, event) for event in left if _is_in(linked, event))
    is_apart = block.outer_runs > 1 and _writes_whole_words(anatomy, once)  # all outer runs but the first are alike
    is_apart = is_apart and all(_is_of_own_run(anatomy, rolled, event) for event in left)
    return Stretch(once, block.outer_runs, 1, block.inner_runs, writer, shared, is_apart) if stays else None


def _whole_words(anatomy: Anatomy, addressed: Addresses, events: Longs) -> Iterator[tuple[int, int]]:
    """Reads of MEM, without parameters, that find what one of the events has written whole, and who that is."""
    linked = anatomy.events
    assert isinstance(linked, Linked)
    found = linked.memory[events].astype(np.int64)
    parametric: Bools = np.asarray(anatomy.terms("address", "used").any(axis=1))
    fixed = ~parametric
    address = addressed.base
    wanted = np.array([_WHOLE.get(op, -1) for op in anatomy.op[events].tolist()], np.int64)
    right = (found >= 0) & (anatomy.op[found] == wanted) & fixed[events] & fixed[found]
    right &= (address[events] == address[found]) & np.isin(found, events)
    yield from zip(events[right].tolist(), found[right].tolist(), strict=True)


def _is_in(linked: Linked, event: int) -> bool:
    """Whether what an event reads was written in its block, in the same outer run."""
    found = int(linked.memory[event])
    assert linked.rolled is not None
    block, row = linked.rolled.block, linked.row
    return (
        found >= 0
        and block[row[found]] == block[row[event]]
        and (linked.iteration[found, OUTER] == linked.iteration[event, OUTER])
    )


def _is_own_place(anatomy: Anatomy, event: int) -> bool:
    """Whether each token has a place of its own there."""
    row = int(anatomy.events.row[event])
    return bool(anatomy.events.rows.record["address"]["stride"][row, INNER] != 0)


def _is_of_own_run(anatomy: Anatomy, rolled: Rolled, event: int) -> bool:
    """Whether what an event reads was written before its block, or by its own token in a place of the token's own."""
    linked = anatomy.events
    assert isinstance(linked, Linked)
    found, row = int(linked.memory[event]), linked.row
    if found < 0 or rolled.block[row[found]] != rolled.block[row[event]]:
        return True
    inner = [int(linked.iteration[each, INNER] + rolled.first_run[row[each]]) for each in (event, found)]
    return inner[0] == inner[1] and _is_own_place(anatomy, event) and _is_own_place(anatomy, found)


def _writes_whole_words(anatomy: Anatomy, once: Longs) -> bool:
    """Whether no two tokens write bytes of one word, unless all write the same."""
    bytewise = once[np.isin(anatomy.op[once], [OPCODES["mem.write8"]])]
    row = anatomy.events.row[bytewise]
    step = anatomy.events.rows.record["address"]["stride"][row, INNER]
    return bool((step % BYTES_PER_WORD == 0).all())


def _parts(linked: Linked, rolled: Rolled, block: Block, once: Longs) -> Iterator[tuple[int, Shared]]:
    """Events that read what the block's writes of lanes or rows have written last, whatever the run."""
    row = linked.row.astype(np.int64)
    event_by_row = {int(row[event]): int(event) for event in once}
    for event in once.tolist():
        found = int(linked.memory[event])
        if (
            found < 0
            or linked.rows.record["op"][row[found]] not in _WRITE_A_PART
            or int(row[found]) not in event_by_row
        ):
            continue
        if linked.iteration[found, OUTER] == linked.iteration[event, OUTER]:
            later = int(rolled.first_cycle[row[event]] - 1 - rolled.first_cycle[row[found]])
            yield event, Shared(event_by_row[int(row[found])], later // block.inner_period)


def _are_own_parts(anatomy: Anatomy, addressed: Addresses, once: Longs, block: Block) -> bool:
    """Whether every write of a part gives each token a part of its own, and no two write parts of one word or tile."""
    writers = once[np.isin(anatomy.op[once], list(_WRITE_A_PART))]
    terms = {name: anatomy.terms("place", name)[writers] for name in ("used", "stride", "shift", "mask")}
    step = anatomy.steps("place")[writers, 0, INNER]
    lanes = anatomy.chip.lanes
    counts = (terms["used"].sum(axis=1) == 1) & (terms["used"][:, 0] == 1) & (terms["stride"][:, 0] == 1)
    counts &= (terms["shift"][:, 0] == 0) & (terms["mask"][:, 0] == lanes - 1) & (step == 1)
    accessed = accesses(anatomy, addressed)
    mine = np.isin(accessed.event, writers)
    event, unit = accessed.event[mine], accessed.unit[mine]
    place = registers(anatomy, anatomy.memory[event], unit)
    return bool(counts.all()) and block.inner_runs <= lanes and len(np.unique(place)) == len(place)
