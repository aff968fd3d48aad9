"""Launch parameters: which are used where, and that each is written before."""

from dataclasses import dataclass

import numpy as np

from waterclock.isa.record import NUM_TERMS, OPERAND_NAMES, OperandKind
from waterclock.simulator.link.anatomy import Anatomy
from waterclock.simulator.link.errors import Cause, LinkError
from waterclock.simulator.link.linked import Bools, Longs
from waterclock.simulator.link.timeline import Timeline


@dataclass(frozen=True, eq=False)
class _Uses:
    """Places of every event that may use a parameter: [n, 7] each, as in `Linked.param`."""

    used: Bools
    index: Longs


def resolve_parameters(anatomy: Anatomy) -> Longs:
    """[n, 7]: the `icu.set_param` whose value each place of each event sees, -1 for the value before the launch.

    A parameter that the host does not write may come from the launch before only where this program sets it too.
    LinkError for a parameter that is not declared, is used before it is written, or is set twice in one cycle.
    """
    events, program = anatomy.events, anatomy.events.program
    for param in program.params:
        if not 0 <= param.index < anatomy.chip.num_params or param.low > param.high:
            raise LinkError(Cause.PARAMETER, f"parameter {param.name}: no such register or an empty range")
    setters = np.flatnonzero(anatomy.sets_param)
    target = anatomy.field("param")
    declared = np.zeros(anatomy.chip.num_params, np.bool_)
    declared[[param.index for param in program.params]] = True
    events.refuse(
        anatomy.sets_param & ~declared[target],
        Cause.PARAMETER,
        lambda event: f"sets parameter {target[event]}, which is not declared",
    )
    timeline = Timeline(target[setters], anatomy.cycle[setters] + anatomy.chip.param_latency_cycles, setters)
    events.refuse(
        events.marked(timeline.doubles()),
        Cause.DOUBLE_ARRIVAL,
        lambda event: f"parameter {target[event]} is set twice in one cycle",
    )
    return _found(anatomy, timeline, declared)


def _found(anatomy: Anatomy, timeline: Timeline, declared: Bools) -> Longs:
    uses = _uses(anatomy)
    event, place = np.nonzero(uses.used)
    index = uses.index[event, place]
    found = np.full(uses.used.shape, -1, np.int64)
    found[event, place] = timeline.latest(index, anatomy.cycle[event])
    carried = declared.copy()
    carried[[param.index for param in anatomy.events.program.params if not param.host]] = False
    carried[np.unique(anatomy.field("param")[anatomy.sets_param])] = True
    unwritten = ~declared[index] | ((found[event, place] < 0) & ~carried[index])
    anatomy.events.refuse(
        anatomy.events.marked(event[unwritten]),
        Cause.PARAMETER,
        lambda user: f"uses parameter {index[unwritten & (event == user)][0]}, which nobody has written",
    )
    return found


def _uses(anatomy: Anatomy) -> _Uses:
    operands = [
        (anatomy.field(name, "kind") == OperandKind.PARAM, anatomy.field(name, "index")) for name in OPERAND_NAMES
    ]
    terms = [
        (anatomy.terms(name, "used")[:, term] > 0, anatomy.terms(name, "param")[:, term])
        for name in ("address", "place")
        for term in range(NUM_TERMS)
    ]
    used, index = zip(*operands, *terms, strict=True)
    return _Uses(np.stack(used, axis=1), np.stack(index, axis=1))
