"""Every bit and every code of an entry counts: what the tools refuse freezes the chip, with their cause."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from tests.rtl.test_illegal import (
    ENTRY,
    FOUND_AT_ISSUE,
    ONE_QUEUE_OF_EACH_KIND,
    cause_of,
    legal_rows,
    queue_with,
    with_code,
)
from waterclock.chip import Chip, Queue
from waterclock.isa.causes import Cause
from waterclock.isa.encoding import Words, encode_queue
from waterclock.isa.layout import layout, num_bits
from waterclock.isa.record import Records
from waterclock.isa.table import INSTRUCTION_BY_OPCODE, INSTRUCTIONS

FEW_BITS = 3


def causes_of(chip: Chip, queue: Queue, start: Words, words: Words) -> Iterator[Cause]:
    """Why the chip refuses each word, [word, column], as entry 1 behind `start`: reset, load, launch, and the next."""
    from waterclock.rtl.core import LAUNCH_CYCLES, reset_cycles
    from waterclock.rtl.cosim import design_of, first_fault, loading
    from waterclock.rtl.images import WRITE
    from waterclock.rtl.verilated import Simulation

    simulation = Simulation(design_of(chip))
    num_columns, load = words.shape[1], reset_cycles(chip)
    launch = load + 2 * num_columns
    rows = np.zeros(2 * num_columns, WRITE)
    rows["target"], rows["row"] = queue.number, np.repeat([0, 1], num_columns)
    rows["column"], rows["data"][:num_columns] = np.tile(np.arange(num_columns), 2), start
    once = simulation.blank(launch + LAUNCH_CYCLES)
    simulation.column(once, "rst")[:load] = simulation.column(once, "launch")[launch] = 1
    once[load:launch] = loading(simulation, rows)
    for word in words:
        simulation.column(once, "load__data")[launch - num_columns : launch, 0] = word
        simulation.drive(once)
        fault = first_fault(chip, simulation, simulation.step(simulation.blank(1)))
        yield fault.cause if fault else Cause.NONE


ONE_OF_EACH_KIND = {
    (row.area, row.operands, row.unit, layout(mnemonic)): mnemonic for mnemonic, row in sorted(INSTRUCTIONS.items())
}
"""An instruction for all that have the same fields in the same places and run in the same units."""


@dataclass(frozen=True)
class Changed:
    """A queue, its start, an instruction of it in many ways, [word, column], and what the tools say to each."""

    queue: Queue
    start: Words
    words: Words
    due: list[Cause]


def changed_in(ways: Callable[[str, Words], list[Words]], chip: Chip, queue: Queue, row: Records) -> Changed:
    """A legal instruction of a queue in these ways; that bits above the fields are reserved is known."""
    mnemonic = INSTRUCTION_BY_OPCODE[int(row["op"][0])].mnemonic
    encoded = encode_queue(queue_with(row), queue.slice.kind)
    start, words = encoded[0], np.stack(ways(mnemonic, encoded[ENTRY]))
    column, bit = divmod(num_bits(mnemonic), 32)
    reserved = (words[:, column] >> np.uint32(bit) != 0) | words[:, column + 1 :].any(axis=1)
    due = [Cause.RESERVED if beyond else cause_of(chip, queue, np.stack([start, word]))
           for word, beyond in zip(words, reserved.tolist(), strict=True)]  # fmt: skip
    return Changed(queue, start, words, due)


def with_every_bit(mnemonic: str, legal: Words) -> list[Words]:
    """Each bit changed alone."""
    words = np.tile(legal, (32 * len(legal), 1))
    for bit, word in enumerate(words):
        word[bit // 32] ^= np.uint32(1 << bit % 32)
    return list(words)


def with_every_code(mnemonic: str, legal: Words) -> list[Words]:
    """Each field of a few bits with each of its codes, and the same with 0 in the other fields of its operand."""
    found = [legal]
    for field in (field for field in layout(mnemonic) if field.bits <= FEW_BITS):
        alone, operand = legal, field.path.partition(".")[0]
        for other in layout(mnemonic):
            alone = with_code(alone, other, 0) if other.path.startswith(f"{operand}.") else alone
        found += [with_code(word, field, code) for word in (legal, alone) for code in range(1 << field.bits)]
    return found


WAYS = with_every_bit, with_every_code


@cache
def changed_once(chip: Chip, mnemonic: str, turn: int) -> Changed:
    return changed_in(WAYS[turn], chip, *legal_rows(chip)[mnemonic][-1])


def assert_refused(chip: Chip, one: Changed) -> None:
    """What the tools refuse freezes the chip with that cause, and nothing else does before it issues."""
    got = list(causes_of(chip, one.queue, one.start, one.words))
    different = [row for row in zip(range(len(got)), got, one.due, strict=True) if row[1] is not row[2]]
    assert [row for row in different if row[1] not in FOUND_AT_ISSUE or row[2] is not Cause.NONE] == []


@pytest.mark.parametrize("mnemonic", ONE_OF_EACH_KIND.values())
@pytest.mark.parametrize("turn", range(len(WAYS)))
def test_every_bit_and_code_of_an_entry_counts(tiny: Chip, mnemonic: str, turn: int) -> None:
    assert_refused(tiny, changed_once(tiny, mnemonic, turn))


@pytest.mark.parametrize("name", ONE_QUEUE_OF_EACH_KIND)
def test_every_code_of_a_setting_counts_in_every_kind_of_queue(tiny: Chip, name: str) -> None:
    row = legal_rows(tiny)["icu.set_param"][-1][1]
    assert_refused(tiny, changed_in(with_every_code, tiny, tiny.queue_by_name[name], row))
