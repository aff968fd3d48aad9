"""Assembly text: every mnemonic there and back, and wrong text refused by line and column."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.isa.strategies import legal_queues, legal_records
from waterclock.chip import Chip, list_chips, load
from waterclock.isa.assembly import (
    AssemblyError,
    assemble,
    disassemble,
    instruction_text,
    instruction_texts,
    lines_by_queue,
)
from waterclock.isa.document import PATH, render
from waterclock.isa.encoding import decode_queue, encode_queue
from waterclock.isa.layout import queue_kind
from waterclock.isa.table import INSTRUCTIONS
from waterclock.isa.validate import check_records

CHIP = load("demonstrator")
few = settings(max_examples=10, deadline=None, derandomize=True)

CANONICAL = """\
queue mem3:
    icu.start
    mem.read8 byte[401 + 4*r] -> s3e
    mem.read32 word[100 + 2*r + -38*l1 + 1*((p2+0{l1:1})>>6&255) + -2*((p0-1)>>0&-1)] -> s4w discard
    mem.write_lane s4e, word[7], lane[0 + 1*((p1+0)>>0&63)]

queue vxm.alu0:
    icu.start
    vxm.mul s4e, h2^32 -> s8ew h3
    vxm.add s4w, 0x3f800000 -> h1 discard  # 1
    vxm.mul s4w, 0xbe99999a -> h1  # -0.300000012
    vxm.and s4w, 0x0000ffff -> h1
    vxm.iadd s0e, p2+5{r:1,l1:2} -> s4e
    vxm.iadd s0e, p2-5 -> s4e
    vxm.lane_index -> h0
    vxm.butterfly s4e, mask=32 -> s4e
    icu.repeat n=3, distance=4
    icu.set_param s4w, param=1
    icu.nop n=9
    icu.loop n=30, distance=1000, body=57

queue mxm0:
    mxm.matvec s12e, tile[40 + 1*r], acc=2
    mxm.matvec s12e, tile[40 + 1*l3], acc=2, first, emit, sram -> s8w
    mxm.read_row tile[4], row[3], sram -> s1e
