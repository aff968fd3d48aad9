"""Sections: what of a stretch is run part by part of its tokens, and what the operations of one have in common."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from waterclock.simulator.link.rolled import INNER
from waterclock.simulator.machine.columns import TERM_COLUMNS
from waterclock.simulator.machine.kernels import NUMBER_BY_KERNEL
from waterclock.simulator.machine.ops import AHEAD, AT, IS_LAST, PLACE, SLOT, STEPS, Ints
from waterclock.simulator.machine.stretches import Stretch

_WRITES_OF_PARTS, _WRITES_OF_WORDS = ("mem.write_lane", "mxm.write_row"), ("mem.write8", "mem.write32")
_PRODUCTS = ("matvecs", "mxm.matvec")


def sections(ops: Ints, terms: Ints, stretch: Stretch) -> Ints:
    """For each section, and once after the last, the first operation and the first term. A new one begins where what
    all tokens have written is read first. Marks in `ops` which writes only the last token does."""
    ends = [0, len(ops)]
    if stretch.is_apart:
        _mark_last_ones(ops, terms)
        ends = [0, *_first_reads(ops), len(ops)]
    return np.stack([ends, np.searchsorted(terms[:-1, 0], ends)], axis=1).astype(np.int32)


def _first_reads(ops: Ints) -> Iterator[int]:
    """Operations that are the first to read what those before have written parts of."""
    writes_a_part = _is_one_of(ops, _WRITES_OF_PARTS)
    unread: set[int] = set()
    for op in np.flatnonzero(ops[:, SLOT]).tolist():
        slot = int(ops[op, SLOT])
        if writes_a_part[op]:
            unread.add(slot)
        elif slot in unread:
            unread.clear()
            yield op


def _mark_last_ones(ops: Ints, terms: Ints) -> None:
    """Writes whose address is the same for all tokens."""
    moves = np.zeros(len(ops), np.bool_)
    moves[terms[terms[:, TERM_COLUMNS.index("inner")] != 0, 0]] = True
    ops[:, IS_LAST] = _is_one_of(ops, _WRITES_OF_WORDS) & ~moves & (ops[:, STEPS[INNER]] == 0)


def mark_operands_taken(ops: Ints, starts: Ints, operands: Ints) -> None:
    """Mark chains whose operands are those of the chain before: in the same section, and no other product between.
    `operands` has the value of each link."""
    section, before = np.searchsorted(starts[:, 0], np.arange(len(ops)), "right"), (-1, b"")
    for op in np.flatnonzero(_is_one_of(ops, _PRODUCTS)).tolist():
        first, count = ops[op, [AT, PLACE]].tolist()
        is_chain = ops[op, 0] == NUMBER_BY_KERNEL["matvecs"]
        taken = (int(section[op]), operands[first : first + count].tobytes()) if is_chain else (-1, b"")
        if is_chain:
            ops[op, AHEAD] = taken == before
        before = taken


def _is_one_of(ops: Ints, kernels: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    return np.isin(ops[:, 0], [NUMBER_BY_KERNEL[name] for name in kernels])
