"""What two sequencers have to agree in so that no one can tell them apart: all but what is not looked at.

A level that is not live is no loop: its head, and the cycles since its iteration began, are read by nobody; no level is
while nothing runs, and no iteration where nothing issues. So a fault changes nothing if, from a reset on, outputs and
registers are equal but for these; which is proven by induction.
"""

import re
from collections.abc import Iterator, Mapping

from amaranth.hdl import Value
from amaranth.lib import wiring

from tests.rtl.mutants import beside
from waterclock.rtl.icu import LEVEL
from waterclock.rtl.icu import SEQUENCER as SIGNATURE

SEQUENCER = ".sequencer"
LEVEL_NAME = "level_"
UNREAD = ("head", "elapsed")


def registers(netlist: str, module: str) -> dict[str, int]:
    """The registers of a module of a netlist in RTLIL, and how wide they are."""
    cells = re.findall(r"^  cell \$adff (.*?)^  end", beside.text_of(netlist, module), re.MULTILINE | re.DOTALL)
    found = (re.search(r"\\WIDTH (\d+).*?connect \\Q \\(\S+)\n", cell, re.DOTALL) for cell in cells)
    return {one[2]: int(one[1]) for one in found if one}


def exposing(bits_by_register: Mapping[str, int]) -> str:
    """The registers that are to be made outputs, as Yosys selects them."""
    return " ".join(f"w:{name}" for name in bits_by_register if name not in _ports(wiring.Out))


def around(bits_by_register: Mapping[str, int]) -> str:
    """Verilog of a module around two sequencers: `trigger` says they differ in what counts."""
    outputs = {**_ports(wiring.Out), **bits_by_register}
    differences = (difference for name in outputs for difference in _differences(name))
    return beside.verilog({"clk": 1, "rst": 1, **_ports(wiring.In)}, outputs, differences)


def _ports(flow: wiring.Flow) -> dict[str, int]:
    """The ports of a sequencer that go one way, and how wide they are."""
    members = SIGNATURE.flatten(SIGNATURE.create())
    return {str(path[0]): len(Value.cast(value)) for path, member, value in members if member.flow == flow}


def _differences(name: str) -> Iterator[str]:
    valid, cause, running = (beside.wire(beside.GOLD, output) for output in ("valid", "cause", "running"))
    if name == "iteration":
        yield f"(({valid} | (|{cause})) & {beside.differ(name)})"
    elif name.startswith(LEVEL_NAME):
        yield from (f"({running} & {one})" for one in _level_differences(name))
    else:
        yield beside.differ(name)


def _level_differences(name: str) -> Iterator[str]:
    for part in LEVEL.members:
        low, bits = LEVEL[part].offset, LEVEL[part].width
        differ = beside.differ(name, f"[{low + bits - 1}:{low}]")
        yield f"({beside.wire(beside.GOLD, name)}[0] & {differ})" if part in UNREAD else differ
