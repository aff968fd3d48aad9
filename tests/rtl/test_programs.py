"""Random legal programs on the RTL of `tiny`: every change of state and every result in its cycle, as the stepper says.

The programs come from a generator that shares no code with the compiler; `make slow` runs a thousand of them.
"""

from collections import Counter
from functools import cache

import pytest

from tests.programs import random_params, random_program, random_state
from waterclock.chip import Chip
from waterclock.isa.table import CONTROL, INSTRUCTION_BY_OPCODE, INSTRUCTIONS
from waterclock.simulator.stepper import Event, step

NUM_LAUNCHES = 3
FEW, MANY = 30, 1_000
PROGRAMS_PER_INSTRUCTION = 100


def run(chip: Chip, seed: int) -> frozenset[str]:
    """Launch a random program some times, from a random state and with random parameters; the mnemonics it issues."""
    from waterclock.rtl.cosim import Memories
    from waterclock.rtl.lockstep import Lockstep

    program, state = random_program(chip, seed), random_state(chip, seed)
    lockstep = Lockstep(chip, program, Memories(state.mem, state.reram, state.sram, state.params))
    for launch in range(NUM_LAUNCHES):
        params = random_params(NUM_LAUNCHES * seed + launch)
        state.params[list(params)] = list(params.values())
        events: list[Event] = []
        stepped = step(chip, program, state, events.append)
        checked = lockstep.launch(params, events, stepped.length_cycles)
        assert checked.difference is None, f"program {seed}, {checked.difference}"
        state = stepped.state
    assert (lockstep.cells("mem", state.mem) == state.mem).all()
    assert (lockstep.cells("reram", state.reram) == state.reram).all()
    assert (lockstep.cells("sram", state.sram) == state.sram).all()
    opcodes = {op for rows in program.queues.values() for op in rows["op"].tolist()}
    return frozenset(INSTRUCTION_BY_OPCODE[op].mnemonic for op in opcodes)


@pytest.mark.parametrize("seed", range(FEW))
def test_a_random_program_does_the_same(tiny: Chip, seed: int) -> None:
    run(tiny, seed)


@cache
def num_programs_by_mnemonic(chip: Chip) -> Counter[str]:
    """How many of the many programs hold each instruction; all of them have run."""
    return Counter(mnemonic for seed in range(FEW, FEW + MANY) for mnemonic in run(chip, seed))


@pytest.mark.slow
@pytest.mark.parametrize("mnemonic", sorted(INSTRUCTIONS.keys() - CONTROL))
def test_every_instruction_in_a_hundred_random_programs(tiny: Chip, mnemonic: str) -> None:
    assert num_programs_by_mnemonic(tiny)[mnemonic] >= PROGRAMS_PER_INSTRUCTION
