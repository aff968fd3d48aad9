"""One illegality planted in a legal program, for each cause that link refuses a program for: where must it be found?"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from tests.programs.parts import row_of
from tests.simulator.legal.addresses import Addressed
from tests.simulator.legal.beside import (
    bank_busy,
    byte_for_a_word,
    nothing_there,
    overwritten_on_its_way,
    parameter_unwritten,
    two_in_a_hold,
    two_on_a_stream,
)
from tests.simulator.legal.emit import Entry, program_of
from tests.simulator.legal.histories import WAYS
from tests.simulator.legal.parts import Legal
from tests.simulator.legal.planted import Planted, Planter, Rng
from waterclock.isa.program import Program, Space
from waterclock.isa.record import OPERAND_NAMES, OperandKind, Records
from waterclock.isa.validate import num_cycles
from waterclock.simulator.link import Cause


def _edited(legal: Legal, edit: Callable[[Records], None], queue: str, entry: int) -> Program:
    program, _ = program_of(legal)
    records = program.queues[queue].copy()
    edit(records[entry : entry + 1])
    return replace(program, queues={**program.queues, queue: records})


def _some_entry(rng: Rng, legal: Legal, chosen: Callable[[Entry], bool]) -> tuple[str, int, Entry] | None:
    """An entry with an operation that is chosen, with its queue and place."""
    _, entries = program_of(legal)
    places = [(*place, each) for place, each in entries.items() if each.operation is not None and chosen(each)]
    return places[int(rng.integers(len(places)))] if places else None


def _edit_some(
    rng: Rng, legal: Legal, chosen: Callable[[Entry], bool], edit: Callable[[Records], None], later: int = 0
) -> Planted | None:
    """One of the chosen entries edited."""
    found = _some_entry(rng, legal, chosen)
    if found is None:
        return None
    queue, place, entry = found
    return Planted(_edited(legal, edit, queue, place), legal.chip.queue_by_name[queue], entry.cycle + later)


def other_chip(rng: Rng, legal: Legal) -> Planted:
    program, _ = program_of(legal)
    return Planted(replace(program, chip_sha256="0" * 64))


def second_start(rng: Rng, legal: Legal) -> Planted | None:
    def edit(record: Records) -> None:
        record[:] = row_of("icu.start")

    return _edit_some(rng, legal, lambda entry: True, edit)


def two_in_a_cycle(rng: Rng, legal: Legal) -> Planted | None:
    """An instruction issues twice at once: the port of a memory, an ALU, would be needed twice."""
    found = _some_entry(rng, legal, lambda entry: not entry.operation.repeats and not entry.operation.levels)
    if found is None:
        return None
    queue, place, entry = found
    program, _ = program_of(legal)
    again = np.array([row_of("icu.repeat", n=1, distance=0)])
    records = np.concatenate([program.queues[queue][: place + 1], again, program.queues[queue][place + 1 :]])
    changed = replace(program, queues={**program.queues, queue: records})
    return Planted(changed, legal.chip.queue_by_name[queue], entry.cycle + 1)


def never_ending(rng: Rng, legal: Legal) -> Planted:
    """A loop at the end of a queue that takes more cycles than a launch may."""
    program, _ = program_of(legal)
    name = str(rng.choice(sorted(program.queues)))
    records = program.queues[name]
    loop = [row_of("icu.nop", n=1), row_of("icu.loop", n=1 << 20, distance=1 << 20, body=1)]
    changed = np.concatenate([records, np.array(loop)])
    queue = legal.chip.queue_by_name[name]
    return Planted(replace(program, queues={**program.queues, name: changed}), queue, num_cycles(records) + 1)


def no_such_stream(rng: Rng, legal: Legal) -> Planted | None:
    def edit(record: Records) -> None:
        record["a"]["index"] = legal.chip.num_streams

    return _edit_some(rng, legal, lambda entry: entry.row["a"]["kind"] in WAYS, edit)


def computes_something_else(rng: Rng, legal: Legal) -> Planted | None:
    def edit(record: Records) -> None:
        record["scalar"] ^= 1

    uses = (OperandKind.IMMEDIATE, OperandKind.PARAM)
    return _edit_some(rng, legal, lambda entry: any(entry.row[name]["kind"] in uses for name in OPERAND_NAMES), edit)


def outside_of_memory(rng: Rng, legal: Legal) -> Planted | None:
    """An address that lies beyond its memory in the first issue of its entry."""
    addressed = Addressed(legal.chip, legal.objects)
    sizes = {Space.MEM: legal.chip.mem.num_words, Space.SRAM: legal.chip.mxm.num_sram_tiles,
             Space.RERAM: legal.chip.mxm.num_reram_tiles}  # fmt: skip
    found = _some_entry(rng, legal, lambda entry: addressed.space(entry.operation) is not None)
    if found is None:
        return None
    queue, place, entry = found
    size = sizes[addressed.space(entry.operation)] * addressed.scale(entry.operation)

    def edit(record: Records) -> None:
        record["address"]["base"] += size

    return Planted(_edited(legal, edit, queue, place), legal.chip.queue_by_name[queue], entry.cycle)


def elsewhere_in_memory(rng: Rng, legal: Legal) -> Planted | None:
    """A word that is meant is not the one that is written."""

    def edit(record: Records) -> None:
        record["address"]["base"] += 4

    return _edit_some(rng, legal, lambda entry: entry.operation.instruction.mnemonic in ("mem.write8", "mem.write32"),
                      edit)  # fmt: skip


def read_though_discarded(rng: Rng, legal: Legal) -> Planted | None:
    read = {operation for operation, runs in legal.readers().items() if runs}

    def edit(record: Records) -> None:
        record["result"]["discard"] = 1

    return _edit_some(rng, legal, lambda entry: entry.operation in read, edit)


def read_by_nobody(rng: Rng, legal: Legal) -> Planted | None:
    def edit(record: Records) -> None:
        record["result"]["discard"] = 0

    return _edit_some(rng, legal, lambda entry: bool(entry.row["result"]["discard"]), edit)


# What the program says of itself as a whole.


def output_by_another(rng: Rng, legal: Legal) -> Planted | None:
    """An output word is said to be written last by another instruction than it is."""
    program, _ = program_of(legal)
    if not program.outputs:
        return None
    output, addressed = program.outputs[0], Addressed(legal.chip, legal.objects)
    piece, word = output.words[0]
    writers = [issue for issue in legal.issues() if addressed.is_writer(issue.operation)
               and issue.operation.queue.slice.name == piece
               and any(key[2] == word for key in addressed.keys(issue))]  # fmt: skip
    producers = (output.producers[0] + 1, *output.producers[1:])
    changed = replace(program, outputs=(replace(output, producers=producers),))
    return Planted(changed, writers[-1].operation.queue, writers[-1].cycle)


def other_length(rng: Rng, legal: Legal) -> Planted:
    program, _ = program_of(legal)
    return Planted(replace(program, length_cycles=program.length_cycles + int(rng.choice([-1, 1]))))


PLANTERS: Mapping[Cause, tuple[Planter, ...]] = MappingProxyType({
    Cause.CHIP: (other_chip,),
    Cause.CONTROL: (second_start,),
    Cause.DOUBLE_ISSUE: (two_in_a_cycle,),
    Cause.TOO_LONG: (never_ending,),
    Cause.FIELD: (no_such_stream,),
    Cause.DOUBLE_ARRIVAL: (two_on_a_stream, two_in_a_hold),
    Cause.UNWRITTEN: (nothing_there,),
    Cause.MIXED_WORD: (byte_for_a_word,),
    Cause.LOST: (read_by_nobody,),
    Cause.DISCARDED: (read_though_discarded,),
    Cause.ADDRESS: (outside_of_memory,),
    Cause.BANK: (bank_busy,),
    Cause.PARAMETER: (parameter_unwritten,),
    Cause.PRODUCER: (overwritten_on_its_way,),
    Cause.OPERATION: (computes_something_else,),
    Cause.OBJECT: (elsewhere_in_memory,),
    Cause.OUTPUT: (output_by_another,),
    Cause.LENGTH: (other_length,),
})  # fmt: skip
