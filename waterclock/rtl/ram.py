"""Memories as modules of their own: what is a macro on silicon, and quick to simulate. They hold 0 at first."""

from amaranth.hdl import ClockSignal, Instance, Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from waterclock.rtl.parts import parts_of

NAME = "look_up_ram"
SOURCE = f"""
module {NAME} #(parameter WIDTH = 1, DEPTH = 1, BITS = 1, PORTS = 1) (
  input clk, input enable, input [BITS-1:0] address, input [WIDTH-1:0] data,
  input [PORTS*BITS-1:0] look_up, output [PORTS*WIDTH-1:0] found
);
  reg [WIDTH-1:0] cells [0:DEPTH-1];
  integer i;
  initial for (i = 0; i < DEPTH; i = i + 1) cells[i] = 0;
  always @(posedge clk) if (enable) cells[address] <= data;
  genvar port;
  generate for (port = 0; port < PORTS; port = port + 1) begin : ports
    assign found[port*WIDTH +: WIDTH] = cells[look_up[port*BITS +: BITS]];
  end endgenerate
endmodule
"""


class LookUpRam(wiring.Component):
    """`depth` words of `width` bits: one port writes, `num_ports` read in the same cycle."""

    def __init__(self, width: int, depth: int, num_ports: int) -> None:
        self.width, self.depth, self.num_ports = width, depth, num_ports
        bits = max(1, (depth - 1).bit_length())
        super().__init__({
            "enable": In(1), "address": In(bits), "data": In(width),
            "look_up": In(data.ArrayLayout(bits, num_ports)), "found": Out(data.ArrayLayout(width, num_ports)),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        parts_of(platform).add(NAME, SOURCE)
        m.submodules.cells = Instance(
            NAME,
            p_WIDTH=self.width, p_DEPTH=self.depth, p_BITS=len(self.address), p_PORTS=self.num_ports,
            i_clk=ClockSignal(), i_enable=self.enable, i_address=self.address, i_data=self.data,
            i_look_up=self.look_up, o_found=self.found,
        )  # fmt: skip
        return m
