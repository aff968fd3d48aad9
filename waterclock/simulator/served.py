"""Which model operation every issue of a program serves."""

import numpy as np

from waterclock.isa.program import Program
from waterclock.simulator.link.linked import Ints, Linked

UNLABELLED = ""
"""The operation of what serves none by its label, and is read by nothing that does."""


def operations_of(program: Program) -> tuple[str, ...]:
    """UNLABELLED, then the program's operations by name, sorted."""
    return (UNLABELLED, *sorted({*program.operations} - {UNLABELLED}))


def operations_served(linked: Linked) -> Ints:
    """For each event an index into `operations_of(linked.program)`.

    It is the operation of its label. What has none, such as a read of MEM, serves the operation of the first event that
    reads its result, on a stream, in a hold register, in a memory, in an accumulator or as a parameter.
    """
    operation = _labels(linked)[linked.row]
    reader = first_readers(linked)
    while True:
        follows = (operation == 0) & (reader >= 0)
        found = np.where(follows, operation[reader], operation)
        if (found == operation).all():
            return operation
        operation = found


def first_readers(linked: Linked) -> Ints:
    """For each event the first one that reads what it wrote; -1 where there is none."""
    count = len(linked)
    producers = np.concatenate([linked.producer, linked.acc[:, None], linked.memory[:, None], linked.param], axis=1)
    reader = np.repeat(np.arange(count, dtype=np.int32), producers.shape[1])
    read = producers.ravel() >= 0
    first = np.full(count, -1, np.int32)
    first[producers.ravel()[read][::-1]] = reader[read][::-1]  # the last assignment stands: that of the first reader
    return first


def _labels(linked: Linked) -> Ints:
    """For each row the operation of its label; 0 without one."""
    program, rows = linked.program, linked.rows
    place_by_name = {name: place for place, name in enumerate(operations_of(program))}
    places = np.array([*(place_by_name[name] for name in program.operations), 0], np.int32)  # -1 finds the last
    labels = np.zeros(len(rows.queue), np.int32)
    for number, queue in enumerate(linked.chip.queues):
        if queue.name in program.labels:
            labels[rows.queue == number] = places[program.labels[queue.name]]
    return labels
