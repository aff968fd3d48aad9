"""Objects: whether every address is the one that was meant and stays inside its object, and who wrote the outputs."""

from dataclasses import dataclass

import numpy as np

from waterclock.chip import Chip
from waterclock.isa.program import NO_PRODUCER, Object, Output, Role, Space, instruction_id
from waterclock.isa.record import Records
from waterclock.simulator.link.anatomy import MEM, NO_SPACE, RERAM, SRAM, Anatomy
from waterclock.simulator.link.errors import Cause, LinkError
from waterclock.simulator.link.linked import Bools, Longs
from waterclock.simulator.link.memory import Accesses, registers, writes
from waterclock.simulator.link.timeline import Timeline

NO_OBJECT = -1
_NUMBER_BY_SPACE = {Space.MEM: MEM, Space.RERAM: RERAM, Space.SRAM: SRAM}
_FAR = 1 << 40


@dataclass(frozen=True, eq=False)
class Objects:
    """The objects of a program in columns, after one row (NO_OBJECT is the last) for no object."""

    memory: Longs
    base: Longs
    size: Longs
    num_copies: Longs
    stride: Longs
    constant: Bools


def objects_of(anatomy: Anatomy) -> Objects:
    """The objects of the program. LinkError for one that is outside its memory or overlaps itself."""
    chip, objects = anatomy.chip, anatomy.events.program.objects
    for each in objects:
        _check_object(chip, each)
    memory = [_memory_of(chip, each) for each in objects]
    many = [each.num_layers > 1 for each in objects]
    return Objects(
        memory=np.array([*memory, NO_SPACE], np.int64),
        base=np.array([*(each.base for each in objects), 0], np.int64),
        size=np.array([*(each.size for each in objects), 0], np.int64),
        num_copies=np.array([*(each.num_layers for each in objects), 0], np.int64),
        stride=np.array([*(each.stride if m else _FAR for each, m in zip(objects, many, strict=True)), _FAR], np.int64),
        constant=np.array([*(each.role is Role.CONSTANT for each in objects), False], np.bool_),
    )


def _memory_of(chip: Chip, each: Object) -> int:
    return _NUMBER_BY_SPACE[each.space] * chip.num_positions + chip.slice_by_name[each.slice].x


def _check_object(chip: Chip, each: Object) -> None:
    kind_and_limit = {
        Space.MEM: ("mem", chip.mem.num_words),
        Space.RERAM: ("mxm", chip.mxm.num_reram_tiles),
        Space.SRAM: ("mxm", chip.mxm.num_sram_tiles),
    }
    kind, limit = kind_and_limit[each.space]
    if each.slice not in chip.slice_by_name or chip.slice_by_name[each.slice].kind.value != kind:
        raise LinkError(Cause.OBJECT, f"object {each.name}: no {kind} slice of this name", slice=each.slice)
    end = each.base + (each.num_layers - 1) * each.stride + each.size
    copies = each.num_layers == 1 or (each.num_layers > 1 and each.stride >= each.size)
    if each.base < 0 or each.size < 1 or end > limit or not copies:
        raise LinkError(Cause.OBJECT, f"object {each.name}: overlaps itself or leaves its memory", slice=each.slice)


def objects_deviate(anatomy: Anatomy, flow: Records, objects: Objects) -> Bools:
    """[n]: events whose object is none of the program, in another memory, missing, or constant though it is written."""
    index = flow["object"].astype(np.int64)[anatomy.events.row]
    exists = (index >= NO_OBJECT) & (index < len(objects.base) - 1)
    index = np.where(exists, index, NO_OBJECT)
    there: Bools = np.asarray(objects.memory[index] == anatomy.memory)
    unaddressed: Bools = np.asarray(index == NO_OBJECT)
    right_memory = (anatomy.space != NO_SPACE) & there | (anatomy.space == NO_SPACE) & unaddressed
    return ~(exists & right_memory) | (anatomy.writes_memory & objects.constant[index])


def addresses_deviate(anatomy: Anatomy, flow: Records, objects: Objects) -> Bools:
    """[n]: events whose `address` is not that of the object plus what the flow adds. Objects must not deviate."""
    row = anatomy.events.row
    meant = flow["address"].copy()[row]
    meant["base"] += (objects.base[flow["object"][row]] * anatomy.bytes_per_word).astype(np.int32)
    return rows_differ(anatomy.events.rows.record["address"][row], meant)


