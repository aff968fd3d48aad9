"""Launch parameters: written by the host between launches, and by `icu.set_param`, each with its declared range.

On the load bus a row is a parameter; its columns are the lowest and the highest value that may be set, and the value.
"""

from amaranth.hdl import Module, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from waterclock.chip import Chip
from waterclock.errors import InputError
from waterclock.rtl.address import ADDRESS_CYCLES
from waterclock.rtl.load import WORD_BITS, LoadBus
from waterclock.rtl.pipeline import Values, delay, registered

LOW, HIGH, VALUE = range(3)
"""Columns on the load bus."""
INDEX_BITS = 6


def params_layout(chip: Chip) -> data.ArrayLayout:
    """All launch parameters."""
    return data.ArrayLayout(signed(WORD_BITS), chip.num_params)


SETTING = data.StructLayout({"valid": 1, "param": INDEX_BITS, "value": signed(WORD_BITS)})
"""An issue of `icu.set_param`, with the value that it found."""


class Params(wiring.Component):
    """The parameters as queues see them `ADDRESS_CYCLES` before an issue (`values`) and as an issue sees them (`seen`).

    `faults` says which queue sets a value outside the declared range; no value may be set where none was declared.
    """

    def __init__(self, chip: Chip, num_queues: int) -> None:
        self.chip, self.num_queues = chip, num_queues
        self.way_cycles = chip.param_latency_cycles - ADDRESS_CYCLES - 1
        if self.way_cycles < 0:
            least = ADDRESS_CYCLES + 1
            raise InputError(f"param_latency_cycles = {chip.param_latency_cycles}: the RTL needs at least {least}")
        super().__init__({
            "load": In(LoadBus()),
            "settings": In(SETTING).array(num_queues),
            "faults": Out(num_queues),
            "values": Out(params_layout(chip)),
            "seen": Out(params_layout(chip)),
            "arrives": Out(chip.num_params),
        })  # fmt: skip

    def elaborate(self, platform: object) -> Module:
        m = Module()
        low = Signal(params_layout(self.chip), init=[1] * self.chip.num_params)
        high = Signal(params_layout(self.chip))
        with m.If(self.load.valid), m.Switch(self.load.column):
            for column, registers in ((LOW, low), (HIGH, high), (VALUE, self.values)):
                with m.Case(column):
                    m.d.sync += registers[self.load.row].eq(self.load.data)
        arrives = Signal(self.chip.num_params)
        for number, setting in enumerate(self.settings):
            in_range = (setting.value >= low[setting.param]) & (setting.value <= high[setting.param])
            m.d.comb += self.faults[number].eq(setting.valid & ~in_range)
            fields = {name: setting[name] for name in SETTING.members}
            self._arrive(m, delay(m, f"queue_{number}", fields, self.way_cycles), arrives)
        late = delay(m, "seen", {"arrives": registered(m, "arrived", {"arrives": arrives})["arrives"],
                                 "values": self.values.as_value()}, ADDRESS_CYCLES)  # fmt: skip
        m.d.comb += [self.seen.eq(late["values"]), self.arrives.eq(late["arrives"])]
        return m

    def _arrive(self, m: Module, setting: Values, arrives: Value) -> None:
        with m.If(setting["valid"]), m.Switch(setting["param"]):
            for index in range(self.chip.num_params):
                with m.Case(index):
                    m.d.sync += self.values[index].eq(setting["value"])
                    m.d.comb += arrives[index].eq(1)
