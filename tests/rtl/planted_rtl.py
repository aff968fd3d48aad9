"""Twenty bugs of the RTL: each replaces one function or one method."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Value

from tests.rtl.planting import Chosen, RtlBug, either
from waterclock.isa.record import Direction
from waterclock.isa.table import Width
from waterclock.rtl import convert, icu, lane, mem, mxm, params, streams, sxm, vxm
from waterclock.rtl.entry import is_opcode
from waterclock.rtl.float_word import sign
from waterclock.rtl.fp32 import SIGNIFICAND_BITS
from waterclock.rtl.pipeline import Values, registered
from waterclock.rtl.streams import WORD_BITS, plane

Function = Callable[..., Any]
Change = Callable[[Values, Values], Values]
"""From what goes into a step and what comes out of it to what comes out instead, as far as it differs."""


def in_step(table: str, mnemonic: str, number: int, change: Change) -> RtlBug:
    """A step of a lane's datapath gives something else."""

    def wrong(right: Mapping[str, Any], chosen: Chosen) -> Mapping[str, Any]:
        steps = list(right[mnemonic])
        proper = steps[number]

        def step(m: Module, values: Values) -> Values:
            out = proper(m, values)
            return either(chosen(m), change(values, out), out)

        steps[number] = step
        return MappingProxyType({**right, mnemonic: tuple(steps)})

    return RtlBug(lane, table, wrong)


def later(name: str) -> Callable[[Function, Chosen], Function]:
    """What `delay` makes of values whose name begins so arrives a cycle late."""

    def wrong(right: Function, chosen: Chosen) -> Function:
        def delay(m: Module, named: str, values: Values, cycles: int, domain: str = "sync") -> Values:
            on_time = right(m, named, values, cycles, domain)
            if not named.startswith(name):
                return on_time
            return either(chosen(m), registered(m, f"too_{named}", on_time, domain), on_time)

        return delay

    return wrong


def bank_forgotten_early(right: Function, chosen: Chosen) -> Function:
    """The bank of an access is known a cycle too short: another access in the meantime takes its place."""

    def delay(m: Module, name: str, values: Values, cycles: int, domain: str = "sync") -> Values:
        on_time = right(m, name, values, cycles, domain)
        if name != "chosen" or cycles < 2:
            return on_time
        return either(chosen(m), right(m, "forgotten", values, cycles - 1, domain), on_time)

    return delay


def short_conversion(right: Function, chosen: Chosen) -> Function:
    """int32 to fp32 has one register too few."""

    def chain(m: Module, name: str, steps: Any, cycles: int, values: Values) -> Values:
        on_time = right(m, name, steps, cycles, values)
        if steps[-1] is not convert.round_integer:
            return on_time
        return either(chosen(m), right(m, "short", steps, cycles - 1, values), on_time)

    return chain


def straight(right: Function, chosen: Chosen) -> Function:
    """No lane takes another's value."""
    return lambda m, name, value, code: Mux(chosen(m), value, right(m, name, value, code))


def hold_or_stream(right: Function, chosen: Chosen) -> Function:
    """A result that leaves on a stream does not go to its hold, which stays as it was."""

    def hold(self: Any, m: Module, platform: object, arrivals: list[Any], to_hold: list[Value]) -> None:
        pairs = zip(arrivals, to_hold, strict=True)
        codes = [Mux(chosen(m) & arrival.direction.any(), 0, code) for arrival, code in pairs]
        right(self, m, platform, arrivals, codes)

    return hold


def west_is_lost(right: Function, chosen: Chosen) -> Function:
    """A result for both directions leaves east alone."""

    def arrive(self: Any, m: Module, arrival: Any, widths: Any, word: Value, flowing: Any) -> None:
        is_west = Value.cast(flowing).name.endswith(str(Direction.WEST.name))
        with m.If(~(chosen(m) & is_west & (arrival.direction == Direction.BOTH))):
            right(self, m, arrival, widths, word, flowing)

    return arrive


def first_of_four(right: Function, chosen: Chosen) -> Function:
    """A byte is read from the first of the four streams that a word would take."""

    def write(self: Any, m: Module, datapath: mem.Write, value: Value) -> None:
        first = plane(self.found[0]["a"], 0)
        right(self, m, datapath, Mux(chosen(m), first, value) if datapath.width is Width.BYTE else value)

    return write


def never_cleared(right: Function, chosen: Chosen) -> Function:
    def accumulate(self: Any, m: Module, along: Values, totals: list[Value]) -> None:
        right(self, m, {**along, "first": along["first"] & ~chosen(m)}, totals)

    return accumulate


