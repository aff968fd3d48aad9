"""`waterclock rtl run`: what is told of a run, what is drawn of it, and one line for each input that is wrong."""

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from waterclock.chip import Chip
from waterclock.rtl import tools
from waterclock.rtl.wave_picture import Group, Row, wave_svg
from waterclock.simulator.events import Kind

EXAMPLE = Path(__file__).parents[2] / "examples" / "add.asm"
A = ("--mem", "mem0:0=1.5,0.1,16777216.0,3e38,inf,-0.0,1.0,-2.5")
B = ("--mem", "mem3:0=2.25,0.2,1.0,3e38,-inf,-0.0,-1.0,2.5")
SUMS = ("3.75", "0.300000012", "16777216", "inf", "nan", "-0", "0", "0")
Write = Callable[[str], str]

pytestmark = [
    pytest.mark.rtl,
    pytest.mark.skipif(tools.missing_tools() is not None, reason=str(tools.missing_tools())),
]


@pytest.fixture
def program(tmp_path: Path) -> Write:
    """Writes a program and says where it is."""

    def write(text: str) -> str:
        path = tmp_path / "program.asm"
        path.write_text(text)
        return str(path)

    return write


def queue(name: str, *lines: str) -> str:
    return "\n".join((f"queue {name}:", "    icu.start", *(f"    {line}" for line in lines))) + "\n"


def test_the_example_is_told_change_by_change(run, tiny: Chip) -> None:
    code, out, err = run("rtl", "run", str(EXAMPLE), *A, *B, "--json")
    record = json.loads(out)
    assert (code, err) == (0, "")
    assert record["chip"]["sha256"] == tiny.sha256
    assert record["difference"] is None
    read, add, hops = tiny.latency.mem_read, tiny.latency.vxm_add, 2
    assert [(change["cycle"], change["place"], change["instruction"]) for change in record["changes"]] == [
        (read, "mem0, stream 0 flowing east", "mem.read32 word[0] -> s0e"),
        (read, "mem3, stream 4 flowing west", "mem.read32 word[0] -> s4w"),
        (read + hops + add, "vxm, stream 8 flowing east", "vxm.add s0e, s4w -> s8e"),
        (read + hops + add + hops, "mem3, word 1", "mem.write32 s8e, word[1]"),
    ]
    for change in record["changes"][2:]:
        assert (change["type"], tuple(change["numbers"])) == ("fp32", SUMS)
        expected = np.array([float(number) for number in SUMS], np.float32).view(np.uint32)
        assert [int(word, 16) for word in change["hexadecimal"]] == expected.tolist()


def test_rows_are_plain(run) -> None:
    code, out, err = run("rtl", "run", str(EXAMPLE), *A, *B)
    assert (code, err) == (0, "")
    assert " ".join(SUMS) in out
    assert "vxm.alu0: vxm.add s0e, s4w -> s8e" in out
    assert "RTL and stepper are equal in every bit and cycle" in out


def texts_of(path: Path) -> list[str]:
    return [element.text or "" for element in ElementTree.parse(path).iter() if element.tag.endswith("text")]


@pytest.mark.parametrize(("lane", "a", "b", "total"), [
    ("0", "3fc00000", "40100000", "40700000"), ("4", "7f800000", "ff800000", "7fc00000"),
])  # fmt: skip
def test_the_picture_shows_each_slice_that_a_result_passes(
    run, tiny: Chip, tmp_path: Path, lane: str, a: str, b: str, total: str
) -> None:
    picture = tmp_path / "wave.svg"
    assert run("rtl", "run", str(EXAMPLE), *A, *B, "--svg", str(picture), "--lane", lane)[0] == 0
    shown = texts_of(picture)
    x = {piece.name: piece.x for piece in tiny.slices}
    assert shown.count(a) == tiny.num_positions - x["mem0"]
    assert shown.count(b) == x["mem3"] + 1
    assert shown.count(total) == tiny.num_positions - x["vxm"] + 1  # once more where it is written
    assert {"read32", "add", "write32", "stream 8 flowing east", "mem3.written.data"} <= set(shown)


def test_files_are_the_same_bytes_each_time(run, tmp_path: Path) -> None:
    made: list[list[bytes]] = []
    for name in ("one", "two"):
        files = [tmp_path / f"{name}.{kind}" for kind in ("vcd", "svg")]
        code, _, _ = run("rtl", "run", str(EXAMPLE), *A, *B, "-o", str(files[0]), "--svg", str(files[1]))
        assert code == 0
        made.append([file.read_bytes() for file in files])
    assert made[0] == made[1]
    assert b"$enddefinitions" in made[0][0]