"""


def test_text_survives() -> None:
    assert disassemble(assemble(CANONICAL)) == CANONICAL


def test_what_the_text_means() -> None:
    row = assemble("queue vxm.alu0: # comment\n\n vxm.iadd h1^2 ,p2-5{l2:-7}->s4ew h0 ; more")["vxm.alu0"][0]
    assert row["op"] == INSTRUCTIONS["vxm.iadd"].opcode
    assert row["a"].tolist() == (3, 1, 2)
    assert row["b"].tolist() == (5, 2, 0)
    assert (row["scalar"], row["scalar_step"].tolist()) == (-5, [0, 0, -7, 0])
    assert row["result"].tolist() == (4, 3, 1, 0)


def test_a_large_immediate_keeps_its_bits() -> None:
    row = assemble("queue vxm.alu0:\nvxm.move 0xffffffff -> h0")["vxm.alu0"]
    assert row["scalar"][0] == -1
    assert instruction_text(row) == "vxm.move 0xffffffff -> h0"


@pytest.mark.parametrize("mnemonic", INSTRUCTIONS)
@few
@given(data=st.data(), chip=st.sampled_from([load(name) for name in list_chips()]))
def test_records_survive(mnemonic: str, data: st.DataObject, chip: Chip) -> None:
    record = data.draw(legal_records(chip, mnemonic))
    text = disassemble({"mem0": record})
    assert assemble(text)["mem0"].tobytes() == record.tobytes()
    assert disassemble(assemble(text)) == text


@pytest.mark.parametrize("name", list_chips())
@settings(max_examples=25, deadline=None, derandomize=True)
@given(data=st.data())
def test_queues_survive_as_text_and_words(name: str, data: st.DataObject) -> None:
    chip = load(name)
    queue = data.draw(st.sampled_from(chip.queues))
    records = data.draw(legal_queues(chip, queue))
    check_records({queue.name: records}, chip)
    assert len(instruction_texts(records)) == len(records)
    assert assemble(disassemble({queue.name: records}))[queue.name].tobytes() == records.tobytes()
    kind = queue_kind(queue.name)
    assert kind is queue.slice.kind
    assert decode_queue(encode_queue(records, kind), kind).tobytes() == records.tobytes()


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("vxm.nope", 9, "no instruction 'vxm.nope'"),
        ("VXM.ADD", 1, "expected an instruction, found 'VXM.ADD'"),
        ("vxm.mul s4e h2 -> s4e", 13, "expected a comma, found 'h2 -> s4e'"),
        ("vxm.mul s4e", 12, "expected a comma, found 'end of line'"),
        ("vxm.mul s4e, ", 13, "expected a stream, hold, immediate or parameter"),
        ("vxm.mul s4e, h2 ->", 19, "expected where the result goes"),
        ("vxm.mul s4e, h2 -> s4e h1 extra", 27, "expected end of line, found 'extra'"),
        ("vxm.add 0x1, 0x2 -> h1", 18, "scalar is 1 and 2: an instruction has only one"),
        ("vxm.add s4e, p2 -> h1", 14, "expected a stream, hold, immediate or parameter"),
        ("vxm.add s4e, s300w -> h1", 20, "b.index = 300 must be 0 to 255"),
        ("vxm.move s4e^3 -> h1", 16, "a.xor = 3 must be 0 or a power of two"),
        ("vxm.butterfly s4e, mask=0 -> h1", 27, "mask = 0 must be a power of two"),
        ("mem.read32 word[1] -> s4e h1", 29, "mem.read32 has no result.hold"),
        ("mem.read8 word[1] -> s4e", 11, "expected byte[, found 'word[1] -> s4e'"),
        ("mem.read32 word[1 + 2*r -> s4e", 25, "expected another stride"),
        ("mem.read32 word[99999999] -> s4e", 25, "address.base = 99999999 must be -8388608 to 8388607"),
        ("mem.write32 h2, word[1]", 13, "expected a stream (s4e or s4w), found 'h2, word[1]'"),
        ("mxm.matvec s4e, tile[1], acc=4", 31, "acc = 4 must be 0 to 3"),
        ("mxm.matvec s4e, tile[1], acc=3, emit, first -> s4e", 37, "expected end of line, found ', first -> s4e'"),
        ("icu.nop n=0", 12, "n = 0 must be 1 to 16777215"),
        ("icu.nop 5", 9, "expected n=, found '5'"),
        ("queue vxm.alu0:", 16, "queue vxm.alu0 has been described before"),
    ],
)
def test_wrong_text_is_refused(line: str, column: int, message: str) -> None:
    with pytest.raises(AssemblyError) as refused:
        assemble(f"queue vxm.alu0:\n# comment\n{line}", "my.s")
    text = str(refused.value)
    assert text.startswith(f"my.s:3:{column}: {message}")
    assert "\n" not in text


def test_an_instruction_needs_a_queue() -> None:
    with pytest.raises(AssemblyError, match="source:1:3: expected `queue NAME:` before"):
        assemble("  icu.start", "source")


def test_the_reference_page_is_what_the_table_renders() -> None:
    page = Path(__file__).parents[2] / PATH
    assert page.read_text() == render(CHIP), "run python -m waterclock.isa.document"
    assert all(f"### `{mnemonic}`" in page.read_text() for mnemonic in INSTRUCTIONS)


def test_entries_stand_in_lines() -> None:
    text = "# head\nqueue mem0:\n\n  icu.start\n  ; none\n  icu.nop n=2\nqueue mem1:\nqueue mem2: # two\nicu.start\n"
    assert lines_by_queue(text) == {"mem0": [4, 6], "mem1": [], "mem2": [9]}
    assert {name: len(rows) for name, rows in assemble(text).items()} == {"mem0": 2, "mem1": 0, "mem2": 1}
