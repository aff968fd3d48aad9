"""Random legal records and queues for a chip, by walking the instruction table: new rows are drawn unasked.

`legal_values` gives the values of one instruction by path, `legal_records` one record, `legal_queues` a whole queue
with repeats and loops. Addresses are any that can be encoded; `resident_addresses` keeps to the memory that they point
into.
"""

from collections.abc import Callable, Mapping
from functools import partial

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from waterclock.chip import Chip, Queue
from waterclock.isa.encoding import column
from waterclock.isa.layout import field_by_path
from waterclock.isa.program import empty_instructions
from waterclock.isa.record import NUM_LEVELS, NUM_TERMS, Direction, OperandKind, Records
from waterclock.isa.table import CONTROL, INSTRUCTIONS, OPCODES, Area, Form, Instruction, Operand, Width
from waterclock.isa.validate import alus_of

Values = dict[str, int]
Addresses = Callable[[Operand, Instruction, Chip], SearchStrategy[Values]]
STREAM_KINDS = (OperandKind.EAST, OperandKind.WEST)
MAX_LOOPS = NUM_LEVELS - 1


def record_of(mnemonic: str, values: Mapping[str, int]) -> Records:
    """One INSTRUCTION row with these values."""
    record = empty_instructions(1)
    record["op"] = OPCODES[mnemonic]
    for path, value in values.items():
        column(record, path)[...] = value
    return record


