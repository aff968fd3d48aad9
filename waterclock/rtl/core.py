"""The core: the row of slices with their queues and the stream registers between them.

Slices that are not built yet (`BUILT` names those that are) let their streams pass and have no queue.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from amaranth.hdl import Const, DomainRenamer, Module, Mux, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from waterclock.chip import Chip, Queue, Slice, SliceKind
from waterclock.errors import InputError
from waterclock.isa.causes import Cause
from waterclock.isa.table import INSTRUCTIONS, Width
from waterclock.rtl import mem, mxm, sxm, vxm
from waterclock.rtl.clock import gate_clock
from waterclock.rtl.entry import any_of
from waterclock.rtl.icu import LEAD_CYCLES, Icu, trace_layout
from waterclock.rtl.load import LoadBus
from waterclock.rtl.params import Params, params_layout
from waterclock.rtl.parts import place
from waterclock.rtl.pipeline import registered
from waterclock.rtl.streams import BYTE_BITS, operand, place_streams, streams_layout
from waterclock.rtl.vxm import holds_layout

LAUNCH_CYCLES = 2 + LEAD_CYCLES
"""Cycles from the launch signal, which is registered first, to cycle 0 of the program."""


def reset_cycles(chip: Chip) -> int:
    """For how many cycles a reset is held: until what was under way has run out, for most registers are not cleared."""
    latencies = (row.latency(chip) for row in INSTRUCTIONS.values() if row.latency is not None)
    return LAUNCH_CYCLES + max(*latencies, chip.param_latency_cycles) + 1


@dataclass(frozen=True)
class Built:
    """A kind of slice that is built: its component, the instructions that it executes, those of each result port."""

    make: Callable[[Chip], wiring.Component]
    mnemonics: tuple[str, ...]
    mnemonics_by_port: Callable[[Chip], Sequence[Iterable[str]]]


BUILT: Mapping[SliceKind, Built] = MappingProxyType({
    SliceKind.MEM: Built(mem.Mem, mem.MNEMONICS, lambda chip: [mem.MNEMONICS]),
    SliceKind.VXM: Built(vxm.Vxm, vxm.MNEMONICS, vxm.mnemonics_by_port),
    SliceKind.SXM: Built(sxm.Sxm, sxm.MNEMONICS, lambda chip: [sxm.MNEMONICS]),
    SliceKind.MXM: Built(mxm.Mxm, mxm.MNEMONICS, lambda chip: [mxm.PRODUCTS, [mxm.READ_ROW]]),
})  # fmt: skip
"""The kinds of slice that are built."""
STORES_PER_SLICE = 2
LOADING = "loading"
"""The clock domain of the load bus: what looks at it stands still while nothing is loaded."""


def store_target(chip: Chip, piece: Slice) -> int:
    """The number of a slice's first store on the load bus; queues come before all stores, by their numbers."""
    return len(chip.queues) + STORES_PER_SLICE * piece.x


def params_target(chip: Chip) -> int:
    """The number of the launch parameters on the load bus; `waterclock.rtl.params` says what is where."""
    return len(chip.queues) + STORES_PER_SLICE * chip.num_positions


def built_queues(chip: Chip) -> tuple[Queue, ...]:
    """The queues of the slices that are built, by number."""
    return tuple(queue for queue in chip.queues if queue.slice.kind in BUILT)


def executed_by(chip: Chip, queue: Queue) -> tuple[str, ...]:
    """The instructions that the unit of a queue executes."""
    kind = queue.slice.kind
    return vxm.executed_by(chip, queue.index) if kind is SliceKind.VXM else BUILT[kind].mnemonics


def widths_by_port(chip: Chip, kind: SliceKind) -> tuple[frozenset[Width], ...]:
    """What may arrive from each result port of a kind of slice."""
    ports = BUILT[kind].mnemonics_by_port(chip)
    results = ([INSTRUCTIONS[mnemonic].result for mnemonic in port] for port in ports)
    return tuple(frozenset(result.width for result in port if result) for port in results)


def _row_members(chip: Chip) -> dict[str, wiring.Member]:
    streams = Out(streams_layout(chip.lanes, chip.num_streams)).array(chip.num_positions)
    return {
        "load": In(LoadBus()), "launch": In(1), "running": Out(1), "eastward": streams, "westward": streams,
        "holds": Out(holds_layout(chip)), "hold_arrives": Out(chip.vxm.num_holds),
        "words_written": Out(data.ArrayLayout(mem.written_layout(chip), chip.num_mem)),
        "rows_written": Out(data.ArrayLayout(mxm.written_layout(chip), chip.num_mxm)),
        "params": Out(params_layout(chip)), "param_arrives": Out(chip.num_params),
        "traces": Out(data.ArrayLayout(trace_layout(), len(built_queues(chip)))),
    }  # fmt: skip


def core_signature(chip: Chip) -> wiring.Signature:
    """The ports of a chip: loading, launching, and what every cycle holds.

    Hold n takes a new value at the end of a cycle in which `hold_arrives[n]` is set; in one in which `param_arrives[n]`
    is set, `params[n]` has its new value. InputError for a chip that can't be built.
    """
    if chip.lanes.bit_count() != 1:
        raise InputError(f"lanes = {chip.lanes}: the RTL needs a power of two")
    mxm.check(chip)
    return wiring.Signature({**_row_members(chip), "frozen": Out(1)})


