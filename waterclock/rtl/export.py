"""A chip for other tools: its Verilog, its ports and stores in JSON and Markdown, and a program's memory images."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from waterclock.chip import Chip
from waterclock.isa.program import Program
from waterclock.rtl.core import LAUNCH_CYCLES, reset_cycles
from waterclock.rtl.cosim import design_of
from waterclock.rtl.images import Memories, Store, declared_ranges, encoded, stores, writes
from waterclock.rtl.parts import CLOCK, RESET
from waterclock.rtl.verilated import TOP, Port

WORD_DIGITS = 8
MEANING_BY_PORT: Mapping[str, str] = MappingProxyType({
    CLOCK: "clock, rising edge",
    RESET: "reset, active high, to be held for `reset_cycles`; memories keep what they hold",
    "load__valid": "write `data` to `column` of `row` of the store `target` at the next edge",
    "load__target": "number of a store",
    "load__row": "row of the store",
    "load__column": "column of the row",
    "load__data": "32 bits",
    "launch": f"start all queues: cycle 0 of the program is {LAUNCH_CYCLES} cycles later",
    "running": "a queue is not at its end",
    "frozen": "the clock of the slices stands still: an entry is illegal, `traces` says which and why",
    "eastward": "stream registers flowing east at the position that ends the name: stream, lane; lowest first",
    "westward": "stream registers flowing west at the position that ends the name: stream, lane; lowest first",
    "holds": "hold registers: register, lane; lowest first",
    "hold_arrives": "a bit for each hold register: it takes a new value at the end of this cycle",
    "params": "launch parameters as an issue sees them, 32 bits each",
    "param_arrives": "a bit for each parameter that a launch set: its new value is there in this cycle",
    "words_written": "for each MEM slice: data, word, a bit for each byte that is written; each from a 32-bit word on",
    "rows_written": "for each MXM slice: data, tile, row, whether a row is written; each from a 32-bit word on",
    "traces": "for each queue: whether it issues, entry, iterations by level, cause (not 0 where it is illegal)",
})  # fmt: skip


def ports(chip: Chip) -> list[dict[str, Any]]:
    """Every port: name, direction, width and meaning."""
    design = design_of(chip)
    inputs = [Port(CLOCK, 1, 0), *design.inputs.values()]
    return [_port(port, "input") for port in inputs] + [_port(port, "output") for port in design.outputs.values()]


def _port(port: Port, direction: str) -> dict[str, Any]:
    meaning = MEANING_BY_PORT[port.array or port.name]
    return {"name": port.name, "direction": direction, "bits": port.bits, "meaning": meaning}


def description(chip: Chip) -> dict[str, Any]:
    """The interface of the chip's RTL as plain values."""
    return {
        "chip": {"name": chip.name, "sha256": chip.sha256},
        "top": TOP,
        "launch_cycles": LAUNCH_CYCLES,
        "launch_gap_cycles": chip.launch_gap_cycles,
        "reset_cycles": reset_cycles(chip),
        "ports": ports(chip),
        "stores": [asdict(store) for store in stores(chip)],
    }


def files(chip: Chip) -> Iterator[tuple[str, str]]:
    """Name and text of the files that describe the chip."""
    record = description(chip)
    yield "core.v", design_of(chip).elaborated()[0]
    yield "interface.json", json.dumps(record, indent=2) + "\n"
    yield "interface.md", _markdown(chip, record)


def images(chip: Chip, program: Program, memories: Memories) -> Iterator[tuple[str, str]]:
    """A file for each store that a program and its memories fill, in the form of Verilog's $readmemh.

    Word row * num_columns + column of a file goes to that row and column; words that a file leaves out are 0.
    """
    ranges = Memories(memories.mem, memories.reram, memories.sram, memories.params, declared_ranges(chip, program))
    rows = writes(chip, encoded(chip, program.queues), ranges)
    for store in stores(chip):
        part = rows[rows["target"] == store.target]
        if len(part):
            yield f"{store.target:03}-{store.name}.hex", _readmemh(store, part)


def _readmemh(store: Store, rows: npt.NDArray[np.void]) -> str:
    """Addresses stand where words are left out."""
    places = rows["row"].astype(np.int64) * store.num_columns + rows["column"]
    order = np.argsort(places, kind="stable")
    lines: list[str] = []
    expected = 0
    for place, word in zip(places[order].tolist(), rows["data"][order].tolist(), strict=True):
        if place != expected:
            lines.append(f"@{place:x}")
        lines.append(f"{word:0{WORD_DIGITS}x}")
        expected = place + 1
    return "\n".join(lines) + "\n"


def _markdown(chip: Chip, record: Mapping[str, Any]) -> str:
    port_rows = ((f"`{row['name']}`", row["direction"], str(row["bits"]), row["meaning"]) for row in record["ports"])
    store_rows = (
        (str(row["target"]), f"`{row['name']}`", str(row["num_rows"]), str(row["num_columns"]), row["meaning"])
        for row in record["stores"]
    )
    return "\n".join([
        f"# The RTL of chip {chip.name}",
        "",
        f"Chip {chip.sha256}. Module `{TOP}` in `core.v`.",
        "",
        f"Hold `{RESET}` for {record['reset_cycles']} cycles. Load the stores, write parameters, pulse `launch`:",
        f"cycle 0 is {record['launch_cycles']} cycles later. The next cycle 0 may follow",
        f"{record['launch_gap_cycles']} cycles after the program's length; stores are written in between.",
        "",
        *_table(("port", "direction", "bits", "meaning"), port_rows),
        "",
        *_table(("target", "store", "rows", "columns", "meaning"), store_rows),
        "",
    ])  # fmt: skip


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
