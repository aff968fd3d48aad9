"""The core: the row of slices with their queues and the stream registers between them.

Slices that are not built yet (`BUILT` names those that are) let their streams pass and have no queue.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from amaranth.hdl import EnableInserter, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from waterclock.chip import Chip, Queue, Slice, SliceKind
from waterclock.rtl import mem, mxm, vxm
from waterclock.rtl.entry import any_of
from waterclock.rtl.icu import LEAD_CYCLES, Icu, trace_layout
from waterclock.rtl.load import LoadBus
from waterclock.rtl.streams import Streams, streams_layout

LAUNCH_CYCLES = 1 + LEAD_CYCLES
"""Cycles from the launch signal to cycle 0 of the program."""
BUILT: Mapping[SliceKind, tuple[Callable[[Chip, int], wiring.Component], tuple[str, ...]]] = MappingProxyType({
    SliceKind.MEM: (mem.Mem, mem.MNEMONICS),
    SliceKind.VXM: (vxm.Vxm, vxm.MNEMONICS),
    SliceKind.MXM: (mxm.Mxm, mxm.MNEMONICS),
})  # fmt: skip
"""Each kind of slice that is built, and the instructions that it executes."""
STORES_PER_SLICE = 2


def store_target(chip: Chip, piece: Slice) -> int:
    """The number of a slice's first store on the load bus; queues come before all stores, by their numbers."""
    return len(chip.queues) + STORES_PER_SLICE * piece.x


def built_queues(chip: Chip) -> tuple[Queue, ...]:
    """The queues of the slices that are built, by number."""
    return tuple(queue for queue in chip.queues if queue.slice.kind in BUILT)


def _row_members(chip: Chip) -> dict[str, wiring.Member]:
    streams = data.ArrayLayout(streams_layout(chip), chip.num_positions)
    return {
        "load": In(LoadBus()), "launch": In(1),
        "params": In(data.ArrayLayout(signed(32), chip.num_params)),
        "eastward": Out(streams), "westward": Out(streams), "running": Out(1),
        "traces": Out(data.ArrayLayout(trace_layout(), len(built_queues(chip)))),
    }  # fmt: skip


def core_signature(chip: Chip) -> wiring.Signature:
    """The ports of a chip: loading, launching, and what every cycle holds."""
    return wiring.Signature({**_row_members(chip), "frozen": Out(1)})


class Row(wiring.Component):
    """Slices, queues and stream registers, all of which stand still when the core is frozen."""

    def __init__(self, chip: Chip) -> None:
        self.chip, self.queues = chip, built_queues(chip)
        super().__init__(_row_members(chip))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        issues = self._queues(m)
        positions: list[Streams] = []
        for piece in self.chip.slices:
            positions.append(self._position(m, piece, [issues[q.number] for q in self.queues if q.slice is piece]))
        for x, here in enumerate(positions):
            m.d.comb += [self.eastward[x].eq(here.eastward), self.westward[x].eq(here.westward)]
            if x > 0:
                m.d.comb += here.from_west.eq(positions[x - 1].eastward)
                m.d.comb += positions[x - 1].from_east.eq(here.westward)
        return m

    def _queues(self, m: Module) -> dict[int, data.View]:
        """The issue of each queue in this cycle, by queue number."""
        queues: dict[int, Icu] = {}
        for place, queue in enumerate(self.queues):
            _, mnemonics = BUILT[queue.slice.kind]
            icu = queues[queue.number] = Icu(self.chip, queue.slice.kind, mnemonics, queue.number)
            m.submodules[f"icu_{queue.name.replace('.', '_')}"] = icu
            wiring.connect(m, wiring.flipped(self.load), icu.load)
            m.d.comb += [icu.launch.eq(self.launch), icu.params.eq(self.params), self.traces[place].eq(icu.trace)]
        m.d.comb += self.running.eq(any_of(icu.running for icu in queues.values()))
        return {number: icu.issue for number, icu in queues.items()}

    def _position(self, m: Module, piece: Slice, issues: list[data.View]) -> Streams:
        """One slice, if it is built, and the stream registers at its x."""
        if piece.kind not in BUILT:
            m.submodules[f"streams_{piece.x}"] = here = Streams(self.chip, 0)
            return here
        component, _ = BUILT[piece.kind]
        m.submodules[piece.name] = unit = component(self.chip, store_target(self.chip, piece))
        m.submodules[f"streams_{piece.x}"] = here = Streams(self.chip, unit.num_results)
        wiring.connect(m, wiring.flipped(self.load), unit.load)
        m.d.comb += [unit.issues[place].eq(issue) for place, issue in enumerate(issues)]
        m.d.comb += [unit.eastward.eq(here.eastward), unit.westward.eq(here.westward)]
        m.d.comb += [here.arrivals[place].eq(unit.arrivals[place]) for place in range(unit.num_results)]
        return here


class Core(wiring.Component):
    """A chip: a `Row` that freezes, with the cause, in the cycle in which an illegal entry would issue."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.row = Row(chip)
        super().__init__(core_signature(chip))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        halt, row = Signal(), self.row
        m.submodules.row = EnableInserter({"sync": ~halt})(row)
        for name in ("launch", "params"):
            m.d.comb += getattr(row, name).eq(getattr(self, name))
        wiring.connect(m, wiring.flipped(self.load), row.load)
        for name in ("eastward", "westward", "running", "traces"):
            m.d.comb += getattr(self, name).eq(getattr(row, name))
        faults = (row.traces[place].cause != 0 for place in range(len(row.queues)))
        m.d.comb += [halt.eq(any_of(faults)), self.frozen.eq(halt)]
        return m
