"""Co-simulation: a launch of the core under Verilator, told as plain records that say what every cycle held."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from waterclock.chip import Chip, SliceKind
from waterclock.errors import InputError
from waterclock.isa.causes import Cause
from waterclock.isa.encoding import encode_queue
from waterclock.isa.record import NUM_LEVELS, Records
from waterclock.rtl.core import LAUNCH_CYCLES, Core, built_queues, core_signature, params_target, store_target
from waterclock.rtl.icu import trace_layout
from waterclock.rtl.params import LOW, VALUE
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
    ranges: npt.NDArray[np.int32] | None = None
    """[num_params, 2]: the lowest and highest value that a launch may set; None allows none."""


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
    simulation = Simulation(design_of(chip))
    simulation.drive(loading(simulation, chip, queues, memories))
    inputs = simulation.blank(LAUNCH_CYCLES + num_cycles)
    simulation.column(inputs, "launch")[0] = 1
    return _trace(chip, simulation, simulation.step(inputs)[LAUNCH_CYCLES:])


_WRITE = np.dtype([("target", "u4"), ("row", "u4"), ("column", "u4"), ("data", "u4")])


def _writes(target: int, rows: npt.NDArray[Any], first_column: int = 0) -> npt.NDArray[np.void]:
    """The writes that fill a store with rows of 32-bit words."""
    words = np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint32)
    writes = np.zeros(words.shape, _WRITE)
    writes["target"], writes["data"] = target, words
    writes["row"], writes["column"] = np.indices(words.shape)
    writes["column"] += first_column
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
            writes = [_writes(store_target(chip, one) + number, images[one.index]) for one in chip.slices_of(kind)]
            yield from (each[each["data"] != 0] for each in writes)  # they hold 0 at first
    if memories.params is not None:
        yield _writes(params_target(chip), memories.params[:, None], VALUE)
    if memories.ranges is not None:
        yield _writes(params_target(chip), memories.ranges, LOW)


def loading(simulation: Simulation, chip: Chip, queues: Mapping[str, Words], memories: Memories) -> Words:
    """Inputs that fill queues and memories of a new simulation, one word a cycle."""
    return _inputs(simulation, [*_queue_writes(chip, queues), *_memory_writes(chip, memories)])


def params_loading(simulation: Simulation, chip: Chip, params: Mapping[int, int]) -> Words:
    """Inputs that write these parameters, one a cycle."""
    writes = np.zeros(len(params), _WRITE)
    writes["target"], writes["column"], writes["row"] = params_target(chip), VALUE, list(params)
    writes["data"] = np.array(list(params.values()), np.int32).view(np.uint32)
    return _inputs(simulation, [writes])


def encoded(chip: Chip, queues: Mapping[str, Records]) -> dict[str, Words]:
    """The words of every queue."""
    return {name: encode_queue(records, chip.queue_by_name[name].slice.kind, name) for name, records in queues.items()}


def _inputs(simulation: Simulation, parts: Sequence[npt.NDArray[np.void]]) -> Words:
    """Inputs that make these writes, one a cycle."""
    writes = np.concatenate([np.zeros(0, _WRITE), *parts])
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
