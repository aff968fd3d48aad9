"""Link: a program's dataflow, rebuilt, and shown to be the one that was meant."""

from collections.abc import Callable

import numpy as np

from waterclock.chip import Chip
from waterclock.isa.program import Program, computations
from waterclock.isa.record import OPERAND_NAMES, Records
from waterclock.simulator.link.addresses import addresses
from waterclock.simulator.link.anatomy import Anatomy
from waterclock.simulator.link.equal import bytes_of_results
from waterclock.simulator.link.errors import Cause, LinkError
from waterclock.simulator.link.linked import Bools, Events, Linked
from waterclock.simulator.link.meant import Meaning
from waterclock.simulator.link.memory import accesses
from waterclock.simulator.link.objects import (
    addresses_deviate,
    check_outputs,
    footprints_left,
    objects_deviate,
    objects_of,
    places_deviate,
    rows_differ,
)
from waterclock.simulator.link.rebuild import flow_of, rebuild, rebuild_every_run
from waterclock.simulator.link.runs import corner_events, objects_are_alike

_Deviation = tuple[Bools, Cause, Callable[[int], str]]


def link(program: Program, chip: Chip) -> Linked:
    """The rebuilt dataflow of a program whose flow, objects, outputs and length say the same.

    LinkError for every hazard, else for the first deviation in the order of events.
    """
    try:
        return _proven(program, chip, rebuild)
    except LinkError as refused:
        if refused.is_first:
            raise
    return _proven(program, chip, rebuild_every_run)


def link_every_run(program: Program, chip: Chip) -> Linked:
    """The same verdict, reached by looking at every run of every loop: for tests of what `link` leaves out."""
    return _proven(program, chip, rebuild_every_run)


def _proven(program: Program, chip: Chip, rebuilt: Callable[[Program, Chip], Linked]) -> Linked:
    if program.chip_sha256 != chip.sha256:
        raise LinkError(Cause.CHIP, f"{program.name} is for another chip than {chip.name}")
    linked = rebuilt(program, chip)
    flow, shifted = flow_of(linked.rows, program, chip)
    if linked.rolled is not None and not objects_are_alike(program, chip, linked.rolled, flow):
        linked = rebuild_every_run(program, chip)
    anatomy = Anatomy(linked)
    deviations = [
        *_producer_deviations(linked, flow),
        _operation_deviation(anatomy, flow, linked),
        *_address_deviations(anatomy, flow),
    ]
    _refuse_first(linked, deviations)
    if linked.rolled is not None:
        corners = Anatomy(corner_events(program, chip, linked.rolled))
        _refuse_first(corners.events, _address_deviations(corners, flow))
    if shifted is not None:
        raise shifted
    check_outputs(anatomy, accesses(anatomy, addresses(anatomy, "address")))
    if linked.length_cycles != program.length_cycles:
        raise LinkError(
            Cause.LENGTH, f"{program.name} takes {linked.length_cycles} cycles, not {program.length_cycles}"
        )
    return linked


def _operation_deviation(anatomy: Anatomy, flow: Records, linked: Linked) -> _Deviation:
    found = computations(linked.rows.record)[linked.row]
    found["byte"] = bytes_of_results(anatomy, linked.producer)
    different = rows_differ(found, flow["computes"][linked.row])
    return different, Cause.OPERATION, lambda event: "it does not compute what was meant"


def _producer_deviations(linked: Linked, flow: Records) -> list[_Deviation]:
    meaning = Meaning(linked, flow)
    columns = {name: (linked.producer[:, place], False) for place, name in enumerate(OPERAND_NAMES)}
    columns |= {"acc": (linked.acc, False), "memory": (linked.memory, True)}

    def reason(name: str) -> Callable[[int], str]:
        return lambda event: f"{name} finds {_result_of(linked, int(columns[name][0][event]))}, which was not meant"

    return [
        (meaning.deviates(found.astype(np.int64), name, by_address=by_address), Cause.PRODUCER, reason(name))
        for name, (found, by_address) in columns.items()
    ]


def _result_of(linked: Linked, event: int) -> str:
    return f"the result of {linked.name(event)}" if event >= 0 else "what no instruction of this launch has written"


def _address_deviations(anatomy: Anatomy, flow: Records) -> list[_Deviation]:
    objects = objects_of(anatomy)
    wrong_object = objects_deviate(anatomy, flow, objects)
    flow = flow.copy()
    flow["object"][anatomy.events.row[wrong_object]] = -1
    accessed = accesses(anatomy, addresses(anatomy, "address"))
    return [
        (wrong_object, Cause.OBJECT, lambda event: "its object is none, elsewhere, or constant and written"),
        (addresses_deviate(anatomy, flow, objects), Cause.OBJECT, lambda event: "its address was not meant"),
        (places_deviate(anatomy, flow), Cause.OBJECT, lambda event: "its place was not meant"),
        (
            footprints_left(anatomy, flow, objects, accessed),
            Cause.OBJECT,
            lambda event: "it may leave its object or write a constant one",
        ),
    ]


def _refuse_first(linked: Events, deviations: list[_Deviation]) -> None:
    """LinkError for the first event that deviates in any way; of several, for the way that comes first."""
    firsts = [int(bad.argmax()) if bad.any() else len(linked) for bad, _, _ in deviations]
    bad, cause, reason = deviations[int(np.argmin(firsts))]
    linked.refuse(bad, cause, reason)
