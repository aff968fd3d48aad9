"""Misstatements: a program whose queues are as they were, and which says something wrong of itself."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from waterclock.isa.program import Object, Param, Program, Role
from waterclock.isa.record import OPERAND_NAMES, Records

Rng = np.random.Generator
Misstatement = Callable[[Rng, Program], Program | None]
"""The program with something wrong said of it; None where there is nothing to say wrong in this way."""

PRODUCERS = (*OPERAND_NAMES, "acc", "memory")


def _flow_row(rng: Rng, program: Program, chosen: Callable[[Records], np.ndarray]) -> tuple[Program, Records] | None:
    """The program with a flow of its own, and a random row of that among the chosen ones."""
    places = [(name, int(row)) for name, flow in program.flow.items() for row in np.flatnonzero(chosen(flow))]
    if not places:
        return None
    name, row = places[int(rng.integers(len(places)))]
    flow = program.flow[name].copy()
    return replace(program, flow={**program.flow, name: flow}), flow[row]


def _reads(flow: Records) -> np.ndarray:
    return np.any([(flow[name]["first"] >= 0) | (flow[name]["carried"] >= 0) for name in PRODUCERS], axis=0)


def other_producer(rng: Rng, program: Program) -> Program | None:
    """An operand, an accumulator or a memory is said to have another producer, in the first run or in the others."""
    found = _flow_row(rng, program, _reads)
    if found is None:
        return None
    changed, row = found
    name = str(rng.choice([name for name in PRODUCERS if row[name]["first"] >= 0 or row[name]["carried"] >= 0]))
    field = "carried" if row[name]["carried"] >= 0 and rng.integers(2) else "first"
    row[name][field] += 1 if row[name][field] < 0 or rng.integers(2) else -1
    return changed


def other_run(rng: Rng, program: Program) -> Program | None:
    """A producer is said to be in another run, or an entry to be another run of a loop."""
    found = _flow_row(rng, program, _reads)
    if found is None:
        return None
    changed, row = found
    name = str(rng.choice([name for name in PRODUCERS if row[name]["first"] >= 0 or row[name]["carried"] >= 0]))
    field = str(rng.choice(["around", "ahead", "token", "stands_for"]))
    place = row[name] if field in ("around", "ahead") else row
    place[field] += 1
    return changed


def other_object(rng: Rng, program: Program) -> Program | None:
    """An address is said to lie in another object."""
    found = _flow_row(rng, program, lambda flow: flow["object"] >= 0)
    if found is None:
        return None
    changed, row = found
    row["object"] = (int(row["object"]) + int(rng.integers(1, len(program.objects)))) % len(program.objects)
    return changed


def other_place(rng: Rng, program: Program) -> Program | None:
    """An address is said to be somewhere else in its object."""
    found = _flow_row(rng, program, lambda flow: flow["object"] >= 0)
    if found is None:
        return None
    changed, row = found
    if rng.integers(2):
        row["address"]["base"] += 1
    else:
        row["address"]["stride"][int(rng.integers(1, 3))] += 1
    return changed


def moved_object(rng: Rng, program: Program) -> Program | None:
    """An object is said to begin elsewhere, to be smaller, or to have copies that are fewer or nearer."""
    change = [
        lambda each: replace(each, base=each.base + 1),
        lambda each: replace(each, size=each.size - 1) if each.size > 1 else None,
        lambda each: replace(each, num_layers=each.num_layers - 1) if each.num_layers > 1 else None,
        lambda each: replace(each, stride=each.stride + 1) if each.num_layers > 1 else None,
    ][int(rng.integers(4))]
    return _object(rng, program, change)


def other_role(rng: Rng, program: Program) -> Program | None:
    """What is written is said to be constant."""
    return _object(rng, program, lambda each: None if each.role is Role.CONSTANT else replace(each, role=Role.CONSTANT))


def _object(rng: Rng, program: Program, change: Callable[[Object], Object | None]) -> Program | None:
    place = int(rng.integers(len(program.objects))) if program.objects else 0
    changed = change(program.objects[place]) if program.objects else None
    return changed and replace(program, objects=(*program.objects[:place], changed, *program.objects[place + 1 :]))


def wide_range(rng: Rng, program: Program) -> Program | None:
    """A launch parameter is said to take more values than it can."""
    step = int(rng.choice([1, 8, 100]))
    return _param(rng, program, lambda each: replace(each, high=each.high + step))


def narrow_range(rng: Rng, program: Program) -> Program | None:
    """A launch parameter is said to take fewer values than it does."""
    return _param(rng, program, lambda each: replace(each, high=each.high - 1) if each.high > each.low else None)


def other_register(rng: Rng, program: Program) -> Program | None:
    """A launch parameter is said to be in another register."""
    return _param(rng, program, lambda each: replace(each, index=each.index + 1))


def _param(rng: Rng, program: Program, change: Callable[[Param], Param | None]) -> Program | None:
    place = int(rng.integers(len(program.params))) if program.params else 0
    changed = change(program.params[place]) if program.params else None
    return changed and replace(program, params=(*program.params[:place], changed, *program.params[place + 1 :]))


def other_writer(rng: Rng, program: Program) -> Program | None:
    """A word of an output is said to be elsewhere, or written by another instruction."""
    if not program.outputs:
        return None
    output = program.outputs[0]
    place = int(rng.integers(len(output.words)))
    words, producers = list(output.words), list(output.producers)
    if rng.integers(2):
        producers[place] += int(rng.choice([-1, 1]))
    else:
        piece, word = words[place]
        words[place] = (piece, word + int(rng.choice([-1, 1])))
    changed = replace(output, words=tuple(words), producers=tuple(producers))
    return replace(program, outputs=(changed, *program.outputs[1:]))


def other_length(rng: Rng, program: Program) -> Program | None:
    """A launch is said to take a cycle more or less."""
    return replace(program, length_cycles=program.length_cycles + int(rng.choice([-1, 1])))


MISSTATEMENTS: tuple[Misstatement, ...] = (
    other_producer,
    other_run,
    other_object,
    other_place,
    moved_object,
    other_role,
    wide_range,
    narrow_range,
    other_register,
    other_writer,
    other_length,
)
