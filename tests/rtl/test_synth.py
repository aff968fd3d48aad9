"""Synthesis with a small library of our own: gates that do what the RTL does, counted along the hierarchy."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("amaranth", reason="the RTL needs the Python package amaranth")

from amaranth.hdl import Module, Mux
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from waterclock.chip import load
from waterclock.cli import main
from waterclock.errors import InputError, WaterclockError
from waterclock.isa.layout import word_bits
from waterclock.rtl import cells, vxm
from waterclock.rtl.cells import CellArray
from waterclock.rtl.core import BUILT, built_queues
from waterclock.rtl.lane import Lane
from waterclock.rtl.parts import place
from waterclock.rtl.ram import LookUpRam
from waterclock.rtl.streams import superlanes
from waterclock.rtl.synth import Synthesis, clock_rate, fpga, netlist, yosys
from waterclock.rtl.synth.between_registers import BetweenRegisters
from waterclock.rtl.synth.black_boxes import BlackBox
from waterclock.rtl.synth.clock_rate import ClockRate
from waterclock.rtl.synth.liberty import Library
from waterclock.rtl.synth.netlist import Netlist, netlist_of
from waterclock.rtl.synth.process import Job, num_processors, run_all
from waterclock.rtl.synth.units import FUNCTIONS, MNEMONICS_BY_ALU, SMALL, small, units

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
    """Three adders of one kind, one behind the other, and two memories."""

    def __init__(self) -> None:
        super().__init__({"a": In(4), "total": Out(4)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        value = self.a
        for number in range(3):
            adder = place(m, platform, f"adder_{number}", Adder)
            m.d.comb += [adder.a.eq(value), adder.b.eq(self.a)]
            value = adder.total
        m.submodules.memory_3 = memory = LookUpRam(4, 16, 1)
        m.submodules.tiles = tiles = CellArray(64, 100, 32, 8)
        m.d.comb += [memory.look_up[0].eq(value), tiles.read.eq(value[0])]
        m.d.comb += self.total.eq(Mux(value[1], memory.found[0], tiles.value[:4]))
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
    ("library(cut) { cell (DFF) { area : 1; ff (a, b) {", "is not whole: 3 braces have no partner"),
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
    own = {name: number for name, number in counted.cells_by_module["chip"].items() if name in AREA_BY_GATE}
    assert counted.of("chip").area == 3 * area + sum(AREA_BY_GATE[name] * number for name, number in own.items())


@needs_yosys
def test_memories_are_black_boxes_of_known_dimensions(counted: Netlist) -> None:
    assert counted.of("chip").black_boxes == {
        BlackBox("memory", "look_up_ram", 16, 4, num_read_ports=1, num_write_ports=1, bits_per_enable=4): 1,
        BlackBox("tiles", "cell_array", 100, 64, num_read_ports=1, num_write_ports=1, bits_per_enable=8,
                 registered=True): 1,
    }  # fmt: skip
    assert counted.units()["wiring"][1].black_boxes == counted.of("chip").black_boxes


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


def test_units_hold_every_instruction_of_every_slice() -> None:
    chip = small(load("tiny"))
    known = units(chip)
    assert known.keys() == {
        *(f"icu.{kind.value}" for kind in BUILT), *(kind.value for kind in BUILT), *FUNCTIONS, "params",
    }  # fmt: skip
    executed = [mnemonic for mnemonics in MNEMONICS_BY_ALU.values() for mnemonic in mnemonics]
    assert sorted(executed) == sorted(vxm.MNEMONICS)


@pytest.mark.slow
@pytest.mark.parametrize("unit", units(small(load("tiny"))))
def test_every_unit_becomes_verilog(unit: str) -> None:
    parts = fpga.OnFpga()
    text = parts.module_text(BetweenRegisters(units(small(load("tiny")))[unit]()), "alone")
    ports = text.partition("module alone(")[2].partition(")")[0]
    assert {port.strip() for port in ports.split(",")} == {"clk", "rst", "given", "seen"}
    assert "module clock_gate" not in parts.verilog or fpga.CLOCK_GATE in parts.verilog


def test_registers_around_a_component_give_and_fold_every_bit() -> None:
    """Against the same in Python: an inverting chain of 8 bits before the adder, and 4 bits folded behind it."""
    dut = BetweenRegisters(Adder())
    bits = random.Random(1).choices((0, 1), k=200)
    seen: list[int] = []

    async def drive(context) -> None:
        for bit in bits:
            context.set(dut.given, bit)
            await context.tick()
            seen.append(context.get(dut.seen))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    given = total = caught = folded = 0
    expected: list[int] = []
    for bit in bits:
        given, total, caught, folded = (
            ~(given << 1 | bit) & 0xFF, (given + (given >> 4)) & 0xF, total, (folded << 1 & 0xF) ^ caught,
        )  # fmt: skip
        expected.append(folded >> 3)
    assert seen == expected
    assert {0, 1} == set(seen)


@needs_yosys
def test_the_cells_of_an_fpga_do_what_the_chip_s_do(tmp_path: Path) -> None:
    """Proven by induction over time for a small array: 2 words of 2 parts of 2 pieces, equal cell by cell."""
    gold = cells.SOURCE.replace(f"module {cells.NAME}", "module gold")
    gate = fpga.CELL_ARRAY.replace(f"module {cells.NAME}", "module gate")
    parameters = "WIDTH 4 -set PART 2 -set PIECE 1 -set DEPTH 2 -set BITS 1 -set PLACE_BITS 1"
    (tmp_path / "both.v").write_text(gold + gate)
    run_all({"proof": yosys.job((
        "read_verilog both.v", f"chparam -set {parameters} gold gate", "proc", "memory", "opt",
        "equiv_make gold gate equiv", "prep -top equiv", "equiv_induct", "equiv_status -assert",
    ), tmp_path)})  # fmt: skip


@needs_placer
@pytest.mark.slow
def test_an_adder_is_placed_and_routed(tmp_path: Path) -> None:
    rate, again = clock_rate.measure({"adder": Adder(), "again": Adder()}, tmp_path)
    assert replace(again, unit="adder") == rate
    assert rate.used_by_resource["TRELLIS_FF"] == 8 + 4 + 4 + 4
    assert rate.used_by_resource["TRELLIS_IO"] == len(("clk", "rst", "given", "seen"))
    assert abs(1000 / rate.clock_mhz - rate.path_ns) < 0.01, "the tool rounds the clock, and each step of the path"
    assert 0 < rate.routing_ns < rate.path_ns
    verilog = (tmp_path / "unit_0" / f"{clock_rate.TOP}.v").read_text().splitlines()
    assert set(rate.lines) <= {line.strip() for line in verilog}


RATES = (
    ClockRate("icu.mem", 31.5, "sequencer.index[0]", "sequencer.index.DI", 14, 31.75, 20.0, [], {"TRELLIS_FF": 12}),
    ClockRate("mem", 87.25, "slice.opcode[5]", "slice.sram.WRE", 5, 11.46, 8.0, [], {"TRELLIS_FF": 40}),
)


def test_a_path_is_told_in_the_rtl_s_names() -> None:
    rate = replace(RATES[0], start="store.control.cells.0.4_DO_LUT4_Z_TRELLIS_FF_Q", end="level_0_TRELLIS_FF_Q_5")
    assert rate.way == "store.control.cells.0.4 > level_0"


@pytest.fixture
def made(counted: Netlist, monkeypatch: pytest.MonkeyPatch) -> Synthesis:
    monkeypatch.setattr("waterclock.rtl.synth.report.lane_counts", lambda one: {"vxm.add": one.of("adder_0")})
    return Synthesis(load("tiny"), counted, RATES)


@needs_yosys
def test_the_record_holds_what_the_picture_shows(made: Synthesis) -> None:
    record = json.loads(json.dumps(made.record()))
    assert record["total"]["area"] == made.netlist.of(netlist.TOP).area
    assert [unit["unit"] for unit in record["units"]] == list(made.netlist.units())
    texts = [text.text or "" for text in ElementTree.fromstring(made.svg()).iter("{http://www.w3.org/2000/svg}text")]
    for unit in record["units"]:
        assert any(text.startswith(f"{unit['area']:,.0f} (") for text in texts)
    assert {"31.50 MHz", "87.25 MHz"} <= set(texts)


@needs_yosys
def test_the_record_sizes_the_memories(made: Synthesis) -> None:
    boxes = made.record()["total"]["black_boxes"]
    assert [(box["name"], box["num_words"], box["bits_per_word"], box["num_placed"]) for box in boxes] == [
        ("memory", 16, 4, 1), ("tiles", 100, 64, 1),
    ]  # fmt: skip


@needs_yosys
def test_only_all_units_bound_the_clock(made: Synthesis) -> None:
    clock = made.record()["clock"]
    assert (clock["slowest_unit"], clock["clock_mhz"]) == ("icu.mem", None)
    assert [row[0] for row in made.clock_rows()] == ["icu.mem", "mem"]
    every = tuple(
        ClockRate(unit, 90 + place, "", "", 1, 1.0, 0.5, [], {}) for place, unit in enumerate(units(made.chip))
    )
    assert Synthesis(made.chip, made.netlist, every).record()["clock"]["clock_mhz"] == 90


@pytest.mark.parametrize(("stated", "name"), [
    ("", "area"), ('area_unit : "1um^2";', "area_um2"), ("area_unit : um2;", "area_um2"),
    ('area_unit : "gates";', "area"),
])  # fmt: skip
def test_an_area_is_in_um2_only_where_the_library_says_so(stated: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "own.lib"
    path.write_text(LIBERTY.replace("time_unit", f"{stated} time_unit"))
    assert Library.read(path).area_name == name


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["waterclock", "rtl", "synth", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return (ended.value.code, *capsys.readouterr())

    return run


@pytest.mark.parametrize(("arguments", "message"), [
    (("--liberty", "none.lib"), "none.lib: cannot read: No such file or directory"),
    (("--liberty", "."), ": cannot read: Is a directory"),
    (("--liberty", "empty.lib"), "empty.lib: no liberty file with flip-flops"),
    (("--liberty", "text.lib"), "text.lib: no liberty file with flip-flops"),
    (("--liberty", "own.lib", "--clock", "alu"), "--clock alu: no unit; name all or any of icu.mem, icu.vxm"),
    (("--liberty", "own.lib", "-o", "there"), "there: exists already"),
    (("--liberty", "own.lib", "-o", "none/there"), "there is no folder none"),
    (("--liberty", "own.lib", "--chip", "none"), "none"),
    ((), "Missing option '--liberty'"),
])  # fmt: skip
def test_wrong_input_is_one_line_and_exit_code_2(
    run, arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in {"own.lib": LIBERTY, "empty.lib": "", "text.lib": "no cells"}.items():
        Path(name).write_text(text)
    Path("there").mkdir()
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


@needs_yosys
@pytest.mark.slow
def test_a_whole_chip_becomes_a_record_and_a_picture(run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("own.lib").write_text(LIBERTY)
    chip = small(load("tiny"))
    changes = [part for field, value in SMALL.items() for part in ("--set", f"{field}={value}")]
    code, out, err = run("--liberty", "own.lib", *changes, "-o", "made", "--json")
    assert (code, err) == (0, "")
    assert Path("made/synth.json").read_text() == out
    assert Path("made/synth.svg").read_text().startswith("<svg")
    record = json.loads(out)
    assert record["chip"]["sha256"] == chip.sha256
    unit_by_name = {unit["unit"]: unit for unit in record["units"]}
    assert unit_by_name.keys() == {"alu", "holds", "icu", "mem", "mxm", "params", "streams", "sxm", "wiring"}
    assert record["total"]["num_cells"] == sum(unit["num_cells"] for unit in record["units"])
    assert unit_by_name["icu"]["num_placed"] == len(built_queues(chip))
    assert unit_by_name["alu"]["num_placed"] == chip.vxm.num_alus
    assert unit_by_name["streams"]["num_placed"] == chip.num_positions * len(superlanes(chip.lanes))
    (sram,) = (box for box in unit_by_name["mem"]["black_boxes"] if box["name"] == "sram")
    assert (sram["num_placed"], sram["num_words"], sram["bits_per_word"]) == (
        chip.num_mem, chip.mem.num_words, chip.lanes * 32,
    )  # fmt: skip
    boxes = (box for box in unit_by_name["mxm"]["black_boxes"] if box["num_words"])
    tiles = {box["name"]: box["num_placed"] * box["num_words"] for box in boxes}
    assert tiles == {"reram.bank": chip.mxm.num_reram_tiles, "sram.bank": chip.mxm.num_sram_tiles}
    words = [box for box in unit_by_name["icu"]["black_boxes"] if box["name"] == "store.words"]
    assert {box["num_words"] for box in words} == {chip.max_queue_entries}
    assert {box["bits_per_word"] for box in words} == {word_bits(queue.slice.kind) for queue in built_queues(chip)}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_tool_ends_with_its_children_if_we_do(number: signal.Signals, tmp_path: Path) -> None:
    """A shell waits for a child that holds a pipe open: when we are told to end, the pipe ends long before the child
    would have let it go. What a background shell has these tests ignore must not be inherited."""
    script = (
        "import signal, sys; from pathlib import Path; from waterclock.rtl.synth.process import Job, run_all\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))\n"
        "shell = ('sh', '-c', '(echo begun; sleep 300) > pipe & wait')\n"
        "run_all({'shell': Job('shell', shell, Path(sys.argv[1]))})"
    )
    os.mkfifo(tmp_path / "pipe")
    process = subprocess.Popen((sys.executable, "-c", script, tmp_path), stderr=subprocess.DEVNULL)
    with (tmp_path / "pipe").open() as pipe:
        assert pipe.readline() == "begun\n"
        time.sleep(0.5)
        begun = time.monotonic()
        process.send_signal(number)
        assert pipe.read() == ""
    assert process.wait() == {signal.SIGINT: -signal.SIGINT, signal.SIGTERM: 3}[number]
    assert time.monotonic() - begun < 200


def test_a_tool_that_fails_says_why_and_ends_the_others(tmp_path: Path) -> None:
    folders = tmp_path / "fails", tmp_path / "sleeps"
    for folder in folders:
        folder.mkdir()
    jobs = {
        "sleeps": Job("sleeper", ("sleep", "60"), folders[1]),
        "fails": Job("shell", ("sh", "-c", "echo ERROR: too small; echo more; exit 3"), folders[0]),
    }
    begun = time.monotonic()
    with pytest.raises(WaterclockError, match=r"^shell failed: ERROR: too small$"):
        run_all(jobs if num_processors() > 1 else {"fails": jobs["fails"]})
    assert time.monotonic() - begun < 60


@needs_yosys
def test_shares_make_no_difference(counted: Netlist, library: Library, tmp_path: Path) -> None:
    one = netlist_of({"chip": Chip()}, library, tmp_path, num_shares=1)
    assert one.cells_by_module == counted.cells_by_module
    (tmp_path / "three").mkdir()
    three = netlist_of({"chip": Chip()}, library, tmp_path / "three", num_shares=3)
    assert three.cells_by_module == counted.cells_by_module
