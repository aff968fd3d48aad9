"""Cells that are filled at once hold what the load bus would have put there, and a place without cells is an error."""

import pytest

from tests.programs import random_state
from waterclock.chip import Chip

WAY_CYCLES = 2
"""From the load bus to a cell."""


def test_the_load_bus_and_filled_cells_agree(tiny: Chip) -> None:
    from waterclock.rtl import cell_images
    from waterclock.rtl.cosim import design_of, loading
    from waterclock.rtl.images import Memories, writes
    from waterclock.rtl.verilated import Simulation

    state = random_state(tiny, 3)
    memories = Memories(state.mem, state.reram, state.sram)
    loaded, filled, other = (Simulation(design_of(tiny)) for _ in range(3))
    loaded.drive(loading(loaded, writes(tiny, {}, memories)))
    loaded.drive(loaded.blank(WAY_CYCLES))
    cell_images.fill(filled, tiny, memories)
    for kind in cell_images.KINDS:
        image = getattr(state, kind)
        assert image.any()
        assert (cell_images.read(loaded, tiny, kind, image) == image).all()
        assert (cell_images.read(filled, tiny, kind, image) == image).all()
        assert not cell_images.read(other, tiny, kind, image).any()


def test_cells_stay_when_another_simulation_ends(tiny: Chip) -> None:
    from waterclock.rtl import cell_images
    from waterclock.rtl.cosim import design_of
    from waterclock.rtl.images import Memories
    from waterclock.rtl.verilated import Simulation

    state = random_state(tiny, 4)
    first, second = (Simulation(design_of(tiny)) for _ in range(2))
    cell_images.fill(second, tiny, Memories(mem=state.mem))
    del first
    assert (cell_images.read(second, tiny, "mem", state.mem) == state.mem).all()


def test_a_place_without_cells_is_an_error(tiny: Chip) -> None:
    from waterclock.rtl.cosim import design_of
    from waterclock.rtl.verilated import Simulation

    with pytest.raises(KeyError, match=r"row.mem9.cells: has 0 bytes of cells"):
        Simulation(design_of(tiny)).cells("row.mem9.cells", 1)
