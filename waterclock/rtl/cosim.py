"""Co-simulation: a launch of the core under Verilator, told as plain records that say what every cycle held."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from waterclock.chip import Chip
from waterclock.isa.causes import Cause
from waterclock.isa.record import NUM_LEVELS, Records
from waterclock.rtl.core import LAUNCH_CYCLES, Core, built_queues, core_signature
from waterclock.rtl.icu import trace_layout
from waterclock.rtl.images import WRITE, Memories, encoded, writes
from waterclock.rtl.verilated import Design, Simulation, Words

__all__ = [
    "Frozen", "Issued", "Memories", "Trace", "design_of", "first_fault", "launch", "launch_on", "launch_words",
    "loading", "trace_of",
]  # fmt: skip


@dataclass(frozen=True)
class Issued:
    """Entry `entry` of queue `queue` issued in `cycle`, in these iterations (repeat, then loops, innermost first)."""

    cycle: int
    queue: str
    entry: int
    iteration: tuple[int, ...]


@dataclass(frozen=True)
class Frozen:
    """The chip froze in `cycle`, at an entry that is illegal for `cause`."""

    cycle: int
    queue: str
    entry: int
    cause: Cause


@dataclass(frozen=True)
class Trace:
    """A launch: the bytes of all stream registers, [cycle, x, stream, lane], every issue, and where it froze, if so."""

    eastward: npt.NDArray[np.uint8]
    westward: npt.NDArray[np.uint8]
    issued: tuple[Issued, ...]
    frozen: Frozen | None


@cache
def design_of(chip: Chip) -> Design:
    """The core of a chip as RTL, with what compares it in lockstep beside it."""
    native = (Path(__file__).parent / "lockstep.cpp").read_text()
    return Design.of(core_signature(chip), lambda: Core(chip), f"core of {chip.sha256}", native)


def launch(chip: Chip, queues: Mapping[str, Records], memories: Memories, num_cycles: int) -> Trace:
    """Run a program for `num_cycles` cycles from a chip whose memories hold 0, or what `memories` says.

    InputError for a queue whose slice is not built.
    """
    return launch_words(chip, encoded(chip, queues), memories, num_cycles)


def launch_words(chip: Chip, queues: Mapping[str, Words], memories: Memories, num_cycles: int) -> Trace:
    """As `launch`, with queues that are encoded already, legal or not."""
    return launch_on(Simulation(design_of(chip)), chip, queues, memories, num_cycles)


def launch_on(
    simulation: Simulation, chip: Chip, queues: Mapping[str, Words], memories: Memories, num_cycles: int
) -> Trace:
    """As `launch_words`, on a chip that may have run before: what is not written stays as it was left."""
    simulation.drive(loading(simulation, writes(chip, queues, memories)))
    inputs = simulation.blank(LAUNCH_CYCLES + num_cycles)
    simulation.column(inputs, "launch")[0] = 1
    return trace_of(chip, simulation, simulation.step(inputs)[LAUNCH_CYCLES:])


def loading(simulation: Simulation, writes: npt.NDArray[np.void]) -> Words:
    """Inputs that make these writes, one a cycle."""
    inputs = simulation.blank(len(writes))
    simulation.column(inputs, "load__valid")[:] = 1
    for name in WRITE.names or ():
        simulation.column(inputs, f"load__{name}")[:, 0] = writes[name]
    return inputs


def trace_of(chip: Chip, simulation: Simulation, outputs: Words) -> Trace:
    """What these outputs tell; the first of them are cycle 0 of the trace."""
    shape = (len(outputs), chip.num_positions, chip.num_streams, chip.lanes)
    eastward, westward = (_bytes(simulation.column(outputs, way)).reshape(shape) for way in ("eastward", "westward"))
    fields = _trace_fields(chip, simulation.column(outputs, "traces"))
    return Trace(eastward, westward, tuple(_issues(chip, fields)), _first_fault(chip, fields))


def _bytes(words: Words) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(words).view(np.uint8)


def first_fault(chip: Chip, simulation: Simulation, outputs: Words) -> Frozen | None:
    """The first illegal entry that these outputs show."""
    return _first_fault(chip, _trace_fields(chip, simulation.column(outputs, "traces")))


def _trace_fields(chip: Chip, words: Words) -> dict[str, npt.NDArray[np.int64]]:
    """The fields of every queue's trace in every cycle, [cycle, queue], and the iterations, [cycle, queue, level]."""
    layout = trace_layout()
    bits = np.unpackbits(_bytes(words), axis=1, bitorder="little")
    num_queues = len(built_queues(chip))
    bits = bits[:, : num_queues * layout.size].reshape(len(bits), num_queues, layout.size)
    ends = {name: (layout[name].offset, layout[name].offset + layout[name].width) for name in layout.members}
    fields = {name: bits[..., low:high].astype(np.int64) for name, (low, high) in ends.items()}
    fields["iteration"] = fields["iteration"].reshape(*bits.shape[:2], NUM_LEVELS, -1)
    return {name: np.asarray(one @ (1 << np.arange(one.shape[-1])), np.int64) for name, one in fields.items()}


def _issues(chip: Chip, fields: Mapping[str, npt.NDArray[np.int64]]) -> Iterator[Issued]:
    queues = built_queues(chip)
    faulty = np.flatnonzero(fields["cause"].any(axis=1))
    end = int(faulty[0]) if faulty.size else len(fields["valid"])
    for cycle, place in np.argwhere(fields["valid"][:end]).tolist():
        iteration = tuple(fields["iteration"][cycle, place].tolist())
        yield Issued(cycle, queues[place].name, int(fields["entry"][cycle, place]), iteration)


def _first_fault(chip: Chip, fields: Mapping[str, npt.NDArray[np.int64]]) -> Frozen | None:
    faults = np.argwhere(fields["cause"])
    if not len(faults):
        return None
    cycle, place = int(faults[0, 0]), int(faults[0, 1])
    entry, cause = (int(fields[name][cycle, place]) for name in ("entry", "cause"))
    return Frozen(cycle, built_queues(chip)[place].name, entry, Cause(cause))
