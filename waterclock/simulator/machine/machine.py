"""Machine: a proven program and a state, ready to be launched again and again."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from waterclock.errors import InputError
from waterclock.simulator.errors import MachineError
from waterclock.simulator.link import Linked
from waterclock.simulator.machine.kernels.blocks import LINKS
from waterclock.simulator.machine.kernels.memory import Memory
from waterclock.simulator.machine.ready import Ready, made_ready
from waterclock.simulator.machine.run import loop
from waterclock.simulator.machine.tape import COLUMNS, Tape
from waterclock.simulator.state import State, Words

INT32 = np.iinfo(np.int32)
Element = TypeVar("Element", bound=np.generic)
_NO_PARAMS: Mapping[int, int] = MappingProxyType({})


@dataclass(frozen=True)
class Launched:
    """A launch that has run: what it took and the state after, which is the machine's own."""

    length_cycles: int
    state: State


class Machine:
    """Runs the launches of one program. `state` is shared, not copied: several machines may take turns on one state.

    A launch can't fail but by `MachineError`, where `icu.set_param` takes a value outside the parameter's range; the
    state then holds what had been done until that cycle.
    """

    def __init__(self, program: Linked | Ready, state: State) -> None:
        self.ready = program if isinstance(program, Ready) else made_ready(program)
        self.state = state
        self._tapes = self.ready.tapes
        self._param_by_index = {param.index: param for param in self.ready.program.params}
        self._output_places = _output_places(self.ready)
        self._memories = [_memory(self.ready, tape, state) for tape in self._tapes]
        loop()(self._memories[0], self._tapes[0].ops[:0], self._tapes[0].terms, 0, 0)  # compiled now, unless before

    def launch(self, params: Mapping[int, int] = _NO_PARAMS) -> Launched:
        """Write parameters, by index, then run the program once.

        InputError for a parameter that is not declared, and for any declared one that is then out of its range.
        """
        self._write(params)
        for tape, memory in zip(self._tapes, self._memories, strict=True):
            self._run(tape, memory)
        return Launched(self.ready.length_cycles, self.state)

    def _run(self, tape: Tape, memory: Memory) -> None:
        for outer in range(tape.stretch.outer_runs):
            for inner in range(tape.stretch.inner_runs):
                stopped_at = loop()(memory, tape.ops, tape.terms, inner, outer)
                if stopped_at >= 0:
                    raise self._stopped(tape, memory, stopped_at, inner, outer)

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

    def _stopped(self, tape: Tape, memory: Memory, op: int, inner: int, outer: int) -> MachineError:
        memory.stopped[0] = False
        row = tape.ops[op]
        number, entry, cycle = map(int, tape.origin[op])
        param = self._param_by_index[int(row[COLUMNS.index("at")])]
        value = memory.values[row[COLUMNS.index("result")], 0]
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


def _memory(ready: Ready, tape: Tape, state: State) -> Memory:
    chip = ready.chip
    num_tokens, slots = tape.stretch.num_tokens, 1 + tape.num_slots
    values = np.zeros((tape.num_rows, num_tokens * chip.lanes), np.int32)
    values[: len(tape.constants)] = tape.constants[:, None]
    acc = np.zeros((chip.num_mxm * chip.mxm.num_accumulators, num_tokens * chip.lanes), np.int32)
    limits = np.full((chip.num_params, 2), (INT32.min, INT32.max), np.int32)
    for param in ready.program.params:
        limits[param.index] = param.low, param.high
    return Memory(
        values=values,
        floats=values.view(np.float32),
        bytes=values.view(np.uint8),
        by_token=values.reshape(-1, num_tokens, chip.lanes),
        mem=_viewed(state.mem, (-1, chip.lanes)),
        reram=_viewed(state.reram, (-1,)),
        sram=_viewed(state.sram, (-1,)),
        acc=acc,
        acc_by_token=acc.reshape(-1, num_tokens, chip.lanes),
        params=state.params,
        limits=limits,
        operand=np.zeros(chip.lanes, np.int16),
        operands=np.zeros((LINKS, num_tokens, chip.lanes), np.int16),
        stopped=np.zeros(1, np.bool_),
        at=np.zeros(num_tokens, np.int32),
        place=np.zeros(num_tokens, np.int32),
        shared=np.zeros(2, np.int32),
        written=np.zeros((slots, 2, num_tokens), np.int32),
        rows_before=np.zeros((slots, num_tokens, chip.lanes), np.int8),
        lanes_before=np.zeros((slots, num_tokens), np.int32),
    )


def _viewed(array: npt.NDArray[Element], shape: tuple[int, ...]) -> npt.NDArray[Element]:
    """The same memory in another shape; ValueError where only a copy could have it."""
    if not array.flags.c_contiguous:
        raise ValueError("the arrays of a state must be contiguous")
    return array.reshape(shape)
