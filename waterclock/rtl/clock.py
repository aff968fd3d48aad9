"""Clock gating: a domain whose clock stands still while a signal says so."""

from amaranth.hdl import ClockDomain, ClockSignal, DomainRenamer, Instance, Module, ResetSignal, Value

from waterclock.rtl.entry import any_of
from waterclock.rtl.parts import parts_of
from waterclock.rtl.pipeline import delays

ACTIVE = "active"
"""The clock domain of what stands still while there is nothing under way in it."""

DATAPATH = "datapath"
"""How a slice names what stands behind its clock gate."""
NAME = "clock_gate"
SOURCE = f"""
module {NAME} (input clk, input stop, output gated);
  reg stopped /*verilator public_flat_rd*/;
  always @* if (!clk) stopped = stop;
  assign gated = clk & ~stopped;
endmodule
"""


def gate_clock(m: Module, platform: object, domain: str, stop: Value) -> None:
    """Make a clock domain that takes no edge at the end of a cycle in which `stop` is set, but for cycles of a reset.

    A latch holds `stop` while the clock is high, so that the gated clock has no edges but those of the clock.
    """
    parts_of(platform).add(NAME, SOURCE)
    m.domains += ClockDomain(domain, async_reset=True)
    m.submodules[f"clock_{domain}"] = Instance(
        NAME, i_clk=ClockSignal(), i_stop=stop & ~ResetSignal(), o_gated=ClockSignal(domain)
    )
    m.d.comb += ResetSignal(domain).eq(ResetSignal())


def place_while_active(m: Module, platform: object, name: str, inner: Module, begins: Value, num_cycles: int) -> None:
    """Place a module whose clock takes edges in a cycle in which something begins and in the `num_cycles` after it.

    What begins must have left the module by then, valid bits included.
    """
    under_way = delays(m, "under_way", {"any": begins}, num_cycles)
    gate_clock(m, platform, ACTIVE, ~any_of(stage["any"] for stage in under_way))
    m.submodules[name] = DomainRenamer(ACTIVE)(inner)
