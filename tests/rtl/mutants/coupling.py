"""What two sequencers have to agree in so that no one can tell them apart: all but what is not looked at.

A level that is not live is no loop: its head, and the cycles since its iteration began, are read by nobody; no level is
while nothing runs, and no iteration where nothing issues. So a fault changes nothing if, from a reset on, outputs and
registers are equal but for these; which is proven by induction.
"""

import re
from collections.abc import Iterator, Mapping

from amaranth.hdl import Value
from amaranth.lib import wiring

from waterclock.rtl.icu import LEVEL
from waterclock.rtl.icu import SEQUENCER as SIGNATURE

MODULE = "coupled"
SEQUENCER = ".sequencer"
LEVEL_NAME = "level_"
UNREAD = ("head", "elapsed")


def registers(netlist: str, module: str) -> dict[str, int]:
    """The registers of a module of a netlist in RTLIL, and how wide they are."""
    text = netlist.partition(f"\nmodule \\{module}\n")[2].partition("\nend\n")[0]
    cells = re.findall(r"^  cell \$adff (.*?)^  end", text, re.MULTILINE | re.DOTALL)
    found = (re.search(r"\\WIDTH (\d+).*?connect \\Q \\(\S+)\n", cell, re.DOTALL) for cell in cells)
    return {one[2]: int(one[1]) for one in found if one}


def exposing(bits_by_register: Mapping[str, int]) -> str:
    """The registers that are to be made outputs, as Yosys selects them."""
    return " ".join(f"w:{name}" for name in bits_by_register if name not in _ports(wiring.Out))


def around(gold: str, gate: str, bits_by_register: Mapping[str, int]) -> str:
    """Verilog of a module around two sequencers with the same inputs: `trigger` says they differ in what counts."""
    inputs = {"clk": 1, "rst": 1, **_ports(wiring.In)}
    outputs = {**_ports(wiring.Out), **bits_by_register}
    declared = ", ".join(f"input [{bits - 1}:0] {name}" for name, bits in inputs.items())
    lines = [f"module {MODULE} ({declared}, output trigger);"]
    for side in (gold, gate):
        lines += [f"  wire [{bits - 1}:0] \\{side}_{name} ;" for name, bits in outputs.items()]
        connections = [f".{name}({name})" for name in inputs] + [f".\\{name} (\\{side}_{name} )" for name in outputs]
        lines.append(f"  {side} {side}_itself ({', '.join(connections)});")
    differences = " | ".join(difference for name in outputs for difference in _differences(gold, gate, name))
    return "\n".join([*lines, f"  assign trigger = {differences};", "endmodule", ""])


def _ports(flow: wiring.Flow) -> dict[str, int]:
    """The ports of a sequencer that go one way, and how wide they are."""
    members = SIGNATURE.flatten(SIGNATURE.create())
    return {str(path[0]): len(Value.cast(value)) for path, member, value in members if member.flow == flow}


def _differences(gold: str, gate: str, name: str) -> Iterator[str]:
    differ = f"(\\{gold}_{name} != \\{gate}_{name} )"
    if name == "iteration":
        yield f"((\\{gold}_valid | (|\\{gold}_cause )) & {differ})"
    if name.startswith(LEVEL_NAME):
        yield from (f"(\\{gold}_running & {one})" for one in _level_differences(gold, gate, name))
    elif name != "iteration":
        yield differ


def _level_differences(gold: str, gate: str, name: str) -> Iterator[str]:
    for part in LEVEL.members:
        low, bits = LEVEL[part].offset, LEVEL[part].width
        place = f"[{low + bits - 1}:{low}]"
        differ = f"(\\{gold}_{name} {place} != \\{gate}_{name} {place})"
        yield f"(\\{gold}_{name} [0] & {differ})" if part in UNREAD else differ
