"""Logic of a chip in gates and flip-flops, by the units that synthesis reports.

What a unit takes grows with what drives it: an ALU with its lanes, an MXM with the square of them for products and
with the lanes for accumulators. The factors are constants, quotients of the project's own synthesis reports.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from waterclock.chip import SliceKind
from waterclock.silicon.constants import Constants
from waterclock.silicon.fields import BYTE, DIRECTIONS, WORD, Fields
from waterclock.silicon.figure import Figure, total


@dataclass(frozen=True, eq=False)
class Logic:
    """Gates and flip-flops of all units of one kind."""

    gates: Figure
    flipflops: Figure


Driver = Callable[[Fields], Figure]


def _alu_lanes(f: Fields) -> Figure:
    return f["vxm.num_alus"] * f["lanes"]


def _special_lanes(f: Fields) -> Figure:
    return f["vxm.num_special"] * f["lanes"]


def _halvings(f: Fields) -> Figure:
    return f["vxm.num_reduce"] * f["lanes"] * f.log2_lanes


def _hold_reads(f: Fields) -> Figure:
    return f["vxm.num_holds"] * f["lanes"] * WORD * f["vxm.num_alus"]


def _hold_bits(f: Fields) -> Figure:
    return f["vxm.num_holds"] * f["lanes"] * WORD


def _products(f: Fields) -> Figure:
    return f.count(SliceKind.MXM) * f["lanes"] * f["lanes"]


def _lanes_of(kind: SliceKind) -> Driver:
    return lambda f: f.count(kind) * f["lanes"]


def _crosspoints(f: Fields) -> Figure:
    return f.count(SliceKind.SXM) * f["lanes"] * f["lanes"]


def _settings(f: Fields) -> Figure:
    return f["num_params"] * f.num_queues


def stream_bits(f: Fields) -> Figure:
    """The stream registers at one slice."""
    return f["lanes"] * f["num_streams"] * DIRECTIONS * BYTE


def _stream_bits(f: Fields) -> Figure:
    return f.num_positions * stream_bits(f)


TERMS: Mapping[str, tuple[tuple[str, Driver], ...]] = MappingProxyType({
    "alu": (("alu_lane", _alu_lanes), ("special_lane", _special_lanes), ("halving_lane", _halvings)),
    "holds": (("hold_read", _hold_reads), ("hold_bit", _hold_bits)),
    "icu": (("queue", lambda f: f.num_queues),),
    "mem": (("mem_lane", _lanes_of(SliceKind.MEM)),),
    "mxm": (("product", _products), ("accumulator_lane", _lanes_of(SliceKind.MXM))),
    "params": (("setting", _settings),),
    "streams": (("stream_bit", _stream_bits),),
    "sxm": (("crosspoint", _crosspoints), ("sxm_lane", _lanes_of(SliceKind.SXM))),
})  # fmt: skip
"""What each unit of a synthesis report takes: constants by name, each times what drives it."""


def logic_by_unit(fields: Fields, constants: Constants) -> Mapping[str, Logic]:
    """All units of a chip."""
    return MappingProxyType({unit: _logic(unit, fields, constants) for unit in TERMS})


def _logic(unit: str, fields: Fields, constants: Constants) -> Logic:
    gates = total([driver(fields) * constants[f"gates.{name}"] for name, driver in TERMS[unit]])
    flipflops = total([driver(fields) * constants[f"flipflops.{name}"] for name, driver in TERMS[unit]])
    return Logic(
        gates.named(f"logic.{unit}", "kgate", f"logic of {unit}, all on the chip"),
        flipflops.named(f"registers.{unit}", "kflipflop", f"flip-flops of {unit}, all on the chip"),
    )
