"""What a machine needs of a program, as arrays and back: the same launches, the same refusals."""

import numpy as np
import pytest

from tests.programs import random_params, random_program, random_state
from waterclock.chip import Chip
from waterclock.errors import InputError
from waterclock.simulator.link import rebuild
from waterclock.simulator.machine import Machine, made_ready, ready_from_arrays, ready_to_arrays


@pytest.mark.parametrize("seed", range(5))
def test_what_comes_back_runs_alike(tiny: Chip, seed: int) -> None:
    program = random_program(tiny, seed)
    ready = made_ready(rebuild(program, tiny))
    back = ready_from_arrays(ready_to_arrays(ready), program, tiny)
    params = random_params(seed)
    launched = [Machine(one, random_state(tiny, seed)).launch(params) for one in (ready, back)]
    assert launched[0].length_cycles == launched[1].length_cycles
    assert launched[0].state.equals(launched[1].state)
    again = ready_to_arrays(back)
    for name, array in ready_to_arrays(ready).items():
        np.testing.assert_array_equal(again[name], array)


@pytest.mark.parametrize("change", ["missing", "type", "shape"])
def test_what_is_missing_or_of_another_kind_is_refused(tiny: Chip, change: str) -> None:
    program = random_program(tiny, 0)
    tensors = ready_to_arrays(made_ready(rebuild(program, tiny)))
    for name, array in tensors.items():
        other = {"missing": {}, "type": {name: array.astype(np.float64)}, "shape": {name: array[None]}}[change]
        with pytest.raises(InputError, match="tape: "):
            ready_from_arrays({key: value for key, value in tensors.items() if key != name} | other, program, tiny)
