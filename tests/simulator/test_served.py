"""Which operation an issue serves: its label, or that of its first reader."""

import numpy as np
import pytest

from tests.programs import random_program
from tests.runtime.conftest import bundle, model_path, prefilling
from waterclock.chip import Chip
from waterclock.runtime.bundle import Bundle
from waterclock.simulator.link import Linked, link, rebuild
from waterclock.simulator.served import UNLABELLED, first_readers, operations_of, operations_served

__all__ = ["bundle", "model_path", "prefilling"]


@pytest.fixture(scope="module")
def linked(bundle: Bundle) -> Linked:
    (program,) = bundle.deployment.programs.values()
    return link(program, bundle.deployment.chip)


def readers_of(linked: Linked) -> dict[int, list[int]]:
    """Who reads what each event wrote, one look-up after the other."""
    readers: dict[int, list[int]] = {}
    for event in range(len(linked)):
        written = [*linked.producer[event], linked.acc[event], linked.memory[event], *linked.param[event]]
        for producer in {int(each) for each in written if each >= 0}:
            readers.setdefault(producer, []).append(event)
    return readers


def test_a_label_stands_and_what_has_none_follows_its_first_reader(linked: Linked) -> None:
    program, readers = linked.program, readers_of(linked)
    names, served = operations_of(program), operations_served(linked)
    followed = 0
    for event in range(len(linked)):
        queue = linked.chip.queues[linked.queue[event]].name
        label = program.operations[program.labels[queue][linked.entry[event]]]
        if label:
            assert names[served[event]] == label
        else:
            followed += 1
            assert served[event] == served[readers[event][0]], linked.name(event)
    assert followed > 100
    assert UNLABELLED not in {names[place] for place in served}


def test_first_readers_of_random_programs(tiny: Chip) -> None:
    linked = rebuild(random_program(tiny, 5), tiny)
    readers = readers_of(linked)
    assert first_readers(linked).tolist() == [readers.get(event, [-1])[0] for event in range(len(linked))]
    assert readers


def test_without_labels_nothing_serves_an_operation(tiny: Chip) -> None:
    linked = rebuild(random_program(tiny, 5), tiny)
    assert operations_of(linked.program) == (UNLABELLED,)
    assert not np.any(operations_served(linked))