def test_the_waveform_has_the_sum_in_its_cycle(run, tmp_path: Path) -> None:
    """The four bytes of a word travel on four streams; lane 0 is lowest."""
    file = tmp_path / "wave.vcd"
    assert run("rtl", "run", str(EXAMPLE), *A, *B, "-o", str(file))[0] == 0
    values = changes_of(file.read_text())
    total = 0
    for plane in range(4):
        total |= (values[f"vxm.eastward.s{8 + plane}", 8] & 0xFF) << 8 * plane
        assert values.get((f"vxm.eastward.s{8 + plane}", 7), 0) == 0
    assert total == 0x40700000
    assert values["mem3.written.word", 10] == 1


def changes_of(text: str) -> dict[tuple[str, int], int]:
    """The values of a VCD file by signal and time, where they change."""
    header, _, body = text.partition("$enddefinitions $end")
    scopes: list[str] = []
    name_by_code: dict[str, str] = {}
    for words in map(str.split, header.splitlines()):
        if words[:1] == ["$scope"]:
            scopes.append(words[2])
        elif words[:1] == ["$upscope"]:
            scopes.pop()
        elif words[:1] == ["$var"]:
            name_by_code[words[3]] = ".".join((*scopes, words[4]))
    found: dict[tuple[str, int], int] = {}
    time = 0
    for line in body.splitlines():
        if line.startswith("#"):
            time = int(line[1:])
        elif line.startswith("b"):
            value, code = line[1:].split()
            found[name_by_code[code], time] = int(value, 2)
    return found


def test_holds_parameters_and_bytes(run, program: Write, tmp_path: Path) -> None:
    text = queue("vxm.alu0", "vxm.move p2+22 -> h1", "icu.nop n=3", "vxm.to_int8 0xc0a00000 -> s5w")
    text += queue("mxm0", "icu.nop n=11", "mxm.write_row s5w, tile[3], row[2]")
    picture = tmp_path / "wave.svg"
    code, out, err = run("rtl", "run", program(text), "--param", "p2=20", "--svg", str(picture))
    assert (code, err) == (0, "")
    assert "42 in every lane (int32)" in out
    assert out.count("-5 in every lane (int8)") == 2
    assert "mxm0, SRAM tile 3, row 2" in out
    shown = texts_of(picture)
    assert {"vxm.holds.h1", "0000002a", "mxm0.written.tile", "fb"} <= set(shown)


@pytest.mark.parametrize("seed", range(3))
def test_whole_programs_run_as_they_are_disassembled(
    run, program: Write, tiny: Chip, tmp_path: Path, seed: int
) -> None:
    from tests.programs import random_program
    from waterclock.isa.assembly import disassemble

    text, picture = disassemble(random_program(tiny, seed, num_parts=1).queues), tmp_path / "wave.svg"
    code, out, err = run("rtl", "run", program(text), "--json")
    record = json.loads(out)
    assert (code, err, record["difference"]) == (0, "", None)
    assert len(record["changes"]) > 30
    assert run("rtl", "run", program(text), "--cycles", "40", "--svg", str(picture))[0] == 0
    assert len(texts_of(picture)) > 100


def test_a_program_without_a_change_runs(run, program: Write, tmp_path: Path) -> None:
    picture = tmp_path / "wave.svg"
    code, out, err = run("rtl", "run", program(queue("sxm1", "icu.nop n=7")), "--svg", str(picture))
    assert (code, err) == (0, "")
    assert out.startswith("compared  0 changes and all that flows in 4 cycles")
    assert "3" in texts_of(picture)


def test_a_parameter_is_set_by_the_launch(run, program: Write, tmp_path: Path) -> None:
    text = queue("mem1", "mem.read32 word[7] -> s0e") + queue("vxm.alu0", "icu.nop n=3", "icu.set_param s0e, param=9")
    picture = tmp_path / "wave.svg"
    code, out, err = run("rtl", "run", program(text), "--mem", "mem1:7=-77", "--svg", str(picture))
    assert (code, err) == (0, "")
    assert "parameter 9" in out
    assert "params.p9" in texts_of(picture)