def places_deviate(anatomy: Anatomy, flow: Records) -> Bools:
    """[n]: events whose `place` is not that of the flow."""
    return rows_differ(anatomy.events.rows.record["place"], flow["place"])[anatomy.events.row]


def rows_differ(found: Records, meant: Records) -> Bools:
    """[n]: rows that are not the same in every byte."""
    bytes_found, bytes_meant = (np.ascontiguousarray(rows).view(np.uint8) for rows in (found, meant))
    return np.asarray((bytes_found != bytes_meant).reshape(len(found), found.dtype.itemsize).any(axis=1))


def footprints_left(anatomy: Anatomy, flow: Records, objects: Objects, accessed: Accesses) -> Bools:
    """[n]: events that, for some value of the parameters, leave their object or write into a constant one."""
    index = flow["object"].astype(np.int64)[anatomy.events.row][accessed.event]
    relative = accessed.unit - objects.base[index]
    copy, within = np.divmod(relative, objects.stride[index])
    inside = (copy >= 0) & (copy < objects.num_copies[index]) & (within < objects.size[index])
    at = registers(anatomy, anatomy.memory[accessed.event], accessed.unit)
    harmful = anatomy.writes_memory[accessed.event] & np.isin(at, constants(anatomy, objects))
    return anatomy.events.marked(accessed.event[~inside | harmful])


def constants(anatomy: Anatomy, objects: Objects) -> Longs:
    """Every word and tile of every constant object, as registers."""
    constant = np.flatnonzero(objects.constant)
    copy = np.repeat(constant, objects.num_copies[constant])
    number = np.arange(len(copy)) - np.searchsorted(copy, copy)
    start = objects.base[copy] + number * objects.stride[copy] * (number > 0)
    unit = np.repeat(copy, objects.size[copy])
    first = np.cumsum(objects.size[copy]) - objects.size[copy]
    within = np.arange(len(unit)) - np.repeat(first, objects.size[copy])
    return registers(anatomy, objects.memory[unit], np.repeat(start, objects.size[copy]) + within)


def check_outputs(anatomy: Anatomy, accessed: Accesses) -> None:
    """LinkError for an output word whose last writer is another instruction than the program says."""
    timeline = writes(anatomy, accessed)
    for output in anatomy.events.program.outputs:
        if len(output.words) != len(output.producers):
            raise LinkError(Cause.OUTPUT, f"output {output.name}: not one producer for each word")
        for (piece, word), producer in zip(output.words, output.producers, strict=True):
            _check_word(anatomy, timeline, output, (piece, word), producer)


def output_words(anatomy: Anatomy) -> Longs:
    """Every output word that there can be, as registers."""
    slices = anatomy.chip.slice_by_name
    words = [place for output in anatomy.events.program.outputs for place in output.words if place[0] in slices]
    memory = [MEM * anatomy.chip.num_positions + slices[piece].x for piece, _ in words]
    return registers(anatomy, np.array(memory, np.int64), np.array([word for _, word in words], np.int64))


def _check_word(anatomy: Anatomy, timeline: Timeline, output: Output, place: tuple[str, int], producer: int) -> None:
    events, (piece, word) = anatomy.events, place
    known = anatomy.chip.slice_by_name.get(piece)
    if known is None or known.kind.value != "mem" or not 0 <= word < anatomy.chip.mem.num_words:
        raise LinkError(Cause.OUTPUT, f"output {output.name}: no word {word}", slice=piece)
    memory = MEM * anatomy.chip.num_positions + known.x
    register = registers(anatomy, np.array([memory]), np.array([word]))
    last = int(timeline.latest(register, np.array([_FAR]))[0])
    found = instruction_id(int(events.queue[last]), int(events.entry[last])) if last >= 0 else NO_PRODUCER
    if found == producer:
        return
    if last < 0:
        raise LinkError(Cause.OUTPUT, f"output {output.name}: no instruction writes word {word}", slice=piece)
    reason = f"it writes word {word} of output {output.name} last, which was not meant"
    events.refuse(events.marked(np.array([last])), Cause.OUTPUT, lambda event: reason)
