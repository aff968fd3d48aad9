"""Lockstep: the RTL runs a program launch by launch, and every change is compared with one due in that very cycle.

What is due comes as records made before, such as the stepper's events; nothing of them is looked up or recomputed here.
Compared are writes of MEM words and SRAM tile rows, hold registers, launch parameters, and results on their streams: a
change too many or too few is a difference, as is another value. The comparison runs beside the model (`lockstep.cpp`).
"""

import ctypes
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from waterclock.chip import Chip
from waterclock.errors import InputError
from waterclock.isa.assembly import instruction_text
from waterclock.isa.program import Program, empty_instructions
from waterclock.isa.record import Records
from waterclock.isa.table import OPCODES
from waterclock.rtl import cell_images
from waterclock.rtl.core import LAUNCH_CYCLES, built_queues
from waterclock.rtl.cosim import design_of, first_fault, loading
from waterclock.rtl.images import Memories, declared_ranges, encoded, param_writes, writes
from waterclock.rtl.streams import BYTES_PER_WORD
from waterclock.rtl.verilated import Simulation, Words, address
from waterclock.rtl.watches import MAX_WORDS, Due, Event, Watches, in_hexadecimal, packed

NOTHING = "nothing"
CHUNK_CYCLES = 4096


@dataclass(frozen=True)
class Difference:
    """The first place where the RTL does something else than is due.

    `lane` is the first that differs, None where one side has nothing. `instruction` is what is due there, "" where
    nothing is. `expected` and `got` are that lane's bits, or those of all lanes, lane 0 first.
    """

    launch: int
    cycle: int
    place: str
    lane: int | None
    instruction: str
    expected: str
    got: str

    def __str__(self) -> str:
        lane = "" if self.lane is None else f", lane {self.lane}"
        source = f" of {self.instruction}" if self.instruction else ""
        place = f"launch {self.launch}, cycle {self.cycle}: {self.place}{lane}"
        return f"{place}: expected {self.expected}{source}, got {self.got}"


@dataclass(frozen=True)
class Checked:
    """A launch that has run: cycles and changes compared, the seconds that took, and where it went wrong, if so."""

    num_cycles: int
    num_changes: int
    seconds: float
    difference: Difference | None


_DIFFERENCE = np.dtype([
    ("num_met", "<u8"), ("watch", "<u4"), ("address", "<u4"), ("is_frozen", "<u4"), ("num_words", "<u4"),
    ("got", "<u4", (MAX_WORDS,)),
])  # fmt: skip


@dataclass(frozen=True)
class _Launch:
    """A launch that was made, so that it can be made again."""

    program: Program
    params: Mapping[int, int]
    num_cycles: int


