"""Black boxes: what is a macro on silicon, known by what it has to hold and how it is reached, but not by its area."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from waterclock.rtl import cells, clock, ram

Parameters = Mapping[str, int]


@dataclass(frozen=True, order=True)
class BlackBox:
    """A macro: `name` says what it is in its unit. `bits_per_enable` is the least that a write changes; a read's word
    is there in the same cycle or, `registered`, in the next. Without words it is no memory."""

    name: str
    kind: str
    num_words: int = 0
    bits_per_word: int = 0
    num_read_ports: int = 0
    num_write_ports: int = 0
    bits_per_enable: int = 0
    registered: bool = False


def _cell_array(name: str, parameters: Parameters) -> BlackBox:
    words, bits, enable = (parameters[one] for one in ("DEPTH", "WIDTH", "PIECE"))
    return BlackBox(name, cells.NAME, words, bits, 1, 1, enable, registered=True)


def _look_up_ram(name: str, parameters: Parameters) -> BlackBox:
    words, bits, ports = (parameters[one] for one in ("DEPTH", "WIDTH", "PORTS"))
    return BlackBox(name, ram.NAME, words, bits, ports, 1, bits)


def _clock_gate(name: str, parameters: Parameters) -> BlackBox:
    return BlackBox(clock.NAME, clock.NAME)


BOX_BY_KIND: Final[Mapping[str, Callable[[str, Parameters], BlackBox]]] = MappingProxyType({
    cells.NAME: _cell_array,
    ram.NAME: _look_up_ram,
    clock.NAME: _clock_gate,
})  # fmt: skip
"""Modules that are black boxes, with what their parameters say."""
MODULE, CELL = re.compile(r"^module \\(\S+)"), re.compile(r"^  cell \\(\S+) ")
PARAMETER = re.compile(r"^    parameter \\(\w+) (\d+)$")
COPY = re.compile(r"\$\d+|_\d+(?=\.|$)")
"""What tells modules apart that are alike: a number."""


def boxes_in(dump: str) -> Iterator[tuple[str, BlackBox]]:
    """The black boxes in Yosys' dump of them, each with the module that it is placed in."""
    module, kind = "", ""
    parameters: dict[str, int] = {}
    for line in dump.splitlines():
        if found := MODULE.match(line):
            module = found[1]
        elif found := CELL.match(line):
            kind, parameters = found[1], {}
        elif found := PARAMETER.match(line):
            parameters[found[1]] = int(found[2])
        elif line == "  end":
            yield module, BOX_BY_KIND[kind](_name(module), parameters)


def _name(module: str) -> str:
    """What a module is in its unit: the bank of a store, say."""
    return COPY.sub("", module.partition(".")[2].removeprefix(f"{clock.DATAPATH}."))
