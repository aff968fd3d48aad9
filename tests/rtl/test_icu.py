"""Instruction queues in gates: every issue in its cycle, with its iterations, and the freeze at an illegal entry."""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pytest

from tests.programs.parts import Row, row_of, stacked
from tests.rtl.compare import assembled, compare, issued_by_stepper
from tests.rtl.test_illegal import legal_rows
from waterclock.chip import Chip, SliceKind
from waterclock.isa.causes import Cause
from waterclock.isa.encoding import encode_queue
from waterclock.isa.record import Records, address
from waterclock.isa.table import CONTROL, INSTRUCTION_BY_OPCODE, INSTRUCTIONS, OPCODES, Form
from waterclock.isa.validate import check_records
from waterclock.simulator.state import State

ISSUING = sorted(INSTRUCTIONS.keys() - CONTROL - {"icu.set_param"})
NUM_PROGRAMS = 120
PIECES = 1, 1, 2, 3
GAPS = 0, 0, 0, 0, 1, 5, 40, 5_000
MAX_LOOPS = 3
MAX_CYCLES = 12_000
COUNTS = 1, 1, 2, 2, 3, 4
LONG_ODDS, MAX_COUNT_BITS = 0.15, 11
"""How often, and how far, a count or a length goes beyond these few."""


@cache
def instructions(chip: Chip) -> dict[str, list[Row]]:
    """For each queue, instructions with all kinds of bits set; those with addresses are at place 0, never outside."""
    found: dict[str, list[Row]] = {}
    for queue, rows in (pair for mnemonic in ISSUING for pair in legal_rows(chip)[mnemonic]):
        row = rows[0].copy()
        for operand in INSTRUCTION_BY_OPCODE[int(row["op"])].operands:
            if operand.form is Form.ADDRESS:
                row[operand.field] = address(0)
        found.setdefault(queue.name, []).append(row)
    return found


def count(random: np.random.Generator) -> int:
    """Mostly a small number."""
    few = int(random.choice(COUNTS))
    return few + (1 << int(random.integers(2, MAX_COUNT_BITS)) if random.random() < LONG_ODDS else 0)


def random_queue(
    random: np.random.Generator, instructions: Sequence[Row], loops: int = MAX_LOOPS
) -> tuple[list[Row], int]:
    """Entries of a queue, and the cycles that they take; loops often end together and leave no gaps."""
    rows: list[Row] = []
    cycles = 0
    for _ in range(random.choice(PIECES)):
        shape = random.choice(["instruction", "nop", "repeat", "loop"] if loops else ["instruction", "nop", "repeat"])
        n, gap = count(random), int(random.choice([0, 0, 1, 5]))
        if shape == "nop":
            rows, cycles = [*rows, row_of("icu.nop", n=n)], cycles + n
        elif shape == "loop":
            body, length = random_queue(random, instructions, loops - 1)
            loop = row_of("icu.loop", n=n, distance=length + gap, body=len(body))
            rows, cycles = [*rows, *body, loop], cycles + n * (length + gap)
        else:
            rows, cycles = [*rows, instructions[random.integers(len(instructions))]], cycles + 1
            if shape == "repeat":
                rows, cycles = [*rows, row_of("icu.repeat", n=n, distance=gap + 1)], cycles + n * (gap + 1)
    return rows, cycles


def nest(random: np.random.Generator, instructions: Sequence[Row]) -> tuple[list[Row], int]:
    """An instruction, mostly repeated, and all loops right behind it, which often end in one cycle; then another."""
    rows, cycles = [instructions[random.integers(len(instructions))]], 1
    if random.random() < 0.7:
        n, distance = count(random), count(random)
        rows, cycles = [*rows, row_of("icu.repeat", n=n, distance=distance)], cycles + n * distance
    for body in range(len(rows), len(rows) + MAX_LOOPS):
        n, gap = int(random.choice(COUNTS)), int(random.choice(GAPS))
        rows, cycles = [*rows, row_of("icu.loop", n=n, distance=cycles + gap, body=body)], n * (cycles + gap)
    return [*rows, instructions[random.integers(len(instructions))]], cycles + 1


