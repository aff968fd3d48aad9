"""What the chip's macros are on an FPGA, so that paths through them are measured too."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from waterclock.rtl import cells, clock
from waterclock.rtl.parts import Parts

CLOCK_GATE = f"""
module {clock.NAME} (input clk, input stop, output gated);
  (* keep *) reg stopped;
  always @(posedge clk) stopped <= stop;
  assign gated = clk;
endmodule
"""
"""One clock for all: the gate is a register that has to catch what would have stopped it, in the same cycle."""
CELL_ARRAY = f"""
module {cells.NAME} #(parameter WIDTH = 8, PART = 8, PIECE = 8, DEPTH = 1, BITS = 1, PLACE_BITS = 1) (
  input clk, input read, input [BITS-1:0] address, output reg [WIDTH-1:0] value,
  input [PART/PIECE-1:0] write, input [BITS-1:0] write_address, input [PLACE_BITS-1:0] place, input [PART-1:0] data
);
  reg [WIDTH-1:0] cells [0:DEPTH-1];
  integer part, i;
  always @(posedge clk) begin
    if (read) value <= cells[address];
    for (part = 0; part < WIDTH / PART; part = part + 1)
      for (i = 0; i < PART / PIECE; i = i + 1)
        if (write[i] && place == part)
          cells[write_address][part*PART + i*PIECE +: PIECE] <= data[i*PIECE +: PIECE];
  end
endmodule
"""
"""The same cells with an enable for each piece, which is what an FPGA's memories have."""
SOURCES: Final[Mapping[str, str]] = MappingProxyType({clock.NAME: CLOCK_GATE, cells.NAME: CELL_ARRAY})


class OnFpga(Parts):
    """Parts whose macros are those of an FPGA; look-up memories are as they are."""

    def add(self, name: str, source: str) -> None:
        super().add(name, SOURCES.get(name, source))
