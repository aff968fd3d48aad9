"""`waterclock inspect --schedule`: the picture of a program's issues."""

from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from waterclock.errors import InputError

if TYPE_CHECKING:
    from waterclock.compiler.deployment import Deployment
    from waterclock.compiler.explain import Explanation
    from waterclock.isa.program import Program


def draw_schedule(deployment: "Deployment", program: "Program", path: Path, cycles: str | None) -> None:
    """Write the picture of a program's schedule in the cycles that the user asked for, and say what is in it."""
    from waterclock.atomic import write_atomically
    from waterclock.compiler.picture import Mark, schedule_svg
    from waterclock.simulator.link import unroll

    first, last = _cycles_of(cycles, deployment.explanations[program.name])
    events = unroll(program, deployment.chip)
    labels = {queue.number: program.labels.get(queue.name) for queue in deployment.chip.queues}
    marks = [
        Mark(int(queue), int(cycle), program.operations[labels[int(queue)][entry]])  # pyright: ignore[reportOptionalSubscript]
        for queue, cycle, entry in zip(events.queue, events.cycle, events.entry, strict=True)
        if first <= cycle <= last
    ]
    title = f"{deployment.config.name} on {deployment.chip.name}, {program.name}: cycles {first:,} to {last:,}"
    write_atomically(path, schedule_svg(title, marks, deployment.chip, first, last))
    print(f"{path}: {len(marks):,} issues in cycles {first:,} to {last:,} of {program.length_cycles:,}")


def _cycles_of(text: str | None, explanation: "Explanation") -> tuple[int, int]:
    """The cycles that the user asked for; the first run of the segment that runs most often if none."""
    if text is None:
        ends = list(accumulate(s.count * s.length_cycles for s in explanation.segments))
        index = max(range(len(ends)), key=lambda i: explanation.segments[i].count)
        first = ([0, *ends])[index]
        return first, first + explanation.segments[index].length_cycles - 1
    first, colon, last = text.partition(":")
    if not (colon and first.isdecimal() and last.isdecimal() and int(first) < int(last) < explanation.length_cycles):
        limit = explanation.length_cycles - 1
        raise InputError(f"--cycles {text!r}: must be FIRST:LAST, two cycles from 0 to {limit} in order")
    return int(first), int(last)
