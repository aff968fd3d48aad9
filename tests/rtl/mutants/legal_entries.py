"""What a queue makes of entries on their way to their issue, if it is given legal ones only, as it is.

Two of these ways, one with a fault, are the same if they issue the same in the same cycles; nobody reads what comes out
in a cycle in which nothing issues.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from amaranth.back import verilog
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from tests.rtl.mutants import beside
from waterclock.chip import Chip, Queue
from waterclock.isa.layout import accepted, word_bits
from waterclock.isa.table import CONTROL
from waterclock.rtl.core import BUILT, built_queues, executed_by
from waterclock.rtl.icu import SET_PARAM, Icu, trace_layout
from waterclock.rtl.legality import cause_of
from waterclock.rtl.parts import Parts

LEAD = ".lead"
LEGALITY = "legality"


class Legality(wiring.Component):
    """Whether an entry is one that a queue refuses."""

    def __init__(self, chip: Chip, queue: Queue) -> None:
        self.chip, self.queue = chip, queue
        super().__init__({"word": In(word_bits(queue.slice.kind)), "illegal": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        mnemonics = (row.mnemonic for row in accepted(self.queue.slice.kind))
        executed = {*CONTROL, SET_PARAM, *executed_by(self.chip, self.queue)}
        m.d.comb += self.illegal.eq(cause_of(m, self.word, self.chip, mnemonics, executed) != 0)
        return m


def write(chip: Chip, parts: Parts, folder: Path) -> None:
    """For each lead: a file of Verilog that says which entries its queue refuses."""
    for queue in built_queues(chip):
        kind = queue.slice.kind
        part = parts.part(Icu, (chip, kind, BUILT[kind].mnemonics, executed_by(chip, queue)))
        text = verilog.convert(Legality(chip, queue), LEGALITY, emit_src=False)
        legality_of(f"{part.module}{LEAD}", folder).write_text(text)


def legality_of(module: str, folder: Path) -> Path:
    """Where that is said for a module; no such file if it is no lead."""
    return folder / f"{module}.{LEGALITY}.v"


def around(netlist: str, module: str) -> str:
    """Verilog around two leads of a netlist in RTLIL: `trigger` says that they issue something else."""
    ports = beside.ports_of(beside.text_of(netlist, module))
    given_legal_ones = (
        "  wire illegal;",
        f"  {LEGALITY} {LEGALITY}_itself (.word(word), .illegal(illegal));",
        "  always @* assume (~(valid & illegal));",
    )
    return beside.verilog(ports["input"], ports["output"], _differences(ports["output"]), given_legal_ones)


def _differences(outputs: Iterable[str]) -> Iterator[str]:
    """Something else, or in another cycle. The lowest bit of each output says whether it counts; a cause does too."""
    cause = trace_layout()["cause"]
    place = f"[{cause.offset + cause.width - 1}:{cause.offset}]"
    yield beside.differ("trace", place)
    yield f"((|{beside.wire(beside.GOLD, 'trace')}{place}) & {beside.differ('trace')})"
    for name in outputs:
        yield beside.differ(name, "[0]")
        yield f"({beside.wire(beside.GOLD, name)}[0] & {beside.differ(name)})"
