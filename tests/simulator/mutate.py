"""Mutants: a program with one small mistake in its queues, its meaning untouched.

`tests.simulator.misstate` has the mistakes in what a program says of itself.
"""

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
    while count:
        mutation = MUTATIONS[int(rng.integers(len(MUTATIONS)))]
        mutant = mutated(program, mutation, rng)
        if mutant is not None:
            count -= 1
            yield mutant


def mutated(program: Program, mutation: Mutation, rng: Rng) -> tuple[str, Program] | None:
    """The program with a mistake at a random entry, and what it is; None where it can't be made there."""
    names = sorted(name for name, records in program.queues.items() if len(records) > 1)
    weights = np.array([len(program.queues[name]) - 1 for name in names], float)
    name = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    records = program.queues[name]
    entry = int(rng.integers(1, len(records)))
    changed = mutation(rng, records, entry)
    if changed is None or np.array_equal(changed, records):
        return None
    what = f"{mutation.__name__} at {name}[{entry}] ({_instruction(records, entry).mnemonic})"
    return what, replace(program, queues={**program.queues, name: changed})


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
    name = _address_field(rng, records, entry)
    if name is None:
        return None
    strides = np.flatnonzero(records[entry][name]["stride"])
    if not len(strides) or rng.integers(2):
        return _nudged(rng, records, entry, name, "base")
    copy = records.copy()
    copy[entry][name]["stride"][rng.choice(strides)] += 1
    return copy


def _address_field(rng: Rng, records: Records, entry: int) -> str | None:
    """An address that the entry has."""
    names = [operand.field for operand in _instruction(records, entry).operands if operand.form is Form.ADDRESS]
    return names[int(rng.integers(len(names)))] if names else None


def change_term(rng: Rng, records: Records, entry: int) -> Records | None:
    """What a parameter adds to an address is another number."""
    name = _address_field(rng, records, entry)
    if name is None or not records[entry][name]["term"]["used"].any():
        return None
    copy, field = records.copy(), ("stride", "const", "shift", "mask", "param")[int(rng.integers(5))]
    term = copy[entry][name]["term"][int(rng.choice(np.flatnonzero(copy[entry][name]["term"]["used"])))]
    if field == "mask":
        term["mask"] = int(term["mask"]) ^ 1 << int(rng.integers(6))
    else:
        value = int(term[field])
        term[field] = value + (1 if value == 0 or rng.integers(2) else -1)
    return copy


def change_step(rng: Rng, records: Records, entry: int) -> Records | None:
    """A parameter's term steps another way from run to run."""
    name = _address_field(rng, records, entry)
    if name is None or not records[entry][name]["term"]["used"].any():
        return None
    copy = records.copy()
    term = copy[entry][name]["term"][int(rng.choice(np.flatnonzero(copy[entry][name]["term"]["used"])))]
    term["step"][int(rng.integers(1, 3))] += int(rng.choice([-1, 1]))
    return copy


def change_source(rng: Rng, records: Records, entry: int) -> Records | None:
    """A stream is read where it flows the other way."""
    names = [name for name in OPERAND_NAMES if records[entry][name]["kind"] in _REGISTERS[:2]]
    if not names:
        return None
    copy, name = records.copy(), names[int(rng.integers(len(names)))]
    copy[entry][name]["kind"] = sum(_REGISTERS[:2]) - records[entry][name]["kind"]
    return copy


def swap_operands(rng: Rng, records: Records, entry: int) -> Records | None:
    """Operands a and b change places."""
    copy = records.copy()
    copy[entry]["a"], copy[entry]["b"] = records[entry]["b"], records[entry]["a"]
    return copy if records[entry]["b"]["kind"] else None


def change_hold(rng: Rng, records: Records, entry: int) -> Records | None:
    """A result goes to another hold register."""
    return _nudged(rng, records, entry, "result", "hold") if records[entry]["result"]["hold"] else None


def change_discard(rng: Rng, records: Records, entry: int) -> Records | None:
    """A result is said to be read by nobody, or one that nobody reads is not."""
    result = records[entry]["result"]
    if not result["direction"] and not result["hold"]:
        return None
    copy = records.copy()
    copy[entry]["result"]["discard"] = 1 - result["discard"]
    return copy


def change_accumulator(rng: Rng, records: Records, entry: int) -> Records | None:
    """A product is added up in another accumulator."""
    return _nudged(rng, records, entry, "acc") if _has(records, entry, "acc") else None


def change_flag(rng: Rng, records: Records, entry: int) -> Records | None:
    """`first`, `emit`, `unsigned` or `sram` is the opposite."""
    flags = [operand.field for operand in _instruction(records, entry).operands if operand.form is Form.FLAG]
    if not flags:
        return None
    copy = records.copy()
    flag = flags[int(rng.integers(len(flags)))]
    copy[entry][flag] = 1 - records[entry][flag]
    return copy


def change_number(rng: Rng, records: Records, entry: int) -> Records | None:
    """An immediate, a lane-xor, a butterfly's mask, a segment or the parameter that is set is another."""
    copy = records.copy()
    place, crossed = copy[entry], [name for name in OPERAND_NAMES if _crosses(records[entry][name])]
    fields = [field for field in ("mask", "segment", "param") if _has(records, entry, field)]
    fields += ["scalar"] if any(place[name]["kind"] >= OperandKind.IMMEDIATE for name in OPERAND_NAMES) else []
    if not fields + crossed:
        return None
    field = (fields + crossed)[int(rng.integers(len(fields + crossed)))]
    if field in crossed:
        place[field]["xor"] = int(place[field]["xor"]) * 2 or 1
    elif field in ("mask", "segment"):
        place[field] = max(1, int(place[field]) >> 1) if place[field] > 1 else 2
    else:
        place[field] += 1
    return copy


def _crosses(operand: Records) -> bool:
    """Whether an operand may be read lane-xor something."""
    return operand["kind"] == OperandKind.HOLD or operand["xor"] > 0


def _has(records: Records, entry: int, field: str) -> bool:
    return _instruction(records, entry).field(field) is not None


def change_operation(rng: Rng, records: Records, entry: int) -> Records | None:
    """Another instruction with the same operands."""
    own = _instruction(records, entry)
    alike = [row.opcode for row in INSTRUCTION_BY_OPCODE.values()
             if row is not own and row.area is own.area and row.operands == own.operands
             and row.mnemonic not in CONTROL]  # fmt: skip
    if own.mnemonic in CONTROL or not alike:
        return None
    copy = records.copy()
    copy[entry]["op"] = alike[int(rng.integers(len(alike)))]
    return copy


def swap_entries(rng: Rng, records: Records, entry: int) -> Records | None:
    """An instruction and the one before it, with the waits between, change places."""
    issuing = [place for place in range(1, entry + 1) if _instruction(records, place).mnemonic not in CONTROL]
    if len(issuing) < 2 or issuing[-1] != entry or (records["op"][issuing[-2] : entry] == OPCODES["icu.loop"]).any():
        return None
    copy = records.copy()
    copy[entry], copy[issuing[-2]] = records[issuing[-2]], records[entry]
    return copy


def change_body(rng: Rng, records: Records, entry: int) -> Records | None:
    """A loop takes in an entry more or less."""
    return _nudged(rng, records, entry, "body") if records[entry]["op"] == OPCODES["icu.loop"] else None


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
    change_source,
    swap_operands,
    change_hold,
    change_discard,
    change_accumulator,
    change_flag,
    change_number,
    change_operation,
    change_address,
    change_term,
    change_step,
    drop,
    double,
    skip,
    again,
    swap_entries,
    change_repeat,
    change_body,
)
