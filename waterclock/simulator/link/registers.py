"""Hold registers of the VXM and accumulators of the MXMs: state that a launch must write before it reads it."""

import numpy as np

from waterclock.isa.record import OPERAND_NAMES, OperandKind
from waterclock.simulator.link.anatomy import Anatomy
from waterclock.simulator.link.errors import Cause
from waterclock.simulator.link.linked import Longs
from waterclock.simulator.link.timeline import Timeline


def resolve_holds(anatomy: Anatomy) -> Longs:
    """[n, 3]: the event whose result operands a, b, c find in a hold register; -1 for operands that are no holds.

    LinkError for two results that arrive in one hold in one cycle, and a hold that is not written before it is read.
    """
    events = anatomy.events
    hold = anatomy.field("result", "hold") - 1
    writers = np.flatnonzero(hold >= 0)
    timeline = Timeline(hold[writers], anatomy.cycle[writers] + anatomy.latency[writers], writers)
    events.refuse(
        events.marked(timeline.doubles()),
        Cause.DOUBLE_ARRIVAL,
        lambda event: f"another result arrives with it in hold {hold[event]}",
    )
    producer = np.full((len(events), len(OPERAND_NAMES)), -1, np.int64)
    empty = np.zeros((len(events), len(OPERAND_NAMES)), np.bool_)
    for place, name in enumerate(OPERAND_NAMES):
        readers = np.flatnonzero(anatomy.field(name, "kind") == OperandKind.HOLD)
        index = anatomy.field(name, "index")[readers]
        producer[readers, place] = timeline.latest(index, anatomy.cycle[readers])
        empty[readers, place] = producer[readers, place] < 0
    events.refuse(
        np.asarray(empty.any(axis=1)),
        Cause.UNWRITTEN,
        lambda event: f"operand {OPERAND_NAMES[int(empty[event].argmax())]}: its hold has not been written",
    )
    return producer


def resolve_accumulators(anatomy: Anatomy) -> Longs:
    """[n]: the matvec before each matvec that is not `first`, on its accumulator; -1 for other events.

    LinkError for an accumulator that is added to before it is written.
    """
    events = anatomy.events
    acc = anatomy.x * anatomy.chip.mxm.num_accumulators + anatomy.field("acc")
    matvecs = np.flatnonzero(anatomy.matvec)
    timeline = Timeline(acc[matvecs], anatomy.cycle[matvecs], matvecs)
    readers = np.flatnonzero(anatomy.matvec & (anatomy.field("first") == 0))
    before = np.full(len(events), -1, np.int64)
    before[readers] = timeline.latest(acc[readers], anatomy.cycle[readers] - 1)
    events.refuse(
        events.marked(readers[before[readers] < 0]),
        Cause.UNWRITTEN,
        lambda event: f"accumulator {anatomy.field('acc')[event]} has not been written: no matvec before is first",
    )
    return before


def check_results(anatomy: Anatomy, producer: Longs) -> None:
    """LinkError for a result that nobody reads, and for one that is read though its instruction discards it."""
    events = anatomy.events
    read = events.marked(producer.ravel())
    discarded = anatomy.field("result", "discard") > 0
    events.refuse((anatomy.result_bytes > 0) & ~read & ~discarded, Cause.LOST, lambda event: "nobody reads its result")
    events.refuse(read & discarded, Cause.DISCARDED, lambda event: "its result is read though it is marked discarded")
