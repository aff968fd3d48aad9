"""The load bus: what is on it while nothing is valid does not matter."""

import numpy as np

from tests.programs import random_program, random_state
from waterclock.chip import Chip

NUM_CYCLES = 400
GAPS_OF = 3
"""There are so many cycles for each write."""


def test_gaps_between_writes_change_nothing(chip: Chip) -> None:
    from waterclock.rtl import cell_images
    from waterclock.rtl.cosim import Memories, design_of, launch_on, loading
    from waterclock.rtl.images import declared_ranges, encoded, writes
    from waterclock.rtl.verilated import Simulation

    random, state, program = np.random.default_rng(60), random_state(chip, 60), random_program(chip, 60)
    memories = Memories(state.mem, state.reram, state.sram, state.params, declared_ranges(chip, program))
    queues = encoded(chip, program.queues)
    at_once, gapped = Simulation(design_of(chip)), Simulation(design_of(chip))
    rows = loading(gapped, writes(chip, queues, memories))
    inputs = np.zeros((GAPS_OF * len(rows), rows.shape[1]), np.uint32)
    places = np.sort(random.choice(len(inputs), len(rows), replace=False))
    for port in (port for name, port in gapped.design.inputs.items() if name.startswith("load__")):
        if port.name != "load__valid":
            inputs[:, port.first] = random.integers(1 << port.bits, size=len(inputs))
    inputs[places] = rows
    gapped.drive(inputs)
    due = launch_on(at_once, chip, queues, memories, NUM_CYCLES)
    got = launch_on(gapped, chip, {}, Memories(), NUM_CYCLES)
    assert len(due.issued) > 0
    assert (got.frozen, got.issued) == (due.frozen, due.issued)
    assert (got.eastward == due.eastward).all()
    assert (got.westward == due.westward).all()
    for kind in cell_images.KINDS:
        image = getattr(state, kind)
        assert (cell_images.read(gapped, chip, kind, image) == cell_images.read(at_once, chip, kind, image)).all()
