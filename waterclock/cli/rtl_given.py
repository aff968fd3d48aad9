"""What `waterclock rtl run` is given for memories and parameters: places and numbers as text."""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar

from waterclock.errors import InputError

if TYPE_CHECKING:
    from waterclock.chip import Chip
    from waterclock.runtime.rtl_run import Given
    from waterclock.simulator.state import Words

Place = TypeVar("Place")
Value = TypeVar("Value")
WORD = re.compile(r"(\w+):(\d{1,9})=(.+)")
PARAM = re.compile(r"p?(\d{1,3})=(.+)")
BITS = 32


def given_of(chip: "Chip", words: Sequence[str], params: Sequence[str]) -> "Given":
    """What `--mem` and `--param` say. InputError for what is no place or no number, and for a place named twice."""
    from waterclock.runtime.rtl_run import Given

    return Given(_all(chip, "--mem", words, _word), _all(chip, "--param", params, _param))


def check_below(limit: int, value: int, name: str) -> None:
    """InputError where there are not so many."""
    if value >= limit:
        raise InputError(f"{name} {value}: there are 0 to {limit - 1}")


def _all(
    chip: "Chip", option: str, texts: Sequence[str], read: "Callable[[Chip, str], tuple[Place, Value]]"
) -> dict[Place, Value]:
    """What each text says, by place."""
    found: dict[Place, Value] = {}
    for text in texts:
        try:
            place, value = read(chip, text)
        except InputError as error:
            raise InputError(f"{option} {text}: {error}") from None
        if place in found:
            raise InputError(f"{option} {text}: has been given before")
        found[place] = value
    return found


def _word(chip: "Chip", text: str) -> "tuple[tuple[int, int], Words]":
    """Slice and word, and its lanes: those that are not given are 0."""
    import numpy as np

    from waterclock.chip import SliceKind

    match = WORD.fullmatch(text)
    if match is None:
        raise InputError("must be SLICE:WORD=VALUE,VALUE,..., such as mem0:7=1.5,2")
    index_by_name = {one.name: one.index for one in chip.slices_of(SliceKind.MEM)}
    name, word, values = match[1], int(match[2]), match[3].split(",")
    if name not in index_by_name:
        raise InputError(f"{chip.name} has no MEM slice {name}; there are {', '.join(index_by_name)}")
    check_below(chip.mem.num_words, word, "word")
    if len(values) > chip.lanes:
        raise InputError(f"{len(values)} values, a word of {chip.name} has {chip.lanes} lanes")
    lanes = np.zeros(chip.lanes, np.int32)
    lanes[: len(values)] = [number(value) for value in values]
    return (index_by_name[name], word), lanes


def _param(chip: "Chip", text: str) -> tuple[int, int]:
    match = PARAM.fullmatch(text)
    if match is None:
        raise InputError("must be PARAM=VALUE, such as p2=5")
    check_below(chip.num_params, int(match[1]), "parameter")
    return int(match[1]), number(match[2])


def number(text: str) -> int:
    """The int32 with the bits that a number stands for."""
    text = text.strip().lower()
    for pattern, read in READER_BY_PATTERN.items():
        if re.fullmatch(pattern, text):
            return read(text)
    raise InputError(f"{text!r} is no number; 1.5 is fp32, 15 int32, 0x3fc00000 bits")


def _bits(text: str) -> int:
    value = int(text, 16)
    return value - (value >> BITS - 1 << BITS)


def _int32(text: str) -> int:
    value = int(text)
    if not -(1 << BITS - 1) <= value < 1 << BITS - 1:
        raise InputError(f"{text} is no int32")
    return value


def _fp32(text: str) -> int:
    import numpy as np

    with np.errstate(over="ignore"):
        value = np.array(float(text), np.float64).astype(np.float32)
    if np.isinf(value) and "inf" not in text:
        raise InputError(f"{text} is beyond fp32")
    return int(value.view(np.int32))


READER_BY_PATTERN: Mapping[str, Callable[[str], int]] = MappingProxyType({
    r"0x[0-9a-f]{1,8}": _bits,
    r"[+-]?\d{1,20}": _int32,
    r"[+-]?((\d+\.\d*|\.\d+)(e[+-]?\d+)?|\d+e[+-]?\d+|inf|nan)": _fp32,
})  # fmt: skip
