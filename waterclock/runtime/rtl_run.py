"""A few instructions, given as text, on the stepper and on the RTL in lockstep, with all that the RTL showed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from waterclock.chip import Chip
from waterclock.errors import InputError
from waterclock.isa.assembly import assemble, instruction_text, lines_by_queue
from waterclock.isa.causes import IllegalEntry
from waterclock.isa.program import Param, Program
from waterclock.isa.record import Records
from waterclock.isa.validate import check_records, num_cycles
from waterclock.rtl.flow import Flow, first_difference, flow, registers
from waterclock.rtl.images import Memories
from waterclock.rtl.lockstep import Difference, Lockstep
from waterclock.rtl.verilated import Words as Outputs
from waterclock.rtl.watches import Watches, in_hexadecimal
from waterclock.simulator.errors import MachineError
from waterclock.simulator.events import Event
from waterclock.simulator.state import State, Words
from waterclock.simulator.stepper import step

__all__ = ["MAX_CYCLES", "Change", "Given", "RtlRun", "run_text"]

MAX_CYCLES = 1_000
"""Of a run: every signal of every cycle is kept."""
CYCLES_AFTER = 3
"""Cycles after the last change, in which results flow on."""
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
LARGEST_INTEGER = 1 << 24
"""Words below are shown as integers; as fp32 they would be tiny or no numbers."""


@dataclass(frozen=True)
class Given:
    """What the host writes before the launch: MEM words by (slice, word), parameters by index. The rest is 0."""

    words: Mapping[tuple[int, int], Words]
    params: Mapping[int, int]


@dataclass(frozen=True)
class Change:
    """A change as one reads it; `numbers` are what the bits of each lane stand for in `type`."""

    cycle: int
    place: str
    queue: str
    entry: int
    instruction: str
    hexadecimal: tuple[str, ...]
    type: str
    numbers: tuple[str, ...]


@dataclass(frozen=True)
class RtlRun:
    """A run: what was due by the stepper and how it flows, what the RTL showed in each cycle, and the first difference,
    if there is one."""

    chip: Chip
    program: Program
    events: tuple[Event, ...]
    flow: Flow
    outputs: Mapping[str, Outputs]
    difference: Difference | None

    @property
    def num_cycles(self) -> int:
        return len(self.flow.holder)

    def changes(self) -> Iterator[Change]:
        """What changes, in order of time."""
        watches = Watches(self.chip)
        for event in self.events:
            due = watches.due(event)
            values = watches.by_lane(due, due.value)
            row = self.program.queues[event.queue][event.entry : event.entry + 1]
            bits = tuple(in_hexadecimal([value]) for value in values)
            place, text = watches.place(due.watch, due.address), instruction_text(row)
            yield Change(event.cycle, place, event.queue, event.entry, text, bits, *_numbers(values))


def _numbers(values: Sequence[bytes]) -> tuple[str, tuple[str, ...]]:
    """What the lanes stand for, and as which type: small numbers are likely integers, other words fp32."""
    joined = b"".join(values)
    if len(joined) == len(values):
        return "int8", tuple(map(str, np.frombuffer(joined, np.int8).tolist()))
    words = np.frombuffer(joined, np.int32).tolist()
    if all(abs(word) < LARGEST_INTEGER for word in words):
        return "int32", tuple(map(str, words))
    return "fp32", tuple(f"{value:.9g}" for value in np.frombuffer(joined, np.float32).tolist())


def run_text(
    chip: Chip, text: str, source: str, given: Given, cycles: int | None, phase: Callable[[str], None]
) -> RtlRun:
    """Run the instructions for so many cycles; until all has changed and a little longer if None.

    InputError for text that is no program, or one that would stop the machine, with the line at fault.
    """
    program, state = _program(chip, text, source), _state(chip, given)
    events = _stepped(chip, program, state, text)
    wanted = cycles or max((event.cycle for event in events), default=0) + 1 + CYCLES_AFTER
    phase("building the RTL, which takes minutes the first time")
    lockstep = Lockstep(chip, program, Memories(mem=state.mem))
    phase("running")
    checked = lockstep.launch(given.params, events, wanted)
    _, outputs = lockstep.outputs_around(0, 0, wanted)
    due = flow(chip, events, wanted)
    difference = checked.difference or first_difference(due, registers(chip, outputs))
    shown = tuple(event for event in events if event.cycle < wanted)
    return RtlRun(chip, program, shown, due, outputs, difference)


def _stepped(chip: Chip, program: Program, state: State, text: str) -> list[Event]:
    """The changes that the program makes."""
    events: list[Event] = []
    try:
        check_records(program.queues, chip)
        _check_length(program)
        step(chip, program, state, events.append)
    except (IllegalEntry, MachineError) as error:
        line = lines_by_queue(text)[error.queue][error.entry]
        raise InputError(f"{program.name}:{line}: {error}") from None
    except InputError as error:
        raise InputError(f"{program.name}: {error}") from None
    return events


def _program(chip: Chip, text: str, source: str) -> Program:
    """The program of the text; every parameter may take any value."""
    queues = {name: records for name, records in assemble(text, source).items() if len(records)}
    if not queues:
        raise InputError(f"{source}: holds no instruction")
    params = tuple(Param(f"p{index}", index, INT32_MIN, INT32_MAX) for index in range(chip.num_params))
    empty: dict[str, Records] = {}
    return Program(source, chip.sha256, queues, empty, empty, (), (), params, (), 0)


def _state(chip: Chip, given: Given) -> State:
    state = State.zero(chip)
    for (index, word), values in given.words.items():
        state.mem[index, word] = values
    for index, value in given.params.items():
        state.params[index] = value
    return state


def _check_length(program: Program) -> None:
    for name, records in program.queues.items():
        length = num_cycles(records)
        if length > MAX_CYCLES:
            raise InputError(f"{name}: takes {length:,} cycles; a run takes at most {MAX_CYCLES:,}")
