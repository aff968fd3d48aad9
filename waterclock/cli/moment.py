"""`waterclock inspect --cycle`: what a chip holds and issues in one cycle of a launch."""

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from waterclock.cli.terminal import counted, print_rows
from waterclock.errors import InputError

if TYPE_CHECKING:
    from waterclock.chip import Chip
    from waterclock.compiler.deployment import Deployment
    from waterclock.isa.program import Program
    from waterclock.simulator.link import Linked
    from waterclock.simulator.moment import Moment
    from waterclock.simulator.sequencer import Issue

LANES_SHOWN = 4
BYTES_PER_WORD = 4


def show_moment(
    deployment: "Deployment", program: "Program", cycle: int, value_by_param: Mapping[str, int | None], *, as_json: bool
) -> None:
    """Step a launch from the loaded state to a cycle and print what is there."""
    from waterclock.runtime.device import loaded_state
    from waterclock.simulator.link import every_run, link
    from waterclock.simulator.stepper import moments

    if cycle >= program.length_cycles:
        raise InputError(f"--cycle {cycle}: {program.name} takes {program.length_cycles} cycles, from 0 on")
    state = loaded_state(deployment)
    given = _params(program, value_by_param)
    for index, value in given.items():
        state.params[index] = value
    stepped = counted(moments(deployment.chip, program, state), cycle + 1, "stepping")
    moment = next(islice(stepped, cycle, None))
    record = moment_record(every_run(link(program, deployment.chip)), moment)
    if as_json:
        print(json.dumps(record, indent=2))
    else:
        _print(record)


def _params(program: "Program", value_by_name: Mapping[str, int | None]) -> dict[int, int]:
    """What the host writes before the launch: the values given, else the lowest that each parameter may have."""
    host = {param.name: param for param in program.params if param.host}
    for name, value in value_by_name.items():
        if value is not None and name not in host:
            raise InputError(f"--{name} {value}: {program.name} has no such parameter")
    values = {name: value_by_name.get(name) for name in host}
    chosen = {name: host[name].low if value is None else value for name, value in values.items()}
    for name, param in host.items():
        if not param.low <= chosen[name] <= param.high:
            raise InputError(f"--{name} {chosen[name]}: must be {param.low} to {param.high}")
    return {param.index: chosen[name] for name, param in host.items()}


def moment_record(linked: "Linked", moment: "Moment") -> dict[str, Any]:
    """A moment of a program as plain values; a word is 8 hexadecimal digits, a byte 2, lane 0 first."""
    chip, program = linked.chip, linked.program
    operation_by_queue = _operations(linked, moment.cycle)
    name_by_param = {param.index: param.name for param in program.params}
    mxms = [piece.name for piece in chip.slices if piece.kind == "mxm"]
    return {
        "program": program.name,
        "length_cycles": program.length_cycles,
        "cycle": moment.cycle,
        "params": {name: int(moment.params[index]) for index, name in name_by_param.items()},
        "issues": [_issue(issue, moment, operation_by_queue[issue.queue.number]) for issue in moment.issues],
        "streams": list(_streams(chip, moment)),
        "holds": {f"h{index}": _words(words) for index, words in sorted(moment.hold_by_index.items())},
        "accumulators": {
            f"{mxms[index]}.acc{number}": _words(words)
            for (index, number), words in sorted(moment.accumulator_by_place.items())
        },
    }


def _operations(linked: "Linked", cycle: int) -> dict[int, str]:
    """What each queue's issue of a cycle serves, by number of the queue."""
    from waterclock.simulator.served import operations_of, operations_served

    served, names = operations_served(linked), operations_of(linked.program)
    return {int(linked.queue[event]): names[served[event]] for event in (linked.cycle == cycle).nonzero()[0]}


def _issue(issue: "Issue", moment: "Moment", operation: str) -> dict[str, Any]:
    import numpy as np

    from waterclock.isa.assembly import instruction_text
    from waterclock.isa.record import LEVEL_NAMES
    from waterclock.isa.table import Form

    addresses = [operand for operand in issue.row.operands if operand.form is Form.ADDRESS]
    return {
        "queue": issue.queue.name,
        "entry": issue.entry,
        "mnemonic": issue.row.mnemonic,
        "instruction": instruction_text(np.asarray(issue.record)),
        "operation": operation,
        "iteration": dict(zip(LEVEL_NAMES, issue.iteration, strict=True)),
        "addresses": {operand.word: issue.address(operand.field, moment.params) for operand in addresses},
    }


def _streams(chip: "Chip", moment: "Moment") -> Iterator[dict[str, Any]]:
    """Every stream register that carries something, slice by slice; a whole group of four as words."""
    for piece in chip.slices:
        for way, letter in enumerate("ew"):
            for group in range(0, chip.num_streams, BYTES_PER_WORD):
                place = way, piece.x, slice(group, group + BYTES_PER_WORD)
                planes, written = moment.streams[place], moment.written[place]
                if written.all():
                    yield {"slice": piece.name, "stream": f"s{group}{letter}", "words": _words(planes.T.copy())}
                    continue
                for number in range(BYTES_PER_WORD):
                    if written[number]:
                        yield {
                            "slice": piece.name,
                            "stream": f"s{group + number}{letter}",
                            "bytes": _hex(planes[number], 1),
                        }


def _words(words: Any) -> str:
    return _hex(words, BYTES_PER_WORD)


def _hex(values: Any, num_bytes: int) -> str:
    """Little-endian numbers of so many bytes, most significant digit first."""
    data = values.tobytes()
    parts = (data[start : start + num_bytes][::-1].hex() for start in range(0, len(data), num_bytes))
    return " ".join(parts)


def _print(record: dict[str, Any]) -> None:
    params = ", ".join(f"{name} {value}" for name, value in record["params"].items())
    print(
        f"{record['program']}, cycle {record['cycle']:,} of {record['length_cycles']:,}; {params}; memories as loaded"
    )
    tables = {
        ("queue", "instruction", "at", "iteration", "operation"): [_issue_row(issue) for issue in record["issues"]],
        ("slice", "stream", "what it carries, from lane 0 on"): [
            (row["slice"], row["stream"], _some(row.get("words") or row["bytes"])) for row in record["streams"]
        ],
        ("hold", "what it holds"): [(name, _some(words)) for name, words in record["holds"].items()],
        ("accumulator", "what it holds"): [(name, _some(words)) for name, words in record["accumulators"].items()],
    }
    for header, rows in tables.items():
        if rows:
            print()
            print_rows(rows, header=header)


def _issue_row(issue: dict[str, Any]) -> tuple[str, ...]:
    addresses = ", ".join(f"{word} {value}" for word, value in issue["addresses"].items())
    iteration = " ".join(f"{level}={count}" for level, count in issue["iteration"].items() if count)
    return f"{issue['queue']}[{issue['entry']}]", issue["instruction"], addresses, iteration, issue["operation"]


def _some(values: str) -> str:
    """The first lanes."""
    lanes = values.split()
    return " ".join(lanes[:LANES_SHOWN]) + (" ..." if len(lanes) > LANES_SHOWN else "")
