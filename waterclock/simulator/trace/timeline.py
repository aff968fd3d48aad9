"""Timeline: programs launched one after the other, and which of their issues are looked at."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from waterclock.chip import Chip
from waterclock.errors import InputError
from waterclock.isa.record import LEVEL_NAMES
from waterclock.isa.table import INSTRUCTION_BY_OPCODE
from waterclock.simulator.link import every_run
from waterclock.simulator.link.linked import Bools, Ints, Linked
from waterclock.simulator.served import operations_of, operations_served

MAX_ISSUES = 1 << 26


class Name(NamedTuple):
    """What an issue is called: its mnemonic and the model operation that it serves ("" for none)."""

    mnemonic: str
    operation: str

    @property
    def text(self) -> str:
        return " ".join(filter(None, self))


@dataclass(frozen=True, eq=False)
class Script:
    """A program with a name for each of its issues: event i is called `names[name[i]]`."""

    linked: Linked
    names: tuple[Name, ...]
    name: Ints

    def repeats(self, event: int) -> Iterator[tuple[str, int]]:
        """Level and iteration of each repeat and loop that the event is in, innermost first, counted from 0."""
        row = self.linked.row[event]
        for level, name in enumerate(LEVEL_NAMES):
            if self.linked.rows.steered_by[row, level] >= 0:
                yield name, int(self.linked.iteration[event, level])


@dataclass(frozen=True)
class Launch:
    """A program that starts in a cycle of the timeline."""

    script: Script
    start_cycle: int

    @property
    def end_cycle(self) -> int:
        """The cycle after its last."""
        return self.start_cycle + self.script.linked.length_cycles


@dataclass(frozen=True)
class Timeline:
    """Launches in order of time, of which the cycles from `first_cycle` to `last_cycle` are looked at."""

    chip: Chip
    launches: tuple[Launch, ...]
    first_cycle: int
    last_cycle: int

    def within(self, launch: Launch) -> Bools:
        """Which events of a launch issue in the cycles looked at."""
        cycle = launch.script.linked.cycle + np.int64(launch.start_cycle)
        return (cycle >= self.first_cycle) & (cycle <= self.last_cycle)

    @cached_property
    def shown(self) -> tuple[Launch, ...]:
        """The launches that take any of the cycles looked at."""
        return tuple(
            launch
            for launch in self.launches
            if launch.start_cycle <= self.last_cycle and launch.end_cycle > self.first_cycle
        )

    @cached_property
    def num_issues(self) -> int:
        return sum(int(self.within(launch).sum()) for launch in self.shown)


def script(linked: Linked) -> Script:
    """The program's issues by name."""
    linked = every_run(linked)
    opcodes = linked.rows.record["op"][linked.row].astype(np.int64)
    operations = operations_of(linked.program)
    keys, name = np.unique(opcodes * len(operations) + operations_served(linked), return_inverse=True)
    pairs = [divmod(key, len(operations)) for key in keys.tolist()]
    names = tuple(Name(INSTRUCTION_BY_OPCODE[op].mnemonic, operations[place]) for op, place in pairs)
    return Script(linked, names, name.astype(np.int32))


def timeline(
    chip: Chip, scripts: Sequence[Script], num_rounds: int = 1, first: int | None = None, last: int | None = None
) -> Timeline:
    """The programs of one chip launched in turn, each as soon as the chip takes it, `num_rounds` times over.

    Cycles count from the start of the first launch; those from `first` to `last` are looked at, all if they are not
    given. InputError for cycles that are not there, or for more issues than a trace holds.
    """
    num_issues = num_rounds * sum(len(each.linked) for each in scripts)
    if num_issues > MAX_ISSUES:
        raise InputError(f"{num_rounds:,} launches: {num_issues:,} issues, a trace holds {MAX_ISSUES:,}")
    launches: list[Launch] = []
    cycle = 0
    for each in [*scripts] * num_rounds:
        launches.append(Launch(each, cycle))
        cycle = launches[-1].end_cycle + chip.launch_gap_cycles
    end = launches[-1].end_cycle - 1
    chosen = Timeline(chip, tuple(launches), 0 if first is None else first, end if last is None else last)
    if not 0 <= chosen.first_cycle <= chosen.last_cycle <= end:
        raise InputError(
            f"cycles {chosen.first_cycle} to {chosen.last_cycle}: must be two cycles from 0 to {end} in order"
        )
    return chosen