class Row(wiring.Component):
    """Slices, queues, launch parameters and stream registers: all that stands still when the core is frozen."""

    def __init__(self, chip: Chip) -> None:
        self.chip, self.queues = chip, built_queues(chip)
        super().__init__(_row_members(chip))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        names = self.load.signature.members
        self.loading = registered(m, LOADING, {name: getattr(self.load, name) for name in names}, LOADING)
        gate_clock(m, platform, LOADING, ~(self.load.valid | self.loading["valid"]))
        queues = self._queues(m, platform)
        for piece in self.chip.slices:
            issues = [queues[queue.number].issue for queue in self.queues if queue.slice is piece]
            unit = self._unit(m, platform, piece, issues) if piece.kind in BUILT else None
            self._streams(m, platform, piece, unit)
        self._params(m, platform, queues)
        return m

    def _loads(self, m: Module, load: Any, first: int, num_stores: int) -> None:
        """Pass on what is for these stores on the load bus, numbered from 0."""
        now = self.loading
        hit = (now["target"] >= first) & (now["target"] < first + num_stores)
        m.d.comb += [load.valid.eq(now["valid"] & hit), load.target.eq(now["target"] - first)]
        m.d.comb += [getattr(load, name).eq(now[name]) for name in ("row", "column", "data")]

    def _queues(self, m: Module, platform: object) -> dict[int, Any]:
        """The ports of each queue, by queue number."""
        queues: dict[int, Any] = {}
        launch = registered(m, "host", {"launch": self.launch})["launch"]
        for queue in self.queues:
            kind, name = queue.slice.kind, f"icu_{queue.name.replace('.', '_')}"
            icu = place(m, platform, name, Icu, self.chip, kind, BUILT[kind].mnemonics, executed_by(self.chip, queue))
            self._loads(m, icu.load, queue.number, 1)
            m.d.comb += icu.launch.eq(launch)
            queues[queue.number] = icu
        m.d.comb += self.running.eq(any_of(icu.running for icu in queues.values()))
        return queues

    def _unit(self, m: Module, platform: object, piece: Slice, issues: list[Value]) -> Any:
        """What a slice does, but for its stream registers. The VXM, which has too many outputs to be a module, is made
        of modules."""
        if piece.kind is SliceKind.VXM:
            m.submodules[piece.name] = unit = vxm.Vxm(self.chip)
        else:
            unit = place(m, platform, piece.name, BUILT[piece.kind].make, self.chip)
        self._loads(m, unit.load, store_target(self.chip, piece), STORES_PER_SLICE)
        m.d.comb += [port.eq(issue) for port, issue in zip(unit.issues, issues, strict=True)]
        if piece.kind is SliceKind.VXM:
            m.d.comb += [self.holds.eq(unit.holds), self.hold_arrives.eq(unit.hold_arrives)]
        if piece.kind is SliceKind.MEM:
            m.d.comb += self.words_written[piece.index].eq(unit.written)
        if piece.kind is SliceKind.MXM:
            m.d.comb += self.rows_written[piece.index].eq(unit.written)
        return unit

    def _streams(self, m: Module, platform: object, piece: Slice, unit: Any | None) -> None:
        """The stream registers at a slice, between those of its neighbours; 0 comes from beyond the ends of the row."""
        x, last = piece.x, self.chip.num_positions - 1
        widths = widths_by_port(self.chip, piece.kind) if unit else ()
        from_west = self.eastward[x - 1].as_value() if x > 0 else Const(0)
        from_east = self.westward[x + 1].as_value() if x < last else Const(0)
        east, west = place_streams(m, platform, f"streams_{x}", self.chip, unit, widths, from_west, from_east)
        m.d.comb += [self.eastward[x].eq(east), self.westward[x].eq(west)]

    def _params(self, m: Module, platform: object, queues: Mapping[int, Any]) -> None:
        """The launch parameters, what queues set them to, and the traces: a value out of range is a cause."""
        params = place(m, platform, "params", Params, self.chip, len(self.queues))
        self._loads(m, params.load, params_target(self.chip), 1)
        m.d.comb += [self.params.eq(params.seen), self.param_arrives.eq(params.arrives)]
        for number, queue in enumerate(self.queues):
            icu, setting = queues[queue.number], params.settings[number]
            kind, index = icu.setting["a.kind"], icu.setting["a.index"]
            found = operand(m, f"set_{number}", *self._lane_0(queue.slice.x), kind, index)
            trace = self.traces[number]
            m.d.comb += [
                icu.params.eq(params.values), setting.valid.eq(icu.setting.valid), setting.param.eq(icu.setting.param),
                setting.value.eq(found), trace.eq(icu.trace),
                trace.cause.eq(Mux(params.faults[number], Cause.PARAM, icu.trace.cause)),
            ]  # fmt: skip

    def _lane_0(self, x: int) -> tuple[list[Value], list[Value]]:
        """The streams of lane 0 at a position, eastward and westward."""
        eastward, westward = ([stream[:BYTE_BITS] for stream in row[x]] for row in (self.eastward, self.westward))
        return eastward, westward


class Core(wiring.Component):
    """A chip: a `Row` whose clock stops, the cause in sight, in the cycle in which an illegal entry would issue.

    A reset of `reset_cycles` makes it as new, frozen or not: queues and parameters are empty, memories keep what they
    hold.
    """

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.row = Row(chip)
        super().__init__(core_signature(chip))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        row = self.row
        gate_clock(m, platform, "running", self.frozen)
        m.submodules.row = DomainRenamer({"sync": "running"})(row)
        ports = zip(row.signature.flatten(self), row.signature.flatten(row), strict=True)
        for (_, member, outside), (_, _, inside) in ports:
            m.d.comb += outside.eq(inside) if member.flow == wiring.Out else inside.eq(outside)
        m.d.comb += self.frozen.eq(any_of(row.traces[place].cause != 0 for place in range(len(row.queues))))
        return m
