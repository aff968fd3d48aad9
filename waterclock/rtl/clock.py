"""Clock gating: a domain whose clock stands still while a signal says so."""

from amaranth.hdl import ClockDomain, ClockSignal, Instance, Module, ResetSignal, Value

from waterclock.rtl.parts import parts_of

NAME = "clock_gate"
SOURCE = f"""
module {NAME} (input clk, input stop, output gated);
  reg stopped;
  always @* if (!clk) stopped = stop;
  assign gated = clk & ~stopped;
endmodule
"""


def gate_clock(m: Module, platform: object, domain: str, stop: Value) -> None:
    """Make a clock domain that takes no edge at the end of a cycle in which `stop` is set.

    A latch holds `stop` while the clock is high, so that the gated clock has no edges but those of the clock.
    """
    parts_of(platform).add(NAME, SOURCE)
    m.domains += ClockDomain(domain, async_reset=True)
    m.submodules[f"clock_{domain}"] = Instance(NAME, i_clk=ClockSignal(), i_stop=stop, o_gated=ClockSignal(domain))
    m.d.comb += ResetSignal(domain).eq(ResetSignal())
