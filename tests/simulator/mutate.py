"""Mutants: a program with one small mistake in its queues, its meaning untouched."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from waterclock.isa.program import Program
from waterclock.isa.record import OPERAND_NAMES, Direction, OperandKind, Records
from waterclock.isa.table import CONTROL, INSTRUCTION_BY_OPCODE, OPCODES, Form, Instruction

Rng = np.random.Generator
Mutation = Callable[[Rng, Records, int], Records | None]
"""A copy of a queue with a mistake at an entry; None where there is nothing to get wrong in this way."""

_GROUP = 4


def mutants(program: Program, count: int, seed: int) -> Iterator[tuple[str, Program]]:
    """`count` mutants with a description each; the same for the same seed."""
    rng = np.random.default_rng(seed)
    names = sorted(name for name, records in program.queues.items() if len(records) > 1)
    weights = np.array([len(program.queues[name]) - 1 for name in names], float)
    while count:
        name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
        records = program.queues[name]
        mutation = MUTATIONS[int(rng.integers(len(MUTATIONS)))]
        entry = int(rng.integers(1, len(records)))
        mutated = mutation(rng, records, entry)
        if mutated is not None and not np.array_equal(mutated, records):
            count -= 1
            what = f"{mutation.__name__} at {name}[{entry}] ({_instruction(records, entry).mnemonic})"
            yield what, replace(program, queues={**program.queues, name: mutated})


def _instruction(records: Records, entry: int) -> Instruction:
    return INSTRUCTION_BY_OPCODE[int(records[entry]["op"])]


def _nudged(rng: Rng, records: Records, entry: int, *path: str, step: int = 1) -> Records:
    """A copy with a whole-number field of an entry one step higher or lower, never negative."""
    copy = records.copy()
    place = copy[entry]
    for name in path[:-1]:
        place = place[name]
    value = int(place[path[-1]])
    sign = 1 if value < step or rng.integers(2) else -1
    place[path[-1]] = value + sign * step
    return copy


def shift_cycle(rng: Rng, records: Records, entry: int) -> Records | None:
    """What follows issues a cycle earlier or later."""
    if records[entry]["op"] != OPCODES["icu.nop"]:
        return None
    copy = _nudged(rng, records, entry, "n")
    return copy if copy[entry]["n"] else np.delete(copy, entry)


def change_stream(rng: Rng, records: Records, entry: int) -> Records | None:
    """An operand comes from, or the result goes to, another stream or hold."""
    row = _instruction(records, entry)
    read = [name for name in OPERAND_NAMES if records[entry][name]["kind"] in _REGISTERS]
    written = ["result"] if row.result and records[entry]["result"]["direction"] else []
    if not read + written:
        return None
    name = (read + written)[int(rng.integers(len(read + written)))]
    if name == "result":
        return _nudged(rng, records, entry, name, "stream", step=_GROUP)
    held = records[entry][name]["kind"] == OperandKind.HOLD
    return _nudged(rng, records, entry, name, "index", step=1 if held else _GROUP)


_REGISTERS = (OperandKind.EAST, OperandKind.WEST, OperandKind.HOLD)


def change_direction(rng: Rng, records: Records, entry: int) -> Records | None:
    """A result leaves the other way."""
    if records[entry]["result"]["direction"] not in (Direction.EAST, Direction.WEST):
        return None
    copy = records.copy()
    copy[entry]["result"]["direction"] = Direction.BOTH - records[entry]["result"]["direction"]
    return copy


def change_address(rng: Rng, records: Records, entry: int) -> Records | None:
    """Another word, byte, tile, lane or row, in the first run or from the second on."""
    names = [operand.field for operand in _instruction(records, entry).operands if operand.form is Form.ADDRESS]
    if not names:
        return None
    name = names[int(rng.integers(len(names)))]
    strides = np.flatnonzero(records[entry][name]["stride"])
    if not len(strides) or rng.integers(2):
        return _nudged(rng, records, entry, name, "base")
    copy = records.copy()
    copy[entry][name]["stride"][rng.choice(strides)] += 1
    return copy


def drop(rng: Rng, records: Records, entry: int) -> Records | None:
    """An entry is missing."""
    return np.delete(records, entry)


def double(rng: Rng, records: Records, entry: int) -> Records | None:
    """An instruction stands there twice."""
    if _instruction(records, entry).mnemonic in CONTROL:
        return None
    return np.insert(records, entry, records[entry])


def skip(rng: Rng, records: Records, entry: int) -> Records | None:
    """An instruction does not issue, and everything else stays in its cycle."""
    if _instruction(records, entry).mnemonic in CONTROL:
        return None
    copy = records.copy()
    copy[entry] = np.zeros((), records.dtype)
    copy[entry]["op"], copy[entry]["n"] = OPCODES["icu.nop"], 1
    return copy


def again(rng: Rng, records: Records, entry: int) -> Records | None:
    """An instruction issues once more at the end of the wait after it, and everything else stays in its cycle."""
    after_control = _instruction(records, entry - 1).mnemonic in CONTROL
    if after_control or records[entry]["op"] != OPCODES["icu.nop"]:
        return None
    copy = records.copy()
    copy[entry]["op"], copy[entry]["n"], copy[entry]["distance"] = OPCODES["icu.repeat"], 1, records[entry]["n"]
    return copy


def change_repeat(rng: Rng, records: Records, entry: int) -> Records | None:
    """A repeat or loop runs once more or less, or at another distance."""
    if records[entry]["op"] not in (OPCODES["icu.repeat"], OPCODES["icu.loop"]):
        return None
    return _nudged(rng, records, entry, ("n", "distance")[int(rng.integers(2))])


MUTATIONS: tuple[Mutation, ...] = (
    shift_cycle,
    change_stream,
    change_direction,
    change_address,
    drop,
    double,
    skip,
    again,
    change_repeat,
)
