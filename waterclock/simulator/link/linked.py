"""What link knows of a program: every issue of a launch, and whose value each operand finds."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from waterclock.chip import Chip
from waterclock.isa.program import Program
from waterclock.isa.table import INSTRUCTION_BY_OPCODE
from waterclock.simulator.link.errors import Cause, LinkError
from waterclock.simulator.link.rolled import INNER, OUTER, Rolled
from waterclock.simulator.link.rows import Bools, Ints, Longs, Rows

__all__ = ["Bools", "Events", "Ints", "Linked", "Longs", "Rows"]


@dataclass(frozen=True, eq=False)
class Events:
    """Every issue of a launch, loops and repeats unrolled, in the order of (cycle, queue number); n of them.

    Control entries (start, nop, repeat, loop) are no events. Event i issues row `row[i]` of `rows`, which is entry
    `entry[i]` of the queue with number `queue[i]`, in cycle `cycle[i]`; `iteration[i]` has a count for each level.

    Where loops are `rolled`, the events are those of the runs that are kept, as if there were no others: cycles too,
    and counts may be negative, for an instruction in a loop that was written out before it.
    """

    program: Program
    chip: Chip
    rows: Rows
    row: Ints
    cycle: Ints
    queue: Ints
    entry: Ints
    iteration: Ints
    rolled: Rolled | None

    def __len__(self) -> int:
        return len(self.cycle)

    def name(self, event: int) -> str:
        """An event in words: mnemonic, queue, entry and cycle."""
        queue = self.chip.queues[int(self.queue[event])].name
        return f"{self._mnemonic(event)} of {queue}[{self._place(event)[0]}] in cycle {self._true_cycle(event)}"

    def _true_cycle(self, event: int) -> int:
        """The cycle with all runs of all loops."""
        row, rows = int(self.row[event]), self.rolled.rows if self.rolled else self.rows
        return int(rows.start[row] + (self.iteration[event] * rows.period[row]).sum())

    def _place(self, event: int) -> tuple[int, tuple[int, ...]]:
        """Entry and iteration: of a run that is written out, those of its own entry."""
        row, iteration = int(self.row[event]), tuple(int(count) for count in self.iteration[event])
        if self.rolled is None or 0 <= iteration[INNER] < self.rolled.rows.runs[row, INNER]:
            return int(self.entry[event]), iteration
        rows = self.rolled.rows
        cycle = rows.start[row] + iteration[INNER] * rows.period[row, INNER]
        alike = (rows.queue == rows.queue[row]) & (rows.record["op"] == rows.record["op"][row])
        own = int(np.flatnonzero(alike & (rows.start == cycle))[0])
        return int(rows.entry[own]), (0, iteration[OUTER], 0, 0)

    def _is_late(self, event: int) -> bool:
        """Whether it is in one of the last runs that are kept of a block that is cut."""
        if self.rolled is None:
            return False
        row = int(self.row[event])
        block = self.rolled.blocks[int(self.rolled.block[row])]
        inner, outer = self.iteration[event, INNER] + self.rolled.first_run[row], self.iteration[event, OUTER]
        last_inner = block.kept_inner < block.inner_runs and inner > block.kept_inner // 2
        return bool(last_inner or (block.kept_outer < block.outer_runs and outer >= block.kept_outer - 1))

    def refuse(self, bad: Bools, cause: Cause, reason: Callable[[int], str]) -> None:
        """LinkError for the first event that is bad, with a reason made for it."""
        if not bad.any():
            return
        event = int(bad.argmax())
        queue, (entry, iteration) = self.chip.queues[int(self.queue[event])], self._place(event)
        raise LinkError(
            cause,
            reason(event),
            slice=queue.slice.name,
            queue=queue.name,
            entry=entry,
            mnemonic=self._mnemonic(event),
            cycle=self._true_cycle(event),
            iteration=iteration,
            is_first=not self._is_late(event),
        )

    def marked(self, events: Longs | Ints) -> Bools:
        """Which of all events are among these; negative indices are none."""
        mask = np.zeros(len(self), np.bool_)
        mask[events[events >= 0]] = True
        return mask

    def _mnemonic(self, event: int) -> str:
        opcode = int(self.rows.record["op"][self.row[event]])
        known = INSTRUCTION_BY_OPCODE.get(opcode)
        return known.mnemonic if known else f"opcode {opcode:#x}"


@dataclass(frozen=True, eq=False)
class Linked(Events):
    """A program whose dataflow is known, exactly, without having been executed.

    Producers are indices of events, -1 where there is none. `producer[i, k]` is the event whose result operand a, b or
    c (k = 0, 1, 2) of event i finds, on a stream or in a hold register; a byte operand may find one byte of a 32-bit
    result: byte `index % 4`. `acc[i]` is the matvec before event i on its accumulator, for a matvec that is not
    `first`. `memory[i]` is the last event that wrote, for some value of the parameters, any of the MEM word or SRAM
    tile that event i reads. `param[i, p]` is the `icu.set_param` whose value event i sees where it uses a parameter: p
    counts the operands a, b, c, then the terms of `address`, then those of `place`.
    """

    length_cycles: int
    producer: Ints
    acc: Ints
    memory: Ints
    param: Ints
