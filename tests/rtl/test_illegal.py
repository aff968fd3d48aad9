"""Every illegal encoding freezes the chip in its issue cycle, with the cause that the tools give for it."""

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest

from tests.programs import random_program
from tests.rtl.compare import assembled
from waterclock.chip import Chip, Queue
from waterclock.isa.causes import Cause, IllegalEntry
from waterclock.isa.encoding import Words, decode_queue, encode_queue
from waterclock.isa.layout import Field, layout, num_bits
from waterclock.isa.record import Records, address
from waterclock.isa.table import CONTROL, INSTRUCTION_BY_OPCODE, INSTRUCTIONS, OPCODES, Area, Form, Operand
from waterclock.isa.validate import check_records

MNEMONICS = sorted(INSTRUCTIONS.keys() - CONTROL)
NUM_CHANGES = 30
NUM_SEEDS = 4
ONE_QUEUE_OF_EACH_KIND = "mem0", "vxm.alu0", "vxm.alu1", "vxm.alu3", "sxm0", "mxm0"
"""ALUs have different units."""
ENTRY, CYCLE = 2, 3
"""Where the instruction stands in its queue, behind a start and a nop, and when it issues."""
FOUND_AT_ISSUE = (Cause.ADDRESS, Cause.PARAM)


@cache
def legal_rows(chip: Chip) -> dict[str, list[tuple[Queue, Records]]]:
    """Legal records of each mnemonic, with a queue that takes them."""
    found: dict[str, list[tuple[Queue, Records]]] = {mnemonic: [] for mnemonic in INSTRUCTIONS}
    for seed in range(NUM_SEEDS):
        for name, rows in random_program(chip, seed).queues.items():
            for entry, op in enumerate(rows["op"].tolist()):
                found[INSTRUCTION_BY_OPCODE[op].mnemonic].append((chip.queue_by_name[name], rows[entry : entry + 1]))
    return found


def queue_with(row: Records) -> Records:
    rows = np.zeros(ENTRY + 1, row.dtype)
    rows["op"][:ENTRY] = OPCODES["icu.start"], OPCODES["icu.nop"]
    rows["n"][1] = CYCLE
    rows[ENTRY] = row[0]
    return rows


def with_code(words: Words, field: Field, code: int) -> Words:
    """A word with another code in a field."""
    number = sum(int(word) << 32 * place for place, word in enumerate(words))
    number &= ~((1 << field.bits) - 1 << field.offset)
    number |= code << field.offset
    return np.array([number >> 32 * place & 0xFFFFFFFF for place in range(len(words))], np.uint32)