def random_queues(chip: Chip, random: np.random.Generator) -> tuple[dict[str, Records], int]:
    """A queue for each slice that is built, and the cycles of the longest."""
    queues: dict[str, Records] = {}
    longest = 0
    for name, choice in instructions(chip).items():
        draw = [random_queue, nest][random.integers(2)]
        rows, cycles = draw(random, choice)
        while cycles > MAX_CYCLES:
            rows, cycles = draw(random, choice)
        queues[name], longest = stacked([row_of("icu.start"), *rows]), max(longest, cycles)
    return queues, longest


def test_every_issue_is_in_its_cycle(chip: Chip) -> None:
    from waterclock.rtl.cosim import Memories, launch

    random = np.random.default_rng(30)
    num_issues = deepest = 0
    for _ in range(NUM_PROGRAMS):
        queues, num_cycles = random_queues(chip, random)
        check_records(queues, chip)
        trace = launch(chip, queues, Memories(), num_cycles + 1)
        assert trace.frozen is None
        assert trace.issued == issued_by_stepper(chip, queues)
        num_issues += len(trace.issued)
        deepest = max([deepest, *(sum(count > 0 for count in one.iteration) for one in trace.issued)])
    assert num_issues > 3_000
    assert deepest == 1 + MAX_LOOPS


