"""Addresses: the values that each may take over the declared ranges of the launch parameters.

An address is a known base and a parametric offset. Events with the same terms share one set of offsets.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from waterclock.isa.program import Param
from waterclock.isa.record import NUM_TERMS
from waterclock.simulator.link.anatomy import Anatomy
from waterclock.simulator.link.errors import Cause, LinkError
from waterclock.simulator.link.linked import Bools, Longs

MAX_VALUES = 1 << 22
"""Values of parameters that one address is looked at for."""


@dataclass(frozen=True, eq=False)
class Addresses:
    """`address` or `place` of every event: base[i] + each of offsets[kind[i]], which are sorted and distinct."""

    base: Longs
    kind: Longs
    offsets: tuple[Longs, ...]

    @cached_property
    def low(self) -> Longs:
        return self.base + np.array([offsets[0] for offsets in self.offsets])[self.kind]

    @cached_property
    def high(self) -> Longs:
        return self.base + np.array([offsets[-1] for offsets in self.offsets])[self.kind]

    def values(self, events: Longs) -> tuple[Longs, Longs]:
        """All values of these events, as (event, value) pairs."""
        sizes = np.array([len(offsets) for offsets in self.offsets])
        starts = np.cumsum(sizes) - sizes
        count = sizes[self.kind[events]]
        event = np.repeat(events, count)
        within = np.arange(len(event)) - np.repeat(np.cumsum(count) - count, count)
        return event, self.base[event] + np.concatenate(self.offsets)[starts[self.kind[event]] + within]


def addresses(anatomy: Anatomy, name: str) -> Addresses:
    """The values of record field `name` ("address" or "place") of every event. Its parameters must be declared."""
    events, rows = anatomy.events, anatomy.events.rows.record[name]
    iteration = events.iteration.astype(np.int64)
    base = anatomy.field(name, "base") + (rows["stride"].astype(np.int64)[events.row] * iteration).sum(axis=1)
    uses_terms: Bools = np.asarray(rows["term"]["used"].any(axis=1))
    parametric = np.flatnonzero(uses_terms[events.row])
    term = rows["term"][events.row[parametric]]
    const = term["const"].astype(np.int64) + (term["step"] * iteration[parametric, None, :]).sum(axis=2)
    shapes = [term[field].astype(np.int64) for field in ("used", "param", "shift", "stride", "mask")]
    columns = np.stack([*shapes, const], axis=2) * shapes[0][:, :, None]  # [k, terms, 6]
    flat = columns.reshape(len(parametric), NUM_TERMS * columns.shape[2])
    kinds, kind = np.unique(flat, axis=0, return_inverse=True)
    all_kinds = np.zeros(len(base), np.int64)
    all_kinds[parametric] = kind.ravel() + 1
    param_by_index = {param.index: param for param in events.program.params}
    parametric_offsets = [_offsets(terms.reshape(NUM_TERMS, -1), param_by_index) for terms in kinds]
    return Addresses(base, all_kinds, (np.zeros(1, np.int64), *parametric_offsets))


def _offsets(terms: Longs, param_by_index: Mapping[int, Param]) -> Longs:
    """The sorted distinct sums of the terms over all parameter values; terms of one parameter move together."""
    total = np.zeros(1, np.int64)
    for index in sorted({int(term[1]) for term in terms if term[0]}):
        param = param_by_index[index]
        if param.high - param.low >= MAX_VALUES:
            raise LinkError(Cause.PARAMETER, f"parameter {param.name}: its range is too wide for an address")
        value = np.arange(param.low, param.high + 1)
        offset = np.zeros(len(value), np.int64)
        for used, owner, shift, stride, mask, const in terms.tolist():
            if used and owner == index:
                offset += stride * (((value + const).astype(np.int32).astype(np.int64) >> shift) & mask)
        distinct = np.unique(offset)
        if len(total) * len(distinct) > MAX_VALUES:
            raise LinkError(Cause.PARAMETER, f"parameter {param.name}: too many addresses together with another")
        total = np.unique(total[:, None] + distinct)
    return total
