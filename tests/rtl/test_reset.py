"""The reset: whatever was under way, the chip is then as new, but for what its memories hold."""

from dataclasses import dataclass

import numpy as np
import pytest

from tests.programs import random_params, random_program, random_state
from waterclock.chip import Chip
from waterclock.isa.encoding import Words
from waterclock.simulator.sequencer import issues

NUM_CUTS = 6
NUM_CYCLES = 1_500
STRANGE_OPCODE = 0xFF


@dataclass(frozen=True)
class Case:
    """A random program as words, and the cycles in which something of it issues."""

    words: dict[str, Words]
    issue_cycles: list[int]


def case(chip: Chip, seed: int) -> Case:
    from waterclock.rtl.images import encoded

    program = random_program(chip, seed)
    cycles = {issue.cycle for name, rows in program.queues.items() for issue in issues(chip.queue_by_name[name], rows)}
    return Case(encoded(chip, program.queues), sorted(cycle for cycle in cycles if cycle < NUM_CYCLES))


@pytest.mark.parametrize("seed", range(3))
def test_a_reset_ends_all_that_is_under_way(tiny: Chip, seed: int) -> None:
    """The chip runs, is reset soon after something has issued, or once it is frozen, and does all of it anew."""
    from waterclock.rtl import cell_images
    from waterclock.rtl.core import reset_cycles
    from waterclock.rtl.cosim import Memories, design_of, launch_on
    from waterclock.rtl.images import declared_ranges
    from waterclock.rtl.verilated import Simulation

    rng, state, drawn = np.random.default_rng(seed), random_state(tiny, seed), case(tiny, seed)
    state.params[list(random_params(seed))] = list(random_params(seed).values())
    cells = Memories(state.mem, state.reram, state.sram)
    registers = Memories(params=state.params, ranges=declared_ranges(tiny, random_program(tiny, seed)))
    new = Simulation(design_of(tiny))
    cell_images.fill(new, tiny, cells)
    due = launch_on(new, tiny, drawn.words, registers, NUM_CYCLES)
    assert len(due.issued) > NUM_CUTS
    assert due.frozen is None
    strange = {name: words.copy() for name, words in drawn.words.items()}
    for words in strange.values():
        words[-1, 0] = STRANGE_OPCODE
    for cut in range(NUM_CUTS):
        used = Simulation(design_of(tiny))
        cell_images.fill(used, tiny, cells)
        num_cycles = int(rng.choice(drawn.issue_cycles)) + int(rng.integers(1, 12))
        before = launch_on(used, tiny, strange if cut % 2 else drawn.words, registers, num_cycles)
        assert before.issued
        reset = used.blank(reset_cycles(tiny))
        used.column(reset, "rst")[:] = 1
        assert not used.column(used.step(reset), "running").any()
        cell_images.fill(used, tiny, cells)
        again = launch_on(used, tiny, drawn.words, registers, NUM_CYCLES)
        assert (again.frozen, again.issued) == (None, due.issued)
        assert (again.eastward == due.eastward).all()
        assert (again.westward == due.westward).all()
