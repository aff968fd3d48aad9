"""A model that generates on the RTL, beside every other execution of it."""

import numpy as np

from tests.integration.executions import Built, first_largest
from waterclock.simulator.events import Event
from waterclock.simulator.stepper import step


def assert_rtl_generates(built: Built, first_token: int, num_tokens: int) -> tuple[int, int]:
    """Compiler, machine, stepper, reference and RTL agree in every token, bit and cycle.

    Gives back how many cycles and changes were compared.
    """
    from waterclock.rtl.cosim import Memories
    from waterclock.rtl.lockstep import Lockstep

    state, machine = built.loaded(), built.machine()
    memories = Memories(state.mem, state.reram, state.sram, state.params)
    lockstep = Lockstep(built.chip, built.program, memories)
    tokens, num_cycles, num_changes = [first_token], 0, 0
    for position in range(num_tokens):
        params = built.params(position, tokens[-1])
        state.params[list(params)] = list(params.values())
        events: list[Event] = []
        stepped = step(built.chip, built.program, state, events.append)
        ran = machine.launch(params)
        checked = lockstep.launch(params, events, built.program.length_cycles)
        assert checked.difference is None, str(checked.difference)
        assert stepped.length_cycles == ran.length_cycles == built.program.length_cycles
        state = stepped.state
        assert state.first_difference(ran.state) is None
        assert (lockstep.cells("mem", state.mem) == state.mem).all()
        assert (lockstep.cells("sram", state.sram) == state.sram).all()
        logits = logits_on_rtl(built, lockstep.cells("mem", state.mem))
        assert (logits == built.reference(tokens)[position]).all()
        tokens.append(int(state.params[built.param("token")]))
        assert tokens[-1] == first_largest(logits)
        num_cycles, num_changes = num_cycles + checked.num_cycles, num_changes + checked.num_changes
    return num_cycles, num_changes


def logits_on_rtl(built: Built, mem: np.ndarray) -> np.ndarray:
    """The logits' raw bits in the RTL's own MEM cells."""
    (output,) = built.program.outputs
    words = [mem[built.chip.slice_by_name[name].index, word] for name, word in output.words]
    return np.concatenate(words)[: output.size]
