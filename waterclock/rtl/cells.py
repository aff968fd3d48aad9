"""Memory cells as a module of their own: what is a macro on silicon, and quick to simulate. They hold 0 at first."""

from amaranth.hdl import ClockSignal, Instance, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from waterclock.rtl.parts import parts_of

NAME = "cell_array"
SOURCE = f"""
module {NAME} #(parameter WIDTH = 8, PART = 8, PIECE = 8, DEPTH = 1, BITS = 1, PLACE_BITS = 1) (
  input clk, input read, input [BITS-1:0] address, output reg [WIDTH-1:0] value,
  input [PART/PIECE-1:0] write, input [BITS-1:0] write_address, input [PLACE_BITS-1:0] place, input [PART-1:0] data
);
  reg [WIDTH-1:0] cells [0:DEPTH-1] /*verilator public_flat_rw*/;
  reg [WIDTH-1:0] merged;
  integer i;
  initial begin
    value = 0;
    for (i = 0; i < DEPTH; i = i + 1) cells[i] = 0;
  end
  always @(posedge clk) begin
    if (read) value <= cells[address];
    if (|write) begin
      merged = cells[write_address];
      for (i = 0; i < PART / PIECE; i = i + 1)
        if (write[i]) merged[place * PART + i * PIECE +: PIECE] = data[i * PIECE +: PIECE];
      cells[write_address] <= merged;
    end
  end
endmodule
"""


class CellArray(wiring.Component):
    """`depth` words of `width` bits with one read port, registered, and one write port.

    `read` makes `value` the word at `address` from the next cycle on, as it was in this one. A bit of `write` writes
    one piece of `piece` bits, of the part of `part` bits that `place` counts within the word at `write_address`.
    """

    def __init__(self, width: int, depth: int, part: int, piece: int) -> None:
        self.width, self.depth, self.part, self.piece = width, depth, part, piece
        self.address_bits = max(1, (depth - 1).bit_length())
        self.place_bits = max(1, (width // part - 1).bit_length())
        super().__init__({
            "read": In(1), "address": In(self.address_bits), "value": Out(width),
            "write": In(part // piece), "write_address": In(self.address_bits), "place": In(self.place_bits),
            "data": In(part),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        parts_of(platform).add(NAME, SOURCE)
        m.submodules.cells = Instance(
            NAME,
            p_WIDTH=self.width, p_PART=self.part, p_PIECE=self.piece, p_DEPTH=self.depth, p_BITS=self.address_bits,
            p_PLACE_BITS=self.place_bits,
            i_clk=ClockSignal(), i_read=self.read, i_address=self.address, o_value=self.value,
            i_write=self.write, i_write_address=self.write_address, i_place=self.place, i_data=self.data,
        )  # fmt: skip
        return m