def not_transposed(right: Function, chosen: Chosen) -> Function:
    def met(self: Any, m: Module, tile: Value, sensed: Values) -> Value:
        turned = right(self, m, tile, sensed)
        return Mux(chosen(m) & is_opcode(sensed["opcode"], "mxm.matvec_t"), tile, turned)

    return met


def always_signed(right: Function, chosen: Chosen) -> Function:
    return lambda m, values: right(m, {**values, "unsigned": values["unsigned"] & ~chosen(m)})


def row_is_late(right: Function, chosen: Chosen) -> Function:
    def write_row(self: Any, m: Module, row: Values) -> None:
        right(self, m, either(chosen(m), registered(m, "late_row", row), row))

    return write_row


def whole_word(right: Function, chosen: Chosen) -> Function:
    """A byte is written to all four bytes of its word."""

    def write(self: Any, m: Module, datapath: mem.Write, value: Value) -> None:
        right(self, m, datapath, value)
        if datapath.width is Width.BYTE:
            with m.If(chosen(m)):
                m.d.comb += self.written.enables.eq(~0)

    return write


def loop_stands_still(right: Function, chosen: Chosen) -> Function:
    """Strides and steps take no notice of the innermost loop."""

    def resolve(m: Module, fields: Values, iteration: list[Value], given: Any) -> Values:
        repeat, loop, *others = iteration
        return right(m, fields, [repeat, Mux(chosen(m), 0, loop), *others], given)

    return resolve


def short_first_round(right: Function, chosen: Chosen) -> Function:
    """The cycle in which the body of a loop begins is counted twice."""

    def entered(self: Any, m: Module, levels: Any) -> Any:
        inside, crowded = right(self, m, levels)
        return [replace(level, elapsed=level.elapsed | (self.fresh & chosen(m))) for level in inside], crowded

    return entered


def other_way(right: Function, chosen: Chosen) -> Function:
    """Lanes move by the negative of an amount."""

    def fetch(m: Module, name: str, values: Values) -> Values:
        amount = values["address"]
        return right(m, name, {**values, "address": Mux(chosen(m), -amount, amount)[: len(amount)].as_signed()})

    return fetch


def sticky_lost(values: Values, out: Values) -> Values:
    """What lies below the half of the last place counts for nothing."""
    low = WORD_BITS - SIGNIFICAND_BITS
    return {"number": Cat(Const(0, low), out["number"][low:])}


RTL_BUGS: Mapping[str, RtlBug] = MappingProxyType({
    "a word read arrives a cycle late": RtlBug(mem, "delay", later("late")),
    "write8 takes the whole word": RtlBug(mem.Mem, "_write", whole_word),
    "a byte comes from the wrong stream": RtlBug(mem.Mem, "_write", first_of_four),
    "a conversion is a cycle too quick": RtlBug(lane, "chain", short_conversion),
    "to_fp32 takes more than a half for a tie": in_step("DATAPATHS", "vxm.to_fp32", 0, sticky_lost),
    "a product has the sign of a": in_step("DATAPATHS", "vxm.mul", 0, lambda values, out: {"sign": sign(values["a"])}),
    "to_int8 gives 0 for what no int32 can hold": in_step(
        "DATAPATHS", "vxm.to_int8", 0, lambda values, out: {"nan": out["nan"] | out["huge"]}
    ),
    "a reduction takes no notice of segments": in_step(
        "HALVINGS", "vxm.reduce_add", -1, lambda values, out: {"result": values["combined"]}
    ),
    "lane-xor reads straight": RtlBug(vxm, "crossed", straight),
    "a hold stays stale where a result leaves as well": RtlBug(vxm.Vxm, "_hold", hold_or_stream),
    "a westward result is lost": RtlBug(streams.Streams, "_arrive", west_is_lost),
    "an accumulator is not cleared": RtlBug(mxm.Mxm, "_accumulate", never_cleared),
    "matvec_t takes the tile as it is": RtlBug(mxm.Mxm, "_met", not_transposed),
    "bytes are always signed": RtlBug(mxm, "multiply", always_signed),
    "the tile of another bank is taken": RtlBug(mxm, "delay", bank_forgotten_early),
    "a row is written a cycle late": RtlBug(mxm.Mxm, "_write_row", row_is_late),
    "the strides of a loop are lost": RtlBug(icu, "resolve", loop_stands_still),
    "the first round of a loop is a cycle short": RtlBug(icu.Sequencer, "_entered", short_first_round),
    "a parameter arrives a cycle late": RtlBug(params, "delay", later("queue_")),
    "lanes rotate the other way": RtlBug(sxm, "registered", other_way),
})  # fmt: skip
