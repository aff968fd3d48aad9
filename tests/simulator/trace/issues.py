"""What a trace of a timeline must hold, from the sequencer of the stepper, which knows nothing of link."""

from collections.abc import Iterator
from typing import NamedTuple

from waterclock.isa.record import LEVEL_NAMES, Records
from waterclock.isa.table import INSTRUCTION_BY_OPCODE
from waterclock.simulator.sequencer import Issue, issues
from waterclock.simulator.trace import Launch, Timeline


class Seen(NamedTuple):
    """One issue; `operation` is its label ("" where it has none), `repeats` the iterations of the levels it is in."""

    cycle: int
    queue: str
    entry: int
    mnemonic: str
    operation: str
    repeats: tuple[tuple[str, int], ...]


def expected(line: Timeline) -> list[Seen]:
    """Every issue looked at, in order."""
    found = [seen for launch in line.launches for seen in _of_launch(launch)]
    return sorted(seen for seen in found if line.first_cycle <= seen.cycle <= line.last_cycle)


def _of_launch(launch: Launch) -> Iterator[Seen]:
    linked = launch.script.linked
    for queue in linked.chip.queues:
        if queue.name not in linked.program.queues:
            continue
        depths = _depths(linked.program.queues[queue.name])
        for issue in issues(queue, linked.program.queues[queue.name]):
            levels = [(LEVEL_NAMES[i], issue.iteration[i]) for i in depths[issue.entry]]
            yield Seen(
                launch.start_cycle + issue.cycle, queue.name, issue.entry, issue.row.mnemonic, _label(launch, issue),
                tuple(levels),
            )  # fmt: skip


def _label(launch: Launch, issue: Issue) -> str:
    program = launch.script.linked.program
    label = program.labels[issue.queue.name][issue.entry] if issue.queue.name in program.labels else -1
    return program.operations[label] if label >= 0 else ""


def _depths(records: Records) -> list[list[int]]:
    """The levels around each entry: 0 where a repeat follows it, then one for each loop over it."""
    mnemonics = [INSTRUCTION_BY_OPCODE[int(op)].mnemonic for op in records["op"]]
    levels = [[0] if after == "icu.repeat" else [] for after in [*mnemonics[1:], ""]]
    for entry, mnemonic in enumerate(mnemonics):
        if mnemonic == "icu.loop":
            for inside in range(entry - int(records[entry]["body"]), entry):
                levels[inside].append(1 + sum(level > 0 for level in levels[inside]))
    return levels