def test_what_a_longer_queue_left_behind_is_not_seen(chip: Chip) -> None:
    """A queue is loaded over a longer one and ends where that went on: with a repeat, say, or the end of a loop."""
    from waterclock.rtl.cosim import Memories, design_of, launch_on
    from waterclock.rtl.images import encoded
    from waterclock.rtl.verilated import Simulation

    random = np.random.default_rng(33)
    for _ in range(NUM_PROGRAMS // 3):
        queues, num_cycles = random_queues(chip, random)
        shorter = {name: rows[: random.integers(2, len(rows) + 1)] for name, rows in queues.items()}
        check_records(shorter, chip)
        simulation = Simulation(design_of(chip))
        for loaded in (queues, shorter):
            trace = launch_on(simulation, chip, encoded(chip, loaded), Memories(), num_cycles + 1)
            assert trace.frozen is None
            assert trace.issued == issued_by_stepper(chip, loaded)


def test_loops_far_from_the_start(chip: Chip) -> None:
    """Behind so many entries that a queue is nearly full."""
    from waterclock.rtl.cosim import Memories, launch

    random = np.random.default_rng(35)
    for _ in range(NUM_PROGRAMS // 12):
        queues, num_cycles = random_queues(chip, random)
        for name, rows in queues.items():
            wait = stacked([row_of("icu.nop", n=1)] * int(chip.max_queue_entries - len(rows) - random.integers(9)))
            queues[name] = np.concatenate([rows[:1], wait, rows[1:]])
        trace = launch(chip, queues, Memories(), chip.max_queue_entries + num_cycles + 1)
        assert trace.frozen is None
        assert trace.issued == issued_by_stepper(chip, queues)


@pytest.mark.parametrize("text", [
    "mem.read32 word[1 + 2*r + 8*l1] -> s0e\nicu.repeat n=3, distance=1\nicu.loop n=3, distance=4, body=2",
    "mem.read32 word[31 + -1*r + -3*l1 + -6*l2 + -12*l3] -> s0e\nicu.repeat n=2, distance=1\n"
    "icu.loop n=2, distance=3, body=2\nicu.loop n=2, distance=6, body=3\nicu.loop n=2, distance=13, body=4",
    "mem.read32 word[3 + 2*((p0+4)>>1&7)] -> s0e\n"
    "mem.read32 word[1 + 1*l1 + 3*((p1-5{l1:3})>>2&3) + -1*((p0+0{l1:1})>>0&1)] -> s4ew\n"
    "icu.loop n=6, distance=2, body=2",
    "mem.read8 byte[7 + 5*l1] -> s3ew\nicu.loop n=20, distance=1, body=1",
])  # fmt: skip
def test_addresses_along_loops_and_parameters(chip: Chip, text: str) -> None:
    state = State.zero(chip)
    state.mem[:] = np.random.default_rng(31).integers(-(2**31), 2**31, state.mem.shape)
    state.params[:2] = 9, -40
    compare(chip, assembled({"mem0": text}), state)


Change = Callable[[np.ndarray], None]


def with_bits(entry: int, bit: int, bits: int = 1) -> Change:
    """Set bits of an entry."""

    def change(words: np.ndarray) -> None:
        words[entry, bit // 32] |= np.uint32(bits << bit % 32)

    return change


def becomes(entry: int, *low: int) -> Change:
    """Replace an entry by one with these lowest words and zeros above."""

    def change(words: np.ndarray) -> None:
        words[entry] = 0
        words[entry, : len(low)] = low

    return change


# What is changed in `BEFORE`, the entry and the cycle of the freeze, and its cause. Entries 1, 2, 3, 4 are at hand from
# cycle 0, 1, 2, 6 on, and entry 5, which closes a loop over entries 3 and 4, in cycle 7.
BEFORE = """mem.read32 word[1] -> s0e
mem.read32 word[2] -> s4e
icu.nop n=4
mem.read32 word[3] -> s0e
icu.loop n=2, distance=9, body=2"""
ILLEGAL: dict[str, tuple[Change, int, int, Cause]] = {
    "an opcode of nobody": (with_bits(2, 0, 0xFF), 2, 1, Cause.OPCODE),
    "an opcode of another slice": (becomes(2, OPCODES["sxm.rotate"]), 2, 1, Cause.OPCODE),
    "a reserved bit of a read": (with_bits(2, 800), 2, 1, Cause.RESERVED),
    "a reserved bit of a nop": (with_bits(3, 40), 3, 2, Cause.RESERVED),
    "a reserved bit of a loop": (with_bits(5, 90), 5, 7, Cause.RESERVED),
    "a nop of no cycles": (becomes(3, OPCODES["icu.nop"]), 3, 2, Cause.FIELD),
    "a field that is not in use": (with_bits(2, 160), 2, 1, Cause.FIELD),
    "a start that is not first": (becomes(4, OPCODES["icu.start"]), 4, 6, Cause.SEQUENCE),
    "no start": (becomes(0, OPCODES["icu.nop"] | 1 << 8), 0, 0, Cause.SEQUENCE),
    "a body before the queue": (with_bits(5, 56, 8), 5, 7, Cause.SEQUENCE),
    "a body longer than its period": (becomes(5, OPCODES["icu.loop"] | 2 << 8, 4 | 2 << 24), 5, 7, Cause.SEQUENCE),
    "a repeat of a nop": (becomes(4, OPCODES["icu.repeat"] | 2 << 8, 1), 4, 6, Cause.SEQUENCE),
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_an_illegal_entry_freezes_the_chip(chip: Chip, name: str) -> None:
    from waterclock.rtl.cosim import Frozen, Memories, launch, launch_words

    change, entry, cycle, cause = ILLEGAL[name]
    queues = assembled({
        "mem0": BEFORE,
        "vxm.alu0": "vxm.add 0x3f800000, h0 -> s8ew\nicu.repeat n=40, distance=1",
    })  # fmt: skip
    memories = Memories(mem=np.random.default_rng(32).integers(-9, 9, State.zero(chip).mem.shape, dtype=np.int32))
    legal = launch(chip, queues, memories, 40)
    words = {queue: encode_queue(rows, chip.queue_by_name[queue].slice.kind) for queue, rows in queues.items()}
    change(words["mem0"])
    frozen = launch_words(chip, words, memories, 40)
    assert legal.frozen is None
    assert frozen.frozen == Frozen(cycle, "mem0", entry, cause)
    assert frozen.issued == tuple(issue for issue in legal.issued if issue.cycle < cycle)
    for before, after in ((legal.eastward, frozen.eastward), (legal.westward, frozen.westward)):
        assert (after[: cycle + 1] == before[: cycle + 1]).all()
        assert (after[cycle:] == after[cycle]).all()


def test_a_queue_that_is_not_there_is_refused(chip: Chip) -> None:
    from waterclock.errors import InputError
    from waterclock.rtl.cosim import Memories, launch_words

    words = encode_queue(assembled({"mem0": "icu.nop n=1"})["mem0"], SliceKind.MEM)
    with pytest.raises(InputError, match="mem9: the RTL has no such queue"):
        launch_words(chip, {"mem9": words}, Memories(), 1)
