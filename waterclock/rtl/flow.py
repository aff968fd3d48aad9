"""How results flow: which of them each stream register should hold in each cycle, and whether the RTL's does.

A result is put on its stream at its own slice and moves on by one slice a cycle, until it leaves the row of slices or
another one takes its place. Which results there are comes as records made before, as in lockstep.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from waterclock.chip import Chip
from waterclock.isa.record import Direction
from waterclock.rtl.lockstep import Difference
from waterclock.rtl.streams import WAYS
from waterclock.rtl.verilated import Words
from waterclock.rtl.watches import Event, in_hexadecimal

Bytes = npt.NDArray[np.uint8]
NONE = -1
STREAM = "stream"
OUTPUT_BY_WAY = {Direction.EAST: "eastward", Direction.WEST: "westward"}
NAME_BY_WAY = {Direction.EAST: "east", Direction.WEST: "west"}


@dataclass(frozen=True)
class Flow:
    """Results in order, and the number of the one that each register holds: [cycle, way, x, stream], else NONE."""

    chip: Chip
    results: tuple[Event, ...]
    holder: npt.NDArray[np.int32]

    def planes(self, number: int) -> Bytes:
        """The bytes of a result, [stream, lane], from its lowest stream on."""
        return np.frombuffer(self.results[number].value, np.uint8).reshape(self.chip.lanes, -1).T

    def streams(self, number: int) -> slice:
        """The streams that a result travels on."""
        *_, stream = self.results[number].place
        return slice(stream, stream + len(self.planes(number)))


def flow(chip: Chip, events: Sequence[Event], num_cycles: int) -> Flow:
    """Where the results among these events are in each of the first cycles."""
    results = tuple(event for event in events if event.kind.value == STREAM and event.cycle < num_cycles)
    holder = np.full((num_cycles, len(WAYS), chip.num_positions, chip.num_streams), NONE, np.int32)
    found = Flow(chip, results, holder)
    for cycle in range(num_cycles):
        if cycle:
            holder[cycle, 0, 1:], holder[cycle, 1, :-1] = holder[cycle - 1, 0, :-1], holder[cycle - 1, 1, 1:]
        for number in (number for number, result in enumerate(results) if result.cycle == cycle):
            x, direction, _ = results[number].place
            for way in (way for way, bit in enumerate(WAYS) if bit in Direction(direction)):
                holder[cycle, way, x, found.streams(number)] = number
    return found


def registers(chip: Chip, outputs: Mapping[str, Words]) -> Bytes:
    """What the RTL's stream registers hold, [cycle, way, x, stream, lane]."""
    columns = (np.ascontiguousarray(outputs[OUTPUT_BY_WAY[way]]).view(np.uint8) for way in WAYS)
    shape = (-1, chip.num_positions, chip.num_streams, chip.lanes)
    return np.stack([column.reshape(shape) for column in columns], axis=1)


def first_difference(due: Flow, held: Bytes) -> Difference | None:
    """The first register that holds something else than the result that is due in it."""
    table = np.zeros((len(due.results) + 1, *held.shape[-2:]), np.uint8)  # NONE takes the last row
    for number in range(len(due.results)):
        table[number, due.streams(number)] = due.planes(number)
    expected = table[due.holder, np.arange(held.shape[-2])]
    wrong = np.argwhere((due.holder[..., None] != NONE) & (expected != held))
    if not len(wrong):
        return None
    cycle, way, x, stream, lane = place = cast(tuple[int, int, int, int, int], tuple(wrong[0].tolist()))
    result = due.results[int(due.holder[cycle, way, x, stream])]
    where = f"{due.chip.slices[x].name}, stream {stream} flowing {NAME_BY_WAY[WAYS[way]]}"
    values = (in_hexadecimal([bytes([array[place]])]) for array in (expected, held))
    return Difference(0, cycle, where, lane, f"{result.queue}, entry {result.entry}", *values)
