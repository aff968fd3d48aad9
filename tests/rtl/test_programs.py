"""Random legal programs on the RTL of `tiny`: every change of state and every result in its cycle, as the stepper says.

The programs come from a generator that shares no code with the compiler; `make slow` runs a thousand of them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import pytest

from tests.programs import random_params, random_program, random_state
from waterclock.chip import Chip
from waterclock.isa.program import Program
from waterclock.isa.table import CONTROL, INSTRUCTION_BY_OPCODE, INSTRUCTIONS
from waterclock.simulator.state import State
from waterclock.simulator.stepper import Event, step

NUM_LAUNCHES = 3
FEW, MANY = 30, 1_000
PROGRAMS_PER_INSTRUCTION = 100


@dataclass(frozen=True)
class Launch:
    """A launch on the stepper: what the host writes, what is due, for how long, and the state after it."""

    params: Mapping[int, int]
    events: Sequence[Event]
    length_cycles: int
    state: State


@dataclass(frozen=True)
class Stepped:
    """A random program, the random state that it starts from, and its launches."""

    seed: int
    program: Program
    state: State
    launches: Sequence[Launch]


def stepped(chip: Chip, seed: int) -> Stepped:
    """Launch a random program some times on the stepper, from a random state and with random parameters."""
    program, before = random_program(chip, seed), random_state(chip, seed)
    state, launches = before.copy(), list[Launch]()
    for launch in range(NUM_LAUNCHES):
        params = random_params(NUM_LAUNCHES * seed + launch)
        state.params[list(params)] = list(params.values())
        events: list[Event] = []
        ran = step(chip, program, state, events.append)
        state = ran.state
        launches.append(Launch(params, events, ran.length_cycles, state.copy()))
    return Stepped(seed, program, before, launches)


def compare(chip: Chip, due: Stepped) -> None:
    """Run the same on the RTL: every change in its cycle, and the memories at the end."""
    from waterclock.rtl.cosim import Memories
    from waterclock.rtl.lockstep import Lockstep

    state = due.state
    lockstep = Lockstep(chip, due.program, Memories(state.mem, state.reram, state.sram, state.params))
    for launch in due.launches:
        checked = lockstep.launch(launch.params, launch.events, launch.length_cycles)
        assert checked.difference is None, f"program {due.seed}, {checked.difference}"
    after = due.launches[-1].state
    for kind, cells in (("mem", after.mem), ("reram", after.reram), ("sram", after.sram)):
        assert (lockstep.cells(kind, cells) == cells).all(), f"program {due.seed}: other {kind} cells"


def run(chip: Chip, seed: int) -> frozenset[str]:
    """Compare a random program; the mnemonics it issues."""
    due = stepped(chip, seed)
    compare(chip, due)
    opcodes = {op for rows in due.program.queues.values() for op in rows["op"].tolist()}
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
