"""A timeline as one HTML file: a row for each instruction queue, drawn by the script that the file brings along.

The file asks nothing of the network, and its policy forbids it to. Its data are one JSON object:

    title, chip, clock_mhz, first, last      what is shown, and which cycles of it
    queues        the names of the rows
    programs      for each: name, length; names as [mnemonic, operation]; runs, the iterations that there are, as text;
                  and issues, a list for each queue: `entries`, `names` and `texts` (columns: number of an entry, index
                  of its name, its instruction), and `cycle`, `entry` and `run` (columns over issues in order of time:
                  cycle in the launch, place in `entries`, index of its iterations), each as differences from the
                  issue before, from 0
    launches      [index of a program, first cycle]
"""

import json
from collections.abc import Iterator
from importlib import resources
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from waterclock.isa.assembly import instruction_texts
from waterclock.simulator.link.linked import Bools
from waterclock.simulator.trace.timeline import Script, Timeline

TEMPLATE = "timeline.html"
PLACE_OF_DATA = "{{data}}"


def write_page(file: BinaryIO, line: Timeline, title: str) -> None:
    """Write the file; the same timeline gives the same bytes."""
    template = (resources.files("waterclock") / "data" / TEMPLATE).read_text(encoding="utf-8")
    data = json.dumps(page_data(line, title), separators=(",", ":")).replace("<", "\\u003c")  # ends no element early
    file.write(template.replace(PLACE_OF_DATA, data).encode())


def page_data(line: Timeline, title: str) -> dict[str, Any]:
    """The JSON object, as plain values."""
    programs = {launch.script: place for place, launch in enumerate({x.script: x for x in line.shown}.values())}
    return {
        "title": title,
        "chip": line.chip.name,
        "clock_mhz": line.chip.clock_mhz,
        "first": line.first_cycle,
        "last": line.last_cycle,
        "queues": [queue.name for queue in line.chip.queues],
        "programs": [_program(line, script) for script in programs],
        "launches": [[programs[launch.script], launch.start_cycle] for launch in line.shown],
    }


def _program(line: Timeline, script: Script) -> dict[str, Any]:
    """The issues of a program that any of its launches shows."""
    linked = script.linked
    shown = np.logical_or.reduce([line.within(launch) for launch in line.shown if launch.script is script])
    texts = [_iterations(script, event) for event in range(len(linked))]
    runs = {text: place for place, text in enumerate(dict.fromkeys(texts))}
    run = np.array([runs[text] for text in texts], np.int64)
    return {
        "name": linked.program.name,
        "length": linked.length_cycles,
        "names": [list(name) for name in script.names],
        "runs": list(runs),
        "issues": list(_queues(script, shown, run)),
    }


def _iterations(script: Script, event: int) -> str:
    return " ".join(f"{level}={count}" for level, count in script.repeats(event))


def _queues(script: Script, shown: Bools, run: npt.NDArray[np.int64]) -> Iterator[dict[str, Any]]:
    """The columns of each queue of the chip."""
    linked = script.linked
    for queue in linked.chip.queues:
        events = np.flatnonzero(shown & (linked.queue == queue.number))
        entries, first, place = np.unique(linked.entry[events], return_index=True, return_inverse=True)
        records = linked.rows.record[linked.row[events[first]]]
        yield {
            "entries": entries.tolist(),
            "names": script.name[events[first]].tolist(),
            "texts": instruction_texts(records),
            "cycle": _differences(linked.cycle[events]),
            "entry": _differences(place),
            "run": _differences(run[events]),
        }


def _differences(values: npt.NDArray[Any]) -> list[int]:
    return np.diff(values, prepend=0).tolist()
