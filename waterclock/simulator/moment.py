"""Moment: what a chip holds in one cycle of a launch, beside its memories."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from waterclock.simulator.semantics import Bytes
from waterclock.simulator.sequencer import Issue
from waterclock.simulator.state import Words


@dataclass(frozen=True, eq=False)
class Moment:
    """A cycle as its issues find it: after what arrives in it, before what they change.

    `issues` has at most one for each queue, in the order of the queues. `streams` is uint8 [2, x, stream, lane], east
    before west, `written` [2, x, stream] whether anything has come to a register in this launch. A hold register or
    an accumulator (by index of its MXM, and number) that nothing has written is absent.
    """

    cycle: int
    issues: tuple[Issue, ...]
    streams: Bytes
    written: npt.NDArray[np.bool_]
    hold_by_index: Mapping[int, Words]
    accumulator_by_place: Mapping[tuple[int, int], Words]
    params: Words