def test_fewer_cycles_show_less(run) -> None:
    code, out, _ = run("rtl", "run", str(EXAMPLE), "--cycles", "9", "--json")
    assert code == 0
    assert json.loads(out)["num_cycles"] == 9
    assert [change["cycle"] for change in json.loads(out)["changes"]] == [2, 2, 8]


def test_a_difference_is_told_and_the_files_are_written(run, tmp_path: Path, monkeypatch) -> None:
    from waterclock.runtime import rtl_run

    def changed(*arguments: object) -> object:
        *_, on_event = arguments
        return honest(*arguments[:-1], lambda event: None if event.kind is Kind.MEM else on_event(event))

    honest = rtl_run.step
    monkeypatch.setattr(rtl_run, "step", changed)
    picture = tmp_path / "wave.svg"
    code, out, err = run("rtl", "run", str(EXAMPLE), *A, *B, "--svg", str(picture))
    assert (code, err) == (1, "")
    assert "launch 0, cycle 10: mem3, word 1: expected nothing, got 0x00000000" in out
    assert "40700000" in texts_of(picture)


def test_a_register_that_loses_a_result_is_a_difference(tiny: Chip) -> None:
    """Not only the result in its first cycle counts, but the register of every slice that it passes."""
    from waterclock.rtl.flow import first_difference, flow
    from waterclock.simulator.events import Event

    value = np.arange(tiny.lanes, dtype="<i4").tobytes()
    result = Event(2, "mem0", 1, Kind.STREAM, (tiny.slice_by_name["mem0"].x, 1, 4), value)
    due = flow(tiny, [result], 6)
    held = np.zeros((6, 2, tiny.num_positions, tiny.num_streams, tiny.lanes), np.uint8)
    for cycle in range(2, 6):
        held[cycle, 0, tiny.slice_by_name["mem0"].x + cycle - 2, 4] = range(tiny.lanes)
    assert first_difference(due, held) is None
    held[4, 0, tiny.slice_by_name["vxm"].x, 4, 3] = 9
    assert str(first_difference(due, held)) == (
        "launch 0, cycle 4: vxm, stream 4 flowing east, lane 3: expected 0x03 of mem0, entry 1, got 0x09"
    )


