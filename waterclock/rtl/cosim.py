"""Co-simulation: a launch of the core under Verilator, told as plain records that say what every cycle held."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from waterclock.chip import Chip, SliceKind
from waterclock.errors import InputError
from waterclock.isa.causes import Cause
from waterclock.isa.encoding import encode_queue
from waterclock.isa.record import NUM_LEVELS, Records
from waterclock.rtl.core import LAUNCH_CYCLES, Core, built_queues, core_signature, store_target
from waterclock.rtl.icu import trace_layout
from waterclock.rtl.verilated import Design, Simulation, Words


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
class Memories:
    """What the host writes before a launch, shaped as on the whole chip; None leaves a memory at 0."""

    mem: npt.NDArray[np.int32] | None = None
    """[num_mem, num_words, lanes]"""
    reram: npt.NDArray[np.int8] | None = None
    """[num_mxm, num_reram_tiles, lanes, lanes]"""
    sram: npt.NDArray[np.int8] | None = None
    """[num_mxm, num_sram_tiles, lanes, lanes]"""
    params: npt.NDArray[np.int32] | None = None
    """[num_params]"""


@dataclass(frozen=True)
class Trace:
    """A launch: the bytes of all stream registers, [cycle, x, stream, lane], every issue, and where it froze, if so."""

    eastward: npt.NDArray[np.uint8]
    westward: npt.NDArray[np.uint8]
    issued: tuple[Issued, ...]
    frozen: Frozen | None


@cache
def design_of(chip: Chip) -> Design:
    """The core of a chip as RTL."""
    return Design.of(core_signature(chip), lambda: Core(chip), f"core of {chip.sha256}")


def launch(chip: Chip, queues: Mapping[str, Records], memories: Memories, num_cycles: int) -> Trace:
    """Run a program for `num_cycles` cycles from a chip whose memories hold 0, or what `memories` says.

    InputError for a queue whose slice is not built.
    """
    words = {name: encode_queue(records, chip.queue_by_name[name].slice.kind, name) for name, records in queues.items()}
    return launch_words(chip, words, memories, num_cycles)


def launch_words(chip: Chip, queues: Mapping[str, Words], memories: Memories, num_cycles: int) -> Trace:
    """As `launch`, with queues that are encoded already, legal or not."""
    simulation = Simulation(design_of(chip))
    writes = [*_queue_writes(chip, queues), *_memory_writes(chip, memories)]
    if writes:
        simulation.step(_loading(simulation, np.concatenate(writes)))
    inputs = simulation.blank(LAUNCH_CYCLES + num_cycles)
    simulation.column(inputs, "launch")[0] = 1
    if memories.params is not None:
        simulation.column(inputs, "params")[:] = memories.params.view(np.uint32)
    return _trace(chip, simulation, simulation.step(inputs)[LAUNCH_CYCLES:])


_WRITE = np.dtype([("target", "u4"), ("row", "u4"), ("column", "u4"), ("data", "u4")])


def _writes(target: int, rows: npt.NDArray[Any]) -> npt.NDArray[np.void]:
    """The writes that fill a store with rows of 32-bit words."""
    words = np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint32)
    writes = np.zeros(words.shape, _WRITE)
    writes["target"], writes["data"] = target, words
    writes["row"], writes["column"] = np.indices(words.shape)
    return writes.ravel()


def _queue_writes(chip: Chip, queues: Mapping[str, Words]) -> Iterator[npt.NDArray[np.void]]:
    built = {queue.name: queue for queue in built_queues(chip)}
    for name, words in queues.items():
        if name not in built:
            raise InputError(f"{name}: the RTL has no such queue")
        if len(words) > chip.max_queue_entries:
            raise InputError(f"{name}: {len(words)} entries, the queue holds {chip.max_queue_entries}")
        yield _writes(built[name].number, words)


def _memory_writes(chip: Chip, memories: Memories) -> Iterator[npt.NDArray[np.void]]:
    stores = ((SliceKind.MEM, 0, memories.mem), (SliceKind.MXM, 0, memories.reram), (SliceKind.MXM, 1, memories.sram))
    for kind, number, images in stores:
        if images is not None:
            yield from (_writes(store_target(chip, one) + number, images[one.index]) for one in chip.slices_of(kind))


def _loading(simulation: Simulation, writes: npt.NDArray[np.void]) -> Words:
    """Inputs that make these writes, one a cycle."""
    inputs = simulation.blank(len(writes))
    simulation.column(inputs, "load__valid")[:] = 1
    for name in _WRITE.names or ():
        simulation.column(inputs, f"load__{name}")[:, 0] = writes[name]
    return inputs


def _trace(chip: Chip, simulation: Simulation, outputs: Words) -> Trace:
    shape = (len(outputs), chip.num_positions, chip.num_streams, chip.lanes)
    eastward, westward = (_bytes(simulation.column(outputs, way)).reshape(shape) for way in ("eastward", "westward"))
    fields = _trace_fields(chip, simulation.column(outputs, "traces"))
    return Trace(eastward, westward, tuple(_issues(chip, fields)), _first_fault(chip, fields))


def _bytes(words: Words) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(words).view(np.uint8)


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
