"""Ready: all that running a program needs of what link found out, as plain arrays that can be kept."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from waterclock.chip import Chip
from waterclock.errors import InputError
from waterclock.isa.program import Program
from waterclock.simulator.link import Linked
from waterclock.simulator.machine.columns import TERM_COLUMNS
from waterclock.simulator.machine.kernels.products import LINK_COLUMNS
from waterclock.simulator.machine.ops import COLUMNS
from waterclock.simulator.machine.recorder import record
from waterclock.simulator.machine.stretches import Stretch
from waterclock.simulator.machine.tape import Tape

Tensors = Mapping[str, npt.NDArray[Any]]

_ARRAYS: Mapping[str, tuple[type[np.generic], tuple[int, ...]]] = {
    "ops": (np.int32, (-1, len(COLUMNS))),
    "starts": (np.int32, (-1, 2)),
    "links": (np.int32, (-1, len(LINK_COLUMNS))),
    "origin": (np.int64, (-1, 3)),
    "terms": (np.int32, (-1, len(TERM_COLUMNS))),
    "constants": (np.int32, (-1,)),
}
"""The arrays of a tape, with their types and shapes; -1 is any length."""
_TAPE_NUMBERS = tuple(field.name for field in fields(Tape) if field.name not in {*_ARRAYS, "stretch"})
_STRETCH_NUMBERS = ("outer_runs", "inner_runs", "num_tokens", "is_apart")
_NUM_NUMBERS = len(_TAPE_NUMBERS) + len(_STRETCH_NUMBERS)
_PROGRAM = "program"
"""The array with the cycles of a launch and the number of tapes."""


@dataclass(frozen=True, eq=False)
class Ready:
    """A program with the tapes that a machine runs, and the cycles of a launch."""

    program: Program
    chip: Chip
    length_cycles: int
    tapes: tuple[Tape, ...]


def made_ready(linked: Linked) -> Ready:
    """What a machine needs of a linked program."""
    return Ready(linked.program, linked.chip, linked.length_cycles, record(linked))


def ready_to_arrays(ready: Ready) -> dict[str, npt.NDArray[Any]]:
    """All but program and chip: "TAPE.NAME" for each array of each tape, "TAPE.numbers" for the rest of it."""
    tensors: dict[str, npt.NDArray[Any]] = {_PROGRAM: np.array([ready.length_cycles, len(ready.tapes)], np.int64)}
    for number, tape in enumerate(ready.tapes):
        numbers = [getattr(tape, name) for name in _TAPE_NUMBERS]
        numbers += [getattr(tape.stretch, name) for name in _STRETCH_NUMBERS]
        tensors[f"{number}.numbers"] = np.array(numbers, np.int64)
        tensors |= {f"{number}.{name}": np.ascontiguousarray(getattr(tape, name)) for name in _ARRAYS}
    return tensors


def ready_from_arrays(tensors: Tensors, program: Program, chip: Chip) -> Ready:
    """The inverse. InputError for what is missing or of another type or shape."""
    length_cycles, num_tapes = _array(tensors, _PROGRAM, np.int64, (2,)).tolist()
    return Ready(program, chip, length_cycles, tuple(_tape(tensors, number) for number in range(num_tapes)))


def _tape(tensors: Tensors, number: int) -> Tape:
    numbers = _array(tensors, f"{number}.numbers", np.int64, (_NUM_NUMBERS,)).tolist()
    stretch = dict(zip(_STRETCH_NUMBERS, numbers[len(_TAPE_NUMBERS) :], strict=True))
    arrays = {name: _array(tensors, f"{number}.{name}", *kind) for name, kind in _ARRAYS.items()}
    rest = dict(zip(_TAPE_NUMBERS, numbers, strict=False))
    return Tape(stretch=Stretch(events=np.zeros(0, np.int64), **stretch), **arrays, **rest)


def _array(tensors: Tensors, name: str, dtype: type[np.generic], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    array = tensors.get(name)
    if array is None or array.dtype != dtype or not _fits(array.shape, shape):
        raise InputError(f"tape: {name} is missing or not {np.dtype(dtype)}{shape}")
    return array


def _fits(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return len(shape) == len(wanted) and all(want in (-1, have) for have, want in zip(shape, wanted, strict=True))