@pytest.mark.parametrize(("text", "reason"), [
    ("", "holds no instruction"),
    ("# nothing\nqueue mem0:\n", "holds no instruction"),
    ("mem.read32 word[0] -> s0e\n", ":1:1: expected `queue NAME:` before the first instruction"),
    ("queue mem0:\n  icu.start\n  mem.reed32 word[0]\n", ":3:14: no instruction 'mem.reed32'"),
    ("queue mem0:\n  icu.start\n  mem.read32 word[0] s0e\n", ":3:22: expected end of line, found 's0e'"),
    (queue("mem9", "mem.read32 word[0] -> s0e"), ": mem9: chip tiny has no such queue"),
    (queue("mem0", "mem.read32 word[0] -> s2e"),
     ":3: mem0, entry 1: `mem.read32 word[0] -> s2e`: a 32-bit value takes streams from a multiple of 4 (cause field)"),
    ("queue mem0:\n  mem.read32 word[0] -> s0e\n",
     "`mem.read32 word[0] -> s0e`: icu.start must be the first entry, and no other (cause sequence)"),
    (queue("vxm.alu0", "# wait", "", "icu.nop n=4", "vxm.add s0e, s4w -> s8e"),
     ":6: cycle 4, vxm.alu0, entry 2: nothing has been written to stream 0 flowing east"),
    (queue("mem0", "mem.read32 word[512] -> s0e"), ":3: cycle 0, mem0, entry 1: word 512 is not in 0 to 511"),
    (queue("mem0", "icu.nop n=16777215"), ": mem0: takes 16,777,215 cycles; a run takes at most 1,000"),
    (queue("mem0", "icu.nop n=1", "icu.loop n=16777215, distance=1, body=1", "icu.loop n=9000000, distance=16777215, "
           "body=2"), "cycles; a run takes at most 1,000"),
])  # fmt: skip
def test_a_program_that_cannot_run_is_one_line(run, program: Write, text: str, reason: str) -> None:
    path = program(text)
    code, out, err = run("rtl", "run", path)
    assert (code, out) == (2, "")
    assert err.startswith(f"waterclock: {path}:")
    assert err.endswith(f"{reason}\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize(("options", "reason"), [
    (("--mem", "mem0=1"), "--mem mem0=1: must be SLICE:WORD=VALUE,VALUE,..., such as mem0:7=1.5,2"),
    (("--mem", "sxm0:0=1"), "--mem sxm0:0=1: tiny has no MEM slice sxm0; there are mem0, mem1, mem2, mem3"),
    (("--mem", "mem0:512=1"), "--mem mem0:512=1: word 512: there are 0 to 511"),
    (("--mem", "mem0:0=1,2,3,4,5,6,7,8,9"),
     "--mem mem0:0=1,2,3,4,5,6,7,8,9: 9 values, a word of tiny has 8 lanes"),
    (("--mem", "mem0:0=1_0"), "--mem mem0:0=1_0: '1_0' is no number; 1.5 is fp32, 15 int32, 0x3fc00000 bits"),
    (("--mem", "mem0:0=1,"), "--mem mem0:0=1,: '' is no number; 1.5 is fp32, 15 int32, 0x3fc00000 bits"),
    (("--mem", "mem0:0=1e39"), "--mem mem0:0=1e39: 1e39 is beyond fp32"),
    (("--mem", "mem0:0=2147483648"), "--mem mem0:0=2147483648: 2147483648 is no int32"),
    (("--mem", "mem0:0=1", "--mem", "mem0:0=2"), "--mem mem0:0=2: has been given before"),
    (("--param", "position=1"), "--param position=1: must be PARAM=VALUE, such as p2=5"),
    (("--param", "p16=1"), "--param p16=1: parameter 16: there are 0 to 15"),
    (("--lane", "8", "--svg", "x.svg"), "--lane 8: there are 0 to 7"),
    (("--cycles", "1001"), "--cycles 1001: a run takes at most 1,000"),
    (("--cycles", "101", "--svg", "wave.svg"), "--svg wave.svg: 101 cycles, at most 100 are drawn; add --cycles"),
    (("--svg", "no/wave.svg"), "no/wave.svg: cannot write: there is no folder"),
    (("--set", "lanes=9"), "lanes = 9: must be a power of two"),
])  # fmt: skip
def test_wrong_options_are_one_line(run, tmp_path: Path, monkeypatch, options: tuple[str, ...], reason: str) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run("rtl", "run", str(EXAMPLE), *options)
    assert (code, out) == (2, "")
    assert reason in err
    assert err.startswith("waterclock: ")
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_files_that_are_no_text_are_one_line(run, program: Write, tmp_path: Path) -> None:
    binary = tmp_path / "binary.asm"
    binary.write_bytes(b"queue mem0:\n\xff\xfe")
    twice = program(queue("mem0"))
    for arguments, reason in (
        ((str(tmp_path / "none.asm"),), f"{tmp_path}/none.asm: No such file or directory"),
        ((str(tmp_path),), f"{tmp_path}: Is a directory"),
        ((str(binary),), f"{binary}: not UTF-8 at byte 12"),
        ((twice, "-o", twice), f"{twice}: is named twice"),
    ):
        assert run("rtl", "run", *arguments) == (2, "", f"waterclock: {reason}\n")
    assert Path(twice).read_text() == queue("mem0")


def test_numbers_are_read_as_they_are_written() -> None:
    from waterclock.cli.rtl_given import number

    for text, bits in (
        ("1.5", 0x3FC00000), ("-1", 0xFFFFFFFF), ("15", 15), ("0xC0200000", 0xC0200000), (".5", 0x3F000000),
        ("1e3", 0x447A0000), ("-0.0", 0x80000000), ("NaN", 0x7FC00000), ("-inf", 0xFF800000), ("2.", 0x40000000),
        ("0.1", 0x3DCCCCCD),
    ):  # fmt: skip
        assert number(text) & 0xFFFFFFFF == bits, text


@pytest.mark.parametrize(("is_kept", "boxes"), [(True, ["ab", "cd"]), (False, ["ab", "ab", "cd"])])
def test_a_value_that_is_kept_is_one_box_and_names_are_escaped(is_kept: bool, boxes: list[str]) -> None:
    text = wave_svg("a < b", [Group("x & y", [Row("<s>", ["", "", "ab", "ab", "cd"], is_kept)])], 5)
    root = ElementTree.fromstring(text)
    shown = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert shown == ["a < b", *"01234", "clk", "x & y", "<s>", *boxes]
    assert sum(element.get("fill") == "#fdebd0" for element in root.iter()) == len(boxes)
