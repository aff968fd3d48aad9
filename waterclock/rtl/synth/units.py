"""The units of a small configuration of a chip, each of which fits an FPGA: what is cut apart only at registers.

An issue leaves its queue from a register, and a slice meets its neighbours at stream registers. So a queue is a unit,
and a slice with the stream registers that it drives is one. All the multipliers of the VXM's functions are too many for
one FPGA: `vxm` is an ALU of all other instructions, and each function is an ALU by itself.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from waterclock.chip import Chip, SliceKind
from waterclock.isa.table import INSTRUCTIONS, Width
from waterclock.rtl import special, vxm
from waterclock.rtl.core import BUILT, built_queues, executed_by, widths_by_port
from waterclock.rtl.entry import any_of, issue_layout
from waterclock.rtl.icu import SET_PARAM, Icu
from waterclock.rtl.load import LoadBus
from waterclock.rtl.params import SETTING, Params, params_layout
from waterclock.rtl.pipeline import latency_of
from waterclock.rtl.streams import operand, place_streams, streams_layout

SMALL: Final[Mapping[str, int]] = MappingProxyType({
    "lanes": 4, "num_streams": 8, "num_params": 2, "max_queue_entries": 64,
    "layout.num_mxm_west": 0, "layout.num_mxm_east": 1, "layout.num_mem_west": 1, "layout.num_mem_east": 1,
    "mem.num_words": 32, "vxm.num_alus": 1, "vxm.num_special": 1, "vxm.num_reduce": 1, "vxm.num_holds": 2,
    "mxm.num_reram_tiles": 16, "mxm.num_sram_tiles": 8,
})  # fmt: skip
"""What a chip is changed in to be small: one slice of each kind but for MEM and SXM, memories that an FPGA has."""
FUNCTIONS = tuple(special.DATAPATHS)
MNEMONICS_BY_ALU: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({
    SliceKind.VXM.value: tuple(name for name in vxm.MNEMONICS if name not in FUNCTIONS),
    **{mnemonic: (mnemonic,) for mnemonic in FUNCTIONS},
})  # fmt: skip
"""What the ALUs that are measured execute, by the unit's name."""


def small(chip: Chip) -> Chip:
    """A small configuration of a chip: its latencies, few lanes, streams and slices."""
    return chip.with_fields(SMALL)


def on_streams_members(chip: Chip, issues: wiring.Member) -> dict[str, wiring.Member]:
    """The ports of a slice that has these issues, with its stream registers."""
    streams = streams_layout(chip.lanes, chip.num_streams)
    return {
        "load": In(LoadBus()), "issues": issues, "from_west": In(streams), "from_east": In(streams),
        "eastward": Out(streams), "westward": Out(streams),
    }  # fmt: skip


class OnStreams(wiring.Component):
    """A slice with the stream registers that it drives. `widths` says what each of its result ports may bring."""

    def __init__(self, chip: Chip, piece: wiring.Component, widths: tuple[frozenset[Width], ...]) -> None:
        self.chip, self.piece, self.widths = chip, piece, widths
        super().__init__(on_streams_members(chip, piece.signature.members["issues"]))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        piece: Any = self.piece
        own: Any = self
        m.submodules.slice = piece
        wiring.connect(m, wiring.flipped(own.load), piece.load)
        around = (own.from_west.as_value(), own.from_east.as_value())
        eastward, westward = place_streams(m, platform, "streams", self.chip, piece, self.widths, *around)
        m.d.comb += [own.eastward.eq(eastward), own.westward.eq(westward)]
        m.d.comb += [port.eq(issue) for port, issue in zip(piece.issues, own.issues, strict=True)]
        return m


class Settings(wiring.Component):
    """The launch parameters with what each queue sets them to, off the streams at its slice, and who would freeze."""

    def __init__(self, chip: Chip) -> None:
        self.chip, self.num_queues = chip, len(built_queues(chip))
        super().__init__({
            "load": In(LoadBus()), "settings": In(issue_layout((SET_PARAM,))).array(self.num_queues),
            "eastward": In(streams_layout(1, chip.num_streams)).array(self.num_queues),
            "westward": In(streams_layout(1, chip.num_streams)).array(self.num_queues),
            "values": Out(params_layout(chip)), "frozen": Out(1),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        own: Any = self
        m.submodules.params = params = Params(self.chip, self.num_queues)
        wiring.connect(m, wiring.flipped(own.load), params.load)
        for number, (issue, setting) in enumerate(zip(own.settings, params.settings, strict=True)):
            kind, index = issue["a.kind"], issue["a.index"]
            streams = own.eastward[number], own.westward[number]
            found = operand(m, f"set_{number}", *streams, kind, index)
            value_by_field = {"valid": issue.valid, "param": issue.param, "value": found}
            m.d.comb += [setting[name].eq(value_by_field[name]) for name in SETTING.members]
        m.d.comb += [own.values.eq(params.values), own.frozen.eq(any_of(params.faults))]
        return m


def units(chip: Chip) -> Mapping[str, Callable[[], wiring.Component]]:
    """How to make each unit of a chip, by name."""
    return {
        **{f"icu.{kind.value}": partial(_queue, chip, kind) for kind in BUILT},
        **{kind.value: partial(_slice, chip, kind) for kind in BUILT if kind is not SliceKind.VXM},
        **{unit: partial(_alu, chip, mnemonics) for unit, mnemonics in MNEMONICS_BY_ALU.items()},
        "params": partial(Settings, chip),
    }


def _queue(chip: Chip, kind: SliceKind) -> Icu:
    queue = next(queue for queue in built_queues(chip) if queue.slice.kind is kind)
    return Icu(chip, kind, BUILT[kind].mnemonics, executed_by(chip, queue))


def _slice(chip: Chip, kind: SliceKind) -> OnStreams:
    return OnStreams(chip, BUILT[kind].make(chip), widths_by_port(chip, kind))


def _alu(chip: Chip, mnemonics: tuple[str, ...]) -> OnStreams:
    widths_by_latency: dict[int, set[Width]] = {}
    for mnemonic in mnemonics:
        result = INSTRUCTIONS[mnemonic].result
        widths_by_latency.setdefault(latency_of(mnemonic, chip), set()).update([result.width] if result else [])
    return OnStreams(chip, vxm.Vxm(chip, (mnemonics,)), tuple(map(frozenset, widths_by_latency.values())))
