"""Synthesis with a small library of our own: gates that do what the RTL does, counted along the hierarchy."""

import json
from pathlib import Path

import pytest

pytest.importorskip("amaranth", reason="the RTL needs the Python package amaranth")

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from waterclock.chip import load
from waterclock.errors import InputError
from waterclock.rtl.parts import place
from waterclock.rtl.ram import LookUpRam
from waterclock.rtl.synth import Synthesis, clock_rate, netlist, yosys
from waterclock.rtl.synth.liberty import Library
from waterclock.rtl.synth.netlist import Netlist, netlist_of
from waterclock.rtl.vxm import Lane

FUNCTION_BY_GATE = {"BUF": "A", "INV": "!A", "NAND2": "!(A & B)", "NOR2": "!(A + B)", "XOR2": "A ^ B"}
AREA_BY_GATE = {"BUF": 2, "INV": 1, "NAND2": 2, "NOR2": 2, "XOR2": 3}
FLIP_FLOP_AREA = 5
CLEAR_BY_FLIP_FLOP = {"DFF": "", "DFFR": 'clear : "R";'}
DELAYS = ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
HEADER = """library(own) {
  /* cell (REMARK) { area : 9; } */
  time_unit : "1ns"; capacitive_load_unit (1, pf);
  lu_table_template(delay) {
    variable_1 : total_output_net_capacitance; variable_2 : input_net_transition;
    index_1 ("0.1, 1"); index_2 ("0.1, 1");
  }
"""


def gate(name: str) -> str:
    """A gate with the same delay whatever its load."""
    pins = [pin for pin in "AB" if pin in FUNCTION_BY_GATE[name]]
    table = "".join(f'{delay}(delay) {{ values ("1, 1", "1, 1"); }} ' for delay in DELAYS)
    timing = "".join(f'timing() {{ related_pin : "{pin}"; {table} }}' for pin in pins)
    inputs = "".join(f"pin({pin}) {{ direction : input; capacitance : 0.01; }} " for pin in pins)
    output = f'pin(Y) {{ direction : output; max_capacitance : 1; function : "{FUNCTION_BY_GATE[name]}"; {timing} }}'
    return f'  cell ("{name}") {{ area : {AREA_BY_GATE[name]}; {inputs} {output} }}\n'


def flip_flop(name: str) -> str:
    clear = CLEAR_BY_FLIP_FLOP[name]
    pins = "".join(f"pin({pin}) {{ direction : input; }} " for pin in ("C", "D", *("R" if clear else "")))
    state = f'ff (IQ, IQN) {{ clocked_on : "C"; next_state : "D"; {clear} }}'
    output = 'pin(Q) { direction : output; function : "IQ"; }'
    return f"  cell ({name}) {{ area : {FLIP_FLOP_AREA}; {state} {pins} {output} }}\n"


LIBERTY = f"{HEADER}{''.join(map(gate, FUNCTION_BY_GATE))}{''.join(map(flip_flop, CLEAR_BY_FLIP_FLOP))}}}\n"
needs_yosys = pytest.mark.skipif(yosys.missing_tools() is not None, reason=str(yosys.missing_tools()))
needs_placer = pytest.mark.skipif(clock_rate.missing_tools() is not None, reason=str(clock_rate.missing_tools()))


class Adder(wiring.Component):
    """A sum, one cycle later."""

    def __init__(self) -> None:
        super().__init__({"a": In(4), "b": In(4), "total": Out(4)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.total.eq(self.a + self.b)
        return m


class Chip(wiring.Component):
    """Three adders of one kind, one behind the other, and a memory."""

    def __init__(self) -> None:
        super().__init__({"a": In(4), "total": Out(4)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        value = self.a
        for number in range(3):
            adder = place(m, platform, f"adder_{number}", Adder)
            m.d.comb += [adder.a.eq(value), adder.b.eq(self.a)]
            value = adder.total
        m.submodules.memory = memory = LookUpRam(4, 16, 1)
        m.d.comb += [memory.look_up[0].eq(value), self.total.eq(memory.found[0])]
        return m


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    path = tmp_path_factory.mktemp("synth") / "own.lib"
    path.write_text(LIBERTY)
    return Library.read(path)


@pytest.fixture(scope="module")
def counted(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Netlist:
    return netlist_of({"chip": Chip()}, library, tmp_path_factory.mktemp("gates"))


def test_a_library_is_read(library: Library) -> None:
    assert dict(library.area_by_cell) == {**AREA_BY_GATE, "DFF": FLIP_FLOP_AREA, "DFFR": FLIP_FLOP_AREA}
    assert library.flip_flops == {"DFF", "DFFR"}


@pytest.mark.parametrize(("text", "reason"), [
    ("library(none) { }", "no liberty file with flip-flops"),
    ("cell (INV) { area : 1; }", "no liberty file with flip-flops"),
])  # fmt: skip
def test_a_file_without_cells_is_refused(text: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.lib"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"bad.lib: {reason}"):
        Library.read(path)
    with pytest.raises(InputError, match=r"none.lib: cannot read"):
        Library.read(tmp_path / "none.lib")


@needs_yosys
def test_units_are_counted_as_often_as_they_are_placed(counted: Netlist) -> None:
    units = counted.units()
    one = counted.of("adder_0")
    placed, adders = units["adder"]
    assert placed == 3
    assert (adders.num_cells, adders.area) == (3 * one.num_cells, 3 * one.area)
    assert one.num_flip_flops == 4
    assert adders.black_boxes == {}


@needs_yosys
def test_area_is_that_of_the_cells(counted: Netlist) -> None:
    cells = counted.cells_by_module["adder_0"]
    gates = {name: number for name, number in cells.items() if name in AREA_BY_GATE}
    area = sum(AREA_BY_GATE[name] * number for name, number in gates.items()) + 4 * FLIP_FLOP_AREA
    assert gates
    assert counted.of("adder_0").area == area
    assert counted.of("chip").area == 3 * area


@needs_yosys
def test_memories_are_black_boxes(counted: Netlist) -> None:
    assert counted.of("chip").black_boxes == {"look_up_ram": 1}


@needs_yosys
def test_a_lane_is_gates_only(library: Library, tmp_path: Path) -> None:
    lane = netlist_of({"chip": Lane(("vxm.iadd",), 1)}, library, tmp_path)
    count = lane.of("chip")
    assert count.num_cells > 100
    assert count.num_flip_flops == 0


@needs_yosys
def test_a_cell_that_the_library_lacks_is_named(counted: Netlist) -> None:
    lacking = Netlist({"chip": {"XOR9": 1}}, counted.library, {})
    with pytest.raises(InputError, match=r"own.lib: no cell to make XOR9 of"):
        lacking.of("chip")


@needs_placer
@pytest.mark.slow
def test_a_lane_is_placed_and_routed(tmp_path: Path) -> None:
    rate = clock_rate.measure(load("tiny"), "vxm.iadd", tmp_path)
    assert rate.clock_mhz > 10
    assert rate.used_by_resource["TRELLIS_FF"] >= 64


@needs_yosys
def test_the_record_holds_what_the_picture_shows(counted: Netlist, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("waterclock.rtl.synth.report.lane_counts", lambda one: {"vxm.add": one.of("adder_0")})
    made = Synthesis(load("tiny"), counted, ())
    record = json.loads(json.dumps(made.record()))
    assert record["total"]["area"] == counted.of(netlist.TOP).area
    assert [unit["unit"] for unit in record["units"]] == list(counted.units())
    for unit in record["units"]:
        assert f">{unit['area']:,.0f}<" in made.svg()
