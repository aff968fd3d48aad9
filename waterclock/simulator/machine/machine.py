"""Machine: a proven program and a state, ready to be launched again and again."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from waterclock.errors import InputError
from waterclock.simulator.errors import MachineError
from waterclock.simulator.link import Linked
from waterclock.simulator.machine.kernels.memory import Memory
from waterclock.simulator.machine.ops import AT, RESULT
from waterclock.simulator.machine.parts import Share, run_share, shares
from waterclock.simulator.machine.ready import Ready, made_ready
from waterclock.simulator.machine.run import loop
from waterclock.simulator.machine.tape import Tape
from waterclock.simulator.state import State, Words

_NO_PARAMS: Mapping[int, int] = MappingProxyType({})


@dataclass(frozen=True)
class Launched:
    """A launch that has run: what it took and the state after, which is the machine's own."""

    length_cycles: int
    state: State


class Machine:
    """Runs the launches of one program. `state` is shared, not copied: several machines may take turns on one state.

    Where a program takes several tokens, `num_threads` threads share them; what comes out does not depend on it. A
    launch can't fail but by `MachineError`, where `icu.set_param` takes a value outside the parameter's range; the
    state then holds what had been done until that cycle.
    """

    def __init__(self, program: Linked | Ready, state: State, num_threads: int = 1) -> None:
        self.ready = program if isinstance(program, Ready) else made_ready(program)
        self.state = state
        self._tapes = self.ready.tapes
        self._param_by_index = {param.index: param for param in self.ready.program.params}
        self._output_places = _output_places(self.ready)
        self._shares = [shares(self.ready, tape, state, num_threads) for tape in self._tapes]
        self._threads = ThreadPoolExecutor(num_threads - 1) if num_threads > 1 else None
        first = self._tapes[0]
        # Compiled now, unless before: no run of its loops is asked for.
        loop()(self._shares[0][0].memory, first.ops, first.terms, first.starts, 0, 0, 0, 0)

    def launch(self, params: Mapping[int, int] = _NO_PARAMS) -> Launched:
        """Write parameters, by index, then run the program once.

        InputError for a parameter that is not declared, and for any declared one that is then out of its range.
        """
        self._write(params)
        for tape, of_threads in zip(self._tapes, self._shares, strict=True):
            self._run(tape, of_threads)
        return Launched(self.ready.length_cycles, self.state)

    def _run(self, tape: Tape, of_threads: Sequence[Share]) -> None:
        others = [self._threads.submit(run_share, tape, share) for share in of_threads[1:]] if self._threads else []
        stopped_at = run_share(tape, of_threads[0])
        wait(others)
        if stopped_at >= 0:
            raise self._stopped(tape, of_threads[0].memory, stopped_at)

    @property
    def num_threads(self) -> int:
        """The most threads that work on a launch."""
        return max(map(len, self._shares))

    @property
    def num_rows(self) -> int:
        """The most values that are in flight at once, constants included."""
        return max(tape.num_rows for tape in self._tapes)

    def output(self, name: str) -> Words:
        """A named output as raw int32 words, [size]: a copy. KeyError if there is none; fp32 is `.view(np.float32)`."""
        slices, words, size = self._output_places[name]
        return self.state.mem[slices, words].reshape(-1)[:size]

    def _write(self, params: Mapping[int, int]) -> None:
        for index in params:
            if index not in self._param_by_index:
                raise InputError(f"{self.ready.program.name}: parameter {index} is not declared")
        for index, param in self._param_by_index.items():
            value = params.get(index, int(self.state.params[index]))
            if not param.low <= value <= param.high:
                raise InputError(f"parameter {param.name} = {value}: must be from {param.low} to {param.high}")
        for index, value in params.items():
            self.state.params[index] = value

    def _stopped(self, tape: Tape, memory: Memory, stopped_at: int) -> MachineError:
        memory.stopped[0] = False
        run, op = divmod(stopped_at, len(tape.ops))
        outer, inner = divmod(run, tape.stretch.inner_runs)
        row = tape.ops[op]
        number, entry, cycle = map(int, tape.origin[op])
        param = self._param_by_index[int(row[AT])]
        value = memory.values[0, row[RESULT], 0]
        cause = f"parameter {param.name} = {value} is not in {param.low} to {param.high}"
        cycle += inner * tape.inner_period + outer * tape.outer_period
        return MachineError(cycle, self.ready.chip.queues[number].name, entry, cause)


def _output_places(ready: Ready) -> Mapping[str, tuple[Words, Words, int]]:
    """MEM slice and word of every vector, and the number of elements, by the output's name."""
    slices = ready.chip.slice_by_name
    return {
        output.name: (
            np.array([slices[name].index for name, _ in output.words], np.int32),
            np.array([word for _, word in output.words], np.int32),
            output.size,
        )
        for output in ready.program.outputs
    }
