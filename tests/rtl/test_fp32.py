"""The lanes of the VXM in gates, against the contract of numbers."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.numerics.vectors import binary_words
from waterclock.chip import Chip
from waterclock.isa.table import INSTRUCTIONS
from waterclock.numerics import fp32

EXPECTED = {"vxm.add": fp32.add, "vxm.sub": fp32.sub}


@pytest.mark.parametrize("mnemonic", EXPECTED)
def test_a_lane_equals_the_contract(mnemonic: str, chip: Chip) -> None:
    from waterclock.rtl.verilated import Design, Simulation
    from waterclock.rtl.vxm import DATAPATHS, FETCH_CYCLES, LANE, Lane

    cycles = INSTRUCTIONS[mnemonic].latency(chip) - FETCH_CYCLES
    a, b = binary_words()
    simulation = Simulation(Design.of(LANE, lambda: Lane(DATAPATHS[mnemonic], cycles), f"{mnemonic} {cycles}"))
    inputs = simulation.blank(len(a) + cycles - 1)
    for name, words in (("a", a), ("b", b)):
        simulation.column(inputs, name)[: len(words), 0] = words.view(np.uint32)
    results = simulation.column(simulation.step(inputs), "result")[cycles - 1 :, 0].view(np.int32)
    expected = _contract(EXPECTED[mnemonic], a, b)
    wrong = np.flatnonzero(results != expected)
    shown = [f"{a[i]:#x} {b[i]:#x}: {results[i]:#x}, not {expected[i]:#x}" for i in wrong[:3].tolist()]
    assert len(a) >= 40_000
    assert not shown


def _contract(function: Callable[[Any, Any], Any], a: np.ndarray, b: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return function(a.view(np.float32), b.view(np.float32)).view(np.int32)