def streams(width: Width, chip: Chip) -> SearchStrategy[int]:
    return st.integers(0, chip.num_streams // width.value - 1).map(lambda group: group * width.value)


def lane_powers(chip: Chip) -> list[int]:
    """Powers of two k for which lane ^ k is always a lane."""
    return [1 << bit for bit in range(chip.lanes.bit_length()) if chip.lanes % (2 << bit) == 0]


def _used(prefix: str, values: Mapping[str, int]) -> Values:
    return {f"{prefix}.{name}": value for name, value in values.items()}


def _stream(operand: Operand, chip: Chip, kinds: tuple[OperandKind, ...] = STREAM_KINDS) -> SearchStrategy[Values]:
    return st.fixed_dictionaries({"kind": st.sampled_from(kinds), "index": streams(operand.width, chip)})


@st.composite
def _source(draw: DrawFn, operand: Operand, chip: Chip, scalar: bool) -> Values:
    """A VXM operand; with `scalar` it may be an immediate or a parameter, whose scalar goes with it."""
    holds = [OperandKind.HOLD] if chip.vxm.num_holds and operand.width is Width.WORD else []
    scalars = [OperandKind.IMMEDIATE, OperandKind.PARAM] if scalar and operand.width is Width.WORD else []
    kind = draw(st.sampled_from([*STREAM_KINDS, *holds, *scalars]))
    xor = {"xor": draw(st.sampled_from([0, *lane_powers(chip)]))}
    values: Values = {"kind": kind}
    if kind in STREAM_KINDS:
        values |= {"index": draw(streams(operand.width, chip)), **xor}
    elif kind is OperandKind.HOLD:
        values |= {"index": draw(st.integers(0, chip.vxm.num_holds - 1)), **xor}
    elif kind is OperandKind.PARAM:
        values |= {"index": draw(st.integers(0, chip.num_params - 1))}
    values = _used(operand.field, values)
    if kind in scalars:
        values["scalar"] = draw(st.integers(-(1 << 31), (1 << 31) - 1))
    if kind is OperandKind.PARAM:
        values |= {f"scalar_step.{i}": draw(st.integers(-(1 << 23), (1 << 23) - 1)) for i in range(NUM_LEVELS)}
    return values


@st.composite
def _result(draw: DrawFn, operand: Operand, instruction: Instruction, chip: Chip) -> Values:
    may_hold = instruction.area is Area.VXM and operand.width is Width.WORD
    hold = draw(st.integers(0, chip.vxm.num_holds)) if may_hold else 0
    ways = [Direction.EAST, Direction.WEST, Direction.BOTH] + [Direction.NONE] * bool(hold)
    values: Values = {"direction": draw(st.sampled_from(ways)), "discard": draw(st.integers(0, 1))}
    if values["direction"]:
        values["stream"] = draw(streams(operand.width, chip))
    if hold:
        values["hold"] = hold
    return _used(operand.field, values)


@st.composite
def any_addresses(draw: DrawFn, operand: Operand, instruction: Instruction, chip: Chip) -> Values:
    """Any address that can be encoded, in memory or not."""
    fields = {p: f for p, f in field_by_path(instruction.mnemonic).items() if p.startswith(f"{operand.field}.")}
    num_terms = draw(st.integers(0, NUM_TERMS))
    values: Values = {}
    for path, field in fields.items():
        _, part, *rest = path.split(".")
        if part == "term" and int(rest[0]) >= num_terms:
            continue
        high = chip.num_params - 1 if rest[1:] == ["param"] else field.high
        low = field.high if rest[1:] == ["used"] else field.low
        values[path] = draw(st.just(0) | st.integers(low, high) if low <= 0 else st.just(low))
    return values


def address_limit(operand: Operand, sram: int, chip: Chip) -> int:
    """How many addresses there are, of what the operand counts."""
    return {
        "word": chip.mem.num_words,
        "byte": 4 * chip.mem.num_words,
        "lane": chip.lanes,
        "row": chip.lanes,
        "amount": chip.lanes,
        "tile": chip.mxm.num_sram_tiles if sram else chip.mxm.num_reram_tiles,
    }[operand.word]


def resident_addresses(operand: Operand, instruction: Instruction, chip: Chip) -> SearchStrategy[Values]:
    """A fixed address in memory: for tiles one that exists in both kinds of cell, if both are there."""
    flagged = instruction.field("sram") is not None
    cells = (0, 1) if flagged else (1,)
    limits = [limit for sram in cells if (limit := address_limit(operand, sram, chip))]
    return st.integers(0, min(limits) - 1).map(lambda base: {f"{operand.field}.base": base})


def _number(operand: Operand, instruction: Instruction, chip: Chip) -> SearchStrategy[Values]:
    field = field_by_path(instruction.mnemonic)[operand.field]
    values = {
        "acc": st.integers(0, min(field.high, chip.mxm.num_accumulators - 1)),
        "param": st.integers(0, min(field.high, chip.num_params - 1)),
        "mask": st.sampled_from(lane_powers(chip)),
        "segment": st.sampled_from([1, *(2 * power for power in lane_powers(chip))]),
    }.get(operand.field, st.integers(field.low, field.high))
    return values.map(lambda value: {operand.field: value})


@st.composite
def legal_values(draw: DrawFn, chip: Chip, mnemonic: str, addresses: Addresses = any_addresses) -> Values:
    """The values, by path, of an instruction that `check_records` accepts on its own."""
    instruction = INSTRUCTIONS[mnemonic]
    values: Values = {}
    for operand in instruction.operands:
        match operand.form:
            case Form.SOURCE:
                values |= draw(_source(operand, chip, "scalar" not in values))
            case Form.STREAM:
                values |= _used(operand.field, draw(_stream(operand, chip)))
            case Form.ADDRESS:
                values |= draw(addresses(operand, instruction, chip))
            case Form.NUMBER:
                values |= draw(_number(operand, instruction, chip))
            case Form.FLAG:
                values[operand.field] = draw(st.integers(0, 1))
            case Form.RESULT if values.get("emit", 1):
                values |= draw(_result(operand, instruction, chip))
            case Form.RESULT:
                pass
    return values


def legal_records(chip: Chip, mnemonic: str, addresses: Addresses = any_addresses) -> SearchStrategy[Records]:
    """One record of the mnemonic."""
    return legal_values(chip, mnemonic, addresses).map(partial(record_of, mnemonic))


def mnemonics_of(queue: Queue, chip: Chip) -> list[str]:
    """The mnemonics, control entries aside, that a queue of the chip accepts."""
    kinds = (queue.slice.kind, None)
    rows = (row for row in INSTRUCTIONS.values() if row.area.slice_kind in kinds and row.mnemonic not in CONTROL)
    return [row.mnemonic for row in rows if queue.index in alus_of(row.unit, chip)]


Entry = tuple[str, Values]
Block = tuple[list[Entry], int]
"""Entries and the cycles that they take."""


@st.composite
def _block(draw: DrawFn, queue: Queue, chip: Chip, addresses: Addresses, loops: int) -> Block:
    shape = draw(st.sampled_from(["instruction", "nop", "repeat"] + ["loop"] * bool(loops)))
    if shape == "nop":
        cycles = draw(st.integers(1, 50))
        return [("icu.nop", {"n": cycles})], cycles
    if shape == "loop":
        body, cycles = draw(_blocks(queue, chip, addresses, loops - 1, 1))
        n, period = draw(st.integers(1, 4)), cycles + draw(st.integers(0, 9))
        return [*body, ("icu.loop", {"n": n, "distance": period, "body": len(body)})], n * period
    mnemonic = draw(st.sampled_from(mnemonics_of(queue, chip)))
    entry = (mnemonic, draw(legal_values(chip, mnemonic, addresses)))
    if shape == "instruction":
        return [entry], 1
    n, distance = draw(st.integers(1, 4)), draw(st.integers(1, 9))
    return [entry, ("icu.repeat", {"n": n, "distance": distance})], n * distance + 1


@st.composite
def _blocks(draw: DrawFn, queue: Queue, chip: Chip, addresses: Addresses, loops: int, least: int = 0) -> Block:
    blocks = draw(st.lists(_block(queue, chip, addresses, loops), min_size=least, max_size=4))
    return [entry for entries, _ in blocks for entry in entries], sum(cycles for _, cycles in blocks)


@st.composite
def legal_queues(draw: DrawFn, chip: Chip, queue: Queue, addresses: Addresses = any_addresses) -> Records:
    """A whole queue: start, then instructions, nops, repeats and nested loops that `check_records` accepts."""
    entries, _ = draw(_blocks(queue, chip, addresses, MAX_LOOPS))
    records = empty_instructions(1 + len(entries))
    for place, (mnemonic, values) in enumerate([("icu.start", {}), *entries]):
        records[place] = record_of(mnemonic, values)[0]
    return records