def changes(random: np.random.Generator, mnemonic: str, words: Words) -> Iterator[Words]:
    """The word with any code in one of its fields, or with any bit changed."""
    fields = [*layout(mnemonic), Field("opcode", 8)]
    for _ in range(NUM_CHANGES):
        if random.random() < 0.7:
            field = fields[random.integers(len(fields))]
            yield with_code(words, field, int(random.integers(1 << min(field.bits, 31))))
        else:
            bit = int(random.integers(32 * len(words)))
            changed = words.copy()
            changed[bit // 32] ^= np.uint32(1 << bit % 32)
            yield changed


def fault_of(chip: Chip, queue: Queue, words: Words) -> tuple[Cause, int]:
    """What the tools say: the cause, and the entry that it is about."""
    try:
        check_records({queue.name: decode_queue(words, queue.slice.kind)}, chip)
    except IllegalEntry as problem:
        return problem.cause, problem.entry
    return Cause.NONE, 0


def cause_of(chip: Chip, queue: Queue, words: Words) -> Cause:
    return fault_of(chip, queue, words)[0]


@pytest.mark.parametrize("mnemonic", MNEMONICS)
def test_a_changed_instruction_freezes_as_the_tools_refuse_it(tiny: Chip, mnemonic: str) -> None:
    from waterclock.rtl.cosim import Frozen, Memories, launch_words

    random = np.random.default_rng(OPCODES[mnemonic])
    rows = legal_rows(tiny)[mnemonic]
    queue, row = rows[random.integers(len(rows))]
    place = [one for one in tiny.queues if one.slice.kind is queue.slice.kind]
    causes: set[Cause] = set()
    encoded = encode_queue(queue_with(row), queue.slice.kind)
    for changed in changes(random, mnemonic, encoded[ENTRY]):
        words = encoded.copy()
        words[ENTRY] = changed
        queue = place[random.integers(len(place))]
        cause = cause_of(tiny, queue, words)
        frozen = launch_words(tiny, {queue.name: words}, Memories(), CYCLE + 2).frozen
        causes.add(cause)
        if cause is not Cause.NONE:
            assert frozen == Frozen(CYCLE, queue.name, ENTRY, cause)
        elif frozen is not None:
            assert frozen.cause in FOUND_AT_ISSUE
    assert {Cause.NONE, Cause.FIELD} <= causes
    assert Cause.RESERVED in causes or num_bits(mnemonic) > 32 * encoded.shape[1] - 64


def addresses() -> Iterator[tuple[str, Operand]]:
    for mnemonic, row in INSTRUCTIONS.items():
        if row.area is not Area.SXM:  # any number will do
            yield from ((mnemonic, operand) for operand in row.operands if operand.form is Form.ADDRESS)


def limit(chip: Chip, mnemonic: str, operand: Operand, sram: int) -> int:
    """How many there are of what an address counts."""
    is_sram = sram or INSTRUCTIONS[mnemonic].field("sram") is None
    num_tiles = chip.mxm.num_sram_tiles if is_sram else chip.mxm.num_reram_tiles
    num_words = chip.mem.num_words
    return {"word": num_words, "byte": 4 * num_words, "tile": num_tiles}.get(operand.word, chip.lanes)


# Where a walk of three steps starts, counted from the last place, or from the first; its stride; whether it leaves.
WALKS = {"past the end": (-1, 1, True), "to the end": (-2, 1, False), "past 0": (1, -1, True), "to 0": (2, -1, False)}
PARAM, STEPS, DISTANCE = 5, 3, 2


@pytest.mark.parametrize(("mnemonic", "operand"), list(addresses()), ids=lambda value: getattr(value, "field", value))
@pytest.mark.parametrize("sram", [0, 1])
def test_an_address_outside_its_memory_freezes_in_its_cycle(
    tiny: Chip, mnemonic: str, operand: Operand, sram: int
) -> None:
    """It is the sum of a parameter and a stride, in the last iteration of a repeat."""
    from waterclock.rtl.cosim import Frozen, Memories, launch

    queue, rows = legal_rows(tiny)[mnemonic][0]
    rows = np.concatenate([queue_with(rows), np.zeros(1, rows.dtype)])
    row, repeat, instruction = rows[ENTRY], rows[ENTRY + 1], INSTRUCTIONS[mnemonic]
    repeat["op"], repeat["n"], repeat["distance"] = OPCODES["icu.repeat"], STEPS - 1, DISTANCE
    if instruction.field("sram") is not None:
        row["sram"] = sram
    for other in (one for one in instruction.operands if one.form is Form.ADDRESS):
        row[other.field] = address(0)
    num_places = limit(tiny, mnemonic, operand, sram)
    params = np.zeros(tiny.num_params, np.int32)
    for start, stride, leaves in WALKS.values():
        params[PARAM] = start if start > 0 else num_places - 1 + start
        row[operand.field] = address(0, (1, PARAM, 0, 0, -1), strides={0: stride})
        frozen = launch(tiny, {queue.name: rows}, Memories(params=params), CYCLE + STEPS * DISTANCE).frozen
        at = CYCLE + (STEPS - 1) * DISTANCE
        assert frozen == (Frozen(at, queue.name, ENTRY, Cause.ADDRESS) if leaves else None)


@pytest.mark.parametrize(("value", "declared", "cause"), [
    (-3, (-3, 4), None), (4, (-3, 4), None), (5, (-3, 4), Cause.PARAM), (-4, (-3, 4), Cause.PARAM),
    (0, None, Cause.PARAM), (-(1 << 31), (-(1 << 31), (1 << 31) - 1), None),
])  # fmt: skip
def test_a_parameter_outside_its_range_freezes_where_it_is_set(
    tiny: Chip, value: int, declared: tuple[int, int] | None, cause: Cause | None
) -> None:
    from waterclock.rtl.cosim import Frozen, Memories, launch

    arrives = tiny.latency.mem_read + tiny.slice_by_name["mem1"].x - tiny.slice_by_name["mem0"].x
    mem = np.zeros((tiny.num_mem, tiny.mem.num_words, tiny.lanes), np.int32)
    mem[0, 7, 0] = value
    ranges = np.tile(np.array([1, 0], np.int32), (tiny.num_params, 1))
    if declared is not None:
        ranges[PARAM] = declared
    queues = assembled({
        "mem0": "mem.read32 word[7] -> s4e",
        "mem1": f"icu.nop n={arrives}\nicu.set_param s4e, param={PARAM}",
    })  # fmt: skip
    frozen = launch(tiny, queues, Memories(mem=mem, ranges=ranges), arrives + 4).frozen
    assert frozen == (None if cause is None else Frozen(arrives, "mem1", ENTRY, cause))


CONTROL_PROGRAM = """mem.read32 word[1] -> s0e
icu.nop n=4
mem.read32 word[2] -> s4e
icu.repeat n=2, distance=3
icu.loop n=2, distance=20, body=4"""
CYCLE_BY_CONTROL_ENTRY = {2: 1, 4: 6, 5: 12}
"""When each control entry is at hand; a repeat is where the instruction before it has been issued once."""
NUM_ROUNDS = 3


@pytest.mark.parametrize("entry", CYCLE_BY_CONTROL_ENTRY)
def test_a_changed_control_entry_freezes_as_the_tools_refuse_it(tiny: Chip, entry: int) -> None:
    from waterclock.rtl.cosim import Frozen, Memories, launch_words

    queue = tiny.queue_by_name["mem0"]
    encoded = encode_queue(assembled({queue.name: CONTROL_PROGRAM})[queue.name], queue.slice.kind)
    mnemonic = INSTRUCTION_BY_OPCODE[int(encoded[entry, 0]) & 0xFF].mnemonic
    causes: set[Cause] = set()
    cycle, random = CYCLE_BY_CONTROL_ENTRY[entry], np.random.default_rng(entry)
    for changed in (one for _ in range(NUM_ROUNDS) for one in changes(random, mnemonic, encoded[entry])):
        words = encoded.copy()
        words[entry] = changed
        cause, fault = fault_of(tiny, queue, words)
        if fault == entry:  # not the loop, for which a legal nop may be too long
            causes.add(cause)
            frozen = launch_words(tiny, {queue.name: words}, Memories(), cycle + 2).frozen
            assert frozen == Frozen(cycle, queue.name, entry, cause)
    assert {Cause.RESERVED, Cause.OPCODE} <= causes


@pytest.mark.parametrize("name", ONE_QUEUE_OF_EACH_KIND)
def test_every_opcode_that_a_queue_does_not_take_freezes(tiny: Chip, name: str) -> None:
    """Without any other bit; opcodes of its own are left out, for they may be legal so."""
    from waterclock.rtl.cosim import Frozen, Memories, launch_words

    queue = tiny.queue_by_name[name]
    words = encode_queue(assembled({name: f"icu.nop n={CYCLE}\nicu.nop n=1"})[name], queue.slice.kind)
    causes: dict[int, Cause] = {}
    for opcode in range(256):
        words[ENTRY] = 0
        words[ENTRY, 0] = opcode
        causes[opcode] = cause_of(tiny, queue, words)
        if causes[opcode] is Cause.OPCODE:
            frozen = launch_words(tiny, {name: words}, Memories(), CYCLE + 2).frozen
            assert frozen == Frozen(CYCLE, name, ENTRY, Cause.OPCODE)
    strange = set(range(256)) - set(INSTRUCTION_BY_OPCODE)
    assert {causes[opcode] for opcode in strange} == {Cause.OPCODE}
