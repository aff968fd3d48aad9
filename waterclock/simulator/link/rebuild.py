"""Rebuild: the dataflow of a program, from its instructions and timing alone."""

import numpy as np

from waterclock.chip import Chip
from waterclock.isa.causes import IllegalEntry
from waterclock.isa.program import Program, empty_flow
from waterclock.isa.record import Records
from waterclock.isa.validate import check_records
from waterclock.simulator.link.addresses import addresses
from waterclock.simulator.link.anatomy import Anatomy
from waterclock.simulator.link.banks import check_banks
from waterclock.simulator.link.errors import Cause, LinkError
from waterclock.simulator.link.linked import Events, Linked, Rows
from waterclock.simulator.link.memory import accesses, check_ranges, resolve_memory
from waterclock.simulator.link.parameters import resolve_parameters
from waterclock.simulator.link.registers import check_results, resolve_accumulators, resolve_holds
from waterclock.simulator.link.roll import roll
from waterclock.simulator.link.runs import is_in_its_run, runs_are_alike
from waterclock.simulator.link.streams import resolve_streams
from waterclock.simulator.link.unroll import expanded, kept, rows_of


def rebuild(program: Program, chip: Chip) -> Linked:
    """Whose value every operand finds, and how long a launch takes. LinkError for the first hazard found."""
    rows = _checked_rows(program, chip)
    rolled = roll(rows, flow_of(rows, program, chip)[0], chip)
    if rolled is not None and rolled.is_cut and runs_are_alike(program, chip, rolled):
        linked = _rebuilt(kept(program, chip, rolled))
        if is_in_its_run(linked):
            return linked
    return _rebuilt(expanded(program, chip, rows))


def rebuild_every_run(program: Program, chip: Chip) -> Linked:
    """The same, with every run of every loop looked at."""
    return _rebuilt(expanded(program, chip, _checked_rows(program, chip)))


def every_run(linked: Linked) -> Linked:
    """What was rebuilt, with the events of all runs, whether or not they were needed for the proof."""
    return linked if linked.rolled is None else rebuild_every_run(linked.program, linked.chip)


def flow_of(rows: Rows, program: Program, chip: Chip) -> tuple[Records, LinkError | None]:
    """The flow row of every row, and an error where a queue has another number of entries than its flow.

    Entries beyond the flow mean nothing; an earlier deviation, if there is one, says better what is wrong.
    """
    flow, error = empty_flow(len(rows.entry)), None
    for number, queue in enumerate(chip.queues):
        here = np.flatnonzero(rows.queue == number)
        meant = program.flow.get(queue.name, flow[:0])
        count = min(len(here), len(meant))
        flow[here[:count]] = meant[:count]
        if len(here) != len(meant) and error is None:
            reason = f"the queue has {len(here)} entries, its flow {len(meant)}"
            cycle = int(rows.start[here[min(count, len(here) - 1)]]) if len(here) else None
            error = LinkError(
                Cause.PRODUCER, reason, slice=queue.slice.name, queue=queue.name, entry=count, cycle=cycle
            )
    return flow, error


def _rebuilt(events: Events) -> Linked:
    anatomy = Anatomy(events)
    producer = np.maximum(resolve_streams(anatomy), resolve_holds(anatomy))
    acc = resolve_accumulators(anatomy)
    check_results(anatomy, producer)
    param = resolve_parameters(anatomy)
    address, place = addresses(anatomy, "address"), addresses(anatomy, "place")
    check_ranges(anatomy, address, "address")
    check_ranges(anatomy, place, "place")
    check_banks(anatomy, address)
    memory = resolve_memory(anatomy, accesses(anatomy, address))
    return Linked(
        **{name: getattr(events, name) for name in events.__dataclass_fields__},
        length_cycles=_length_cycles(anatomy) + (events.rolled.left_out_cycles if events.rolled else 0),
        producer=producer.astype(np.int32),
        acc=acc.astype(np.int32),
        memory=memory.astype(np.int32),
        param=param.astype(np.int32),
    )


def _checked_rows(program: Program, chip: Chip) -> Rows:
    """All entries of the program. LinkError for the first entry of the first queue that the chip cannot hold."""
    rows = rows_of(program, chip)
    try:
        check_records(program.queues, chip)
    except IllegalEntry as error:
        queue = chip.queue_by_name[error.queue]
        row = int(np.flatnonzero((rows.queue == queue.number) & (rows.entry == error.entry))[0])
        cycle = int(rows.start[row])
        raise LinkError(
            Cause.FIELD, str(error), slice=queue.slice.name, queue=queue.name, entry=error.entry, cycle=cycle
        ) from None
    return rows


def _length_cycles(anatomy: Anatomy) -> int:
    """1 + the last cycle of an issue (a read is in its cycle) or of an arrival in a hold, a tile or a parameter."""
    chip = anatomy.chip
    delay = np.where(anatomy.field("result", "hold") > 0, anatomy.latency, 0)
    delay = np.where(anatomy.sets_param, chip.param_latency_cycles, delay)
    delay = np.where(anatomy.writes_row, chip.mxm.write_row_cycles, delay)
    return 1 + int((anatomy.cycle + delay).max(initial=-1))
