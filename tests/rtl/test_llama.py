"""A random Llama on the RTL of `tiny`: text, bits and cycles are the compiler's, the machine's and the stepper's."""

from pathlib import Path

import numpy as np
import pytest

from tests.integration.executions import Built, build, first_largest, random_graph
from waterclock.chip import Chip
from waterclock.simulator.events import Event
from waterclock.simulator.stepper import step

CONTEXT = 16
FIRST_TOKEN, NUM_TOKENS = 7, 8
SHAPES = {
    "odd": {"hidden": 20, "intermediate": 24, "num_heads": 3, "num_kv_heads": 1, "head_dim": 6, "vocab": 61},
    "other": {"hidden": 24, "intermediate": 40, "num_heads": 3, "num_kv_heads": 1, "head_dim": 8, "vocab": 101},
}


@pytest.mark.parametrize("shape", ["odd", pytest.param("other", marks=pytest.mark.slow)])
def test_a_random_llama_generates(tiny: Chip, tmp_path: Path, shape: str) -> None:
    from waterclock.rtl.cosim import Memories
    from waterclock.rtl.lockstep import Lockstep

    built = build(random_graph(tmp_path, num_layers=2, seed=3, **SHAPES[shape]), tiny, CONTEXT)
    state, machine = built.loaded(), built.machine()
    lockstep = Lockstep(tiny, built.program, Memories(state.mem, state.reram, state.sram, state.params))
    tokens = [FIRST_TOKEN]
    num_changes, num_cycles = 0, 0
    for position in range(NUM_TOKENS):
        params = built.params(position, tokens[-1])
        state.params[list(params)] = list(params.values())
        events: list[Event] = []
        stepped = step(tiny, built.program, state, events.append)
        ran = machine.launch(params)
        checked = lockstep.launch(params, events, built.program.length_cycles)
        assert checked.difference is None, str(checked.difference)
        assert stepped.length_cycles == ran.length_cycles == built.program.length_cycles
        assert stepped.state.first_difference(ran.state) is None
        assert (lockstep.mem == stepped.state.mem).all()
        state = stepped.state
        tokens.append(int(state.params[built.param("token")]))
        num_changes, num_cycles = num_changes + checked.num_changes, num_cycles + checked.num_cycles
        logits = np.concatenate([lockstep.mem[tiny.slice_by_name[name].index, word] for name, word in words_of(built)])
        logits = logits[: SHAPES[shape]["vocab"]]
        assert (logits == built.reference(tokens[:-1])[position]).all()
        assert tokens[-1] == first_largest(logits)
    assert num_cycles > NUM_TOKENS * 1_000
    assert num_changes > num_cycles


def words_of(built: Built) -> tuple[tuple[str, int], ...]:
    return built.program.outputs[0].words