class Lockstep:
    """A chip with a program loaded, ready for launches that follow one another at the program's period."""

    def __init__(self, chip: Chip, program: Program, memories: Memories) -> None:
        """Fill queues and memories. InputError for a program of another chip, or one that the RTL can't hold."""
        self.chip, self._memories, self._watches = chip, memories, Watches(chip)
        self._launches: list[_Launch] = []
        self._start()
        self.load(program)

    def load(self, program: Program) -> None:
        """Have another program in the queues; memories and parameters stay."""
        if program.chip_sha256 != self.chip.sha256:
            raise InputError(f"program {program.name} is for another chip than {self.chip.name}")
        self.program = program
        idle = {queue.name: _start_only() for queue in built_queues(self.chip)}
        queues = encoded(self.chip, {**idle, **program.queues})
        self._load(writes(self.chip, queues, Memories(ranges=declared_ranges(self.chip, program))))

    def _load(self, rows: npt.NDArray[np.void]) -> None:
        self._simulation.drive(loading(self._simulation, rows))

    def _start(self) -> None:
        """A new chip with nothing but its memories."""
        self._simulation = Simulation(design_of(self.chip))
        cell_images.fill(self._simulation, self.chip, self._memories)
        self._load(writes(self.chip, {}, Memories(params=self._memories.params, ranges=self._memories.ranges)))
        shape = (self.chip.num_mem, self.chip.mem.num_words, self.chip.lanes)
        self.mem = np.zeros(shape, np.int32)
        """MEM as the RTL's write ports have left it: [num_mem, num_words, lanes]."""
        if self._memories.mem is not None:
            self.mem[:] = self._memories.mem

    def launch(self, params: Mapping[int, int], events: Iterable[Event], length_cycles: int) -> Checked:
        """Write these parameters, launch, and compare until the next launch has to be prepared.

        The host writes in the launch gap; where that is too short for it, the launch comes later.
        """
        num_cycles = length_cycles + max(0, self.chip.launch_gap_cycles - len(params) - LAUNCH_CYCLES)
        due = sorted(map(self._watches.due, events), key=lambda one: one.order)
        due = [one for one in due if one.cycle < num_cycles]
        rows, pool = packed(due)
        self._launches.append(_Launch(self.program, params, num_cycles))
        begin = perf_counter()
        self._prepare(params)
        done, found = self._compare(num_cycles, rows, pool)
        seconds = perf_counter() - begin
        return Checked(done, len(due), seconds, None if done == num_cycles else self._told(done, found, due))

    def _prepare(self, params: Mapping[int, int]) -> None:
        """Write the parameters, launch and go on to cycle 0."""
        launching = self._simulation.blank(LAUNCH_CYCLES)
        self._simulation.column(launching, "launch")[0] = 1
        self._load(param_writes(self.chip, params))
        self._simulation.drive(launching)

    def _compare(self, num_cycles: int, rows: npt.NDArray[np.void], pool: Words) -> tuple[int, npt.NDArray[np.void]]:
        """The cycles that agreed, and what did not in the one after."""
        chip = self.chip
        sizes = (
            chip.num_mem, chip.mem.num_words, chip.lanes, chip.num_mxm, chip.vxm.num_holds, chip.num_params,
            chip.num_streams,
        )  # fmt: skip
        shape, found = np.array(sizes, np.uint32), np.zeros(1, _DIFFERENCE)
        done = self._simulation.native("lockstep")(
            address(shape), address(self.mem), address(rows), ctypes.c_uint64(len(rows)), address(pool),
            ctypes.c_uint64(num_cycles), address(found),
        )  # fmt: skip
        return done, found[0]

    def cells(self, kind: str, like: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What the RTL's own cells hold, "mem", "reram" or "sram": as many and of the type as in `like`."""
        return cell_images.read(self._simulation, self.chip, kind, like)

    def outputs_around(self, cycle: int, before: int, after: int) -> tuple[int, Mapping[str, Words]]:
        """All outputs in the cycles around one of the last launch, [cycle, word] by the name of port or array.

        The first of these cycles comes first. The launches are run once more for it, from the load on.
        """
        self._start()
        first = max(0, cycle - before)
        for number, launch in enumerate(self._launches, 1):
            self.load(launch.program)
            self._prepare(launch.params)
            self._idle(first if number == len(self._launches) else launch.num_cycles)
        outputs = self._simulation.step(self._simulation.blank(cycle - first + after))
        names = dict.fromkeys(port.array or port.name for port in self._simulation.design.outputs.values())
        return first, {name: self._simulation.column(outputs, name) for name in names}

    def _idle(self, num_cycles: int) -> None:
        """Step without looking at the outputs, `CHUNK_CYCLES` at a time."""
        for begin in range(0, num_cycles, CHUNK_CYCLES):
            self._simulation.drive(self._simulation.blank(min(CHUNK_CYCLES, num_cycles - begin)))

    def _told(self, cycle: int, found: npt.NDArray[np.void], due: Sequence[Due]) -> Difference:
        """The difference in words."""
        launch, number = len(self._launches) - 1, int(found["num_met"])
        if found["is_frozen"]:
            return self._frozen(launch, cycle)
        here = due[number] if number < len(due) and due[number].cycle == cycle else None
        watch, where = int(found["watch"]), int(found["address"])
        got = found["got"].astype("<u4").tobytes()[: int(found["num_words"]) * BYTES_PER_WORD]
        if here is None or (got and (watch, where) < (here.watch, here.address)):
            return Difference(
                launch, cycle, self._watches.place(watch, where), None, "", NOTHING, in_hexadecimal([got])
            )
        place, lanes = self._watches.place(here.watch, here.address), self._watches.by_lane(here, here.value)
        instruction = self._instruction(here.event.queue, here.event.entry)
        if not got or (watch, where) != (here.watch, here.address):
            return Difference(launch, cycle, place, None, instruction, in_hexadecimal(lanes), NOTHING)
        pairs = zip(lanes, self._watches.by_lane(here, got), strict=True)
        lane, pair = next((lane, pair) for lane, pair in enumerate(pairs) if pair[0] != pair[1])
        return Difference(launch, cycle, place, lane, instruction, *(in_hexadecimal([value]) for value in pair))

    def _frozen(self, launch: int, cycle: int) -> Difference:
        fault = first_fault(self.chip, self._simulation, self._simulation.step(self._simulation.blank(1)))
        if fault is None:
            raise AssertionError("the chip is frozen, but no queue says why")
        instruction = self._instruction(fault.queue, fault.entry)
        return Difference(
            launch, cycle, "chip", None, instruction, NOTHING, f"a freeze, cause {fault.cause.name.lower()}"
        )

    def _instruction(self, queue: str, entry: int) -> str:
        return f"{queue}, entry {entry}: {instruction_text(self.program.queues[queue][entry : entry + 1])}"


def _start_only() -> Records:
    """A queue that issues nothing."""
    rows = empty_instructions(1)
    rows["op"] = OPCODES["icu.start"]
    return rows
