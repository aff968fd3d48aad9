"""A module of a netlist twice, with the same inputs: Yosys is asked to find a difference between the two."""

import re
from collections.abc import Iterable, Mapping

GOLD, GATE = "gold", "gate"
"""The module as it is, and with the fault."""
MODULE = "beside"
PORT = re.compile(r"^  wire (?:width (\d+) )?(input|output) \d+ \\(\S+)$", re.MULTILINE)
Bits = Mapping[str, int]
"""How wide ports are, by name."""


def text_of(netlist: str, module: str) -> str:
    """The text of a module of a netlist in RTLIL."""
    return netlist.partition(f"\nmodule \\{module}\n")[2].partition("\nend\n")[0]


def ports_of(text: str) -> dict[str, dict[str, int]]:
    """The inputs and outputs of a module in RTLIL."""
    found: dict[str, dict[str, int]] = {"input": {}, "output": {}}
    for bits, way, name in PORT.findall(text):
        found[way][name] = int(bits or 1)
    return found


def wire(side: str, name: str) -> str:
    """What holds an output of one of them, as Verilog has it."""
    return f"\\{side}_{name} "


def differ(name: str, place: str = "") -> str:
    """That an output, or a place in it, is another."""
    return f"({wire(GOLD, name)}{place} != {wire(GATE, name)}{place})"


def verilog(inputs: Bits, outputs: Bits, differences: Iterable[str], others: Iterable[str] = ()) -> str:
    """A module around both, with these other lines in it: `trigger` says that there is any of these differences."""
    declared = ", ".join(f"input [{bits - 1}:0] {name}" for name, bits in inputs.items())
    lines = [f"module {MODULE} ({declared}, output trigger);"]
    for side in (GOLD, GATE):
        lines += [f"  wire [{bits - 1}:0] {wire(side, name)};" for name, bits in outputs.items()]
        connections = [f".{name}({name})" for name in inputs]
        connections += [f".\\{name} ({wire(side, name)})" for name in outputs]
        lines.append(f"  {side} {side}_itself ({', '.join(connections)});")
    return "\n".join([*lines, *others, f"  assign trigger = {' | '.join(differences)};", "endmodule", ""])
