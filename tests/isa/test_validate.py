"""Static legality: each rule refuses what breaks it, naming queue, entry and instruction."""

import pytest

from tests.programs import random_program
from waterclock.chip import Chip, load
from waterclock.errors import InputError
from waterclock.isa.assembly import assemble
from waterclock.isa.causes import Cause, IllegalEntry
from waterclock.isa.program import empty_instructions
from waterclock.isa.validate import check_records, num_cycles
from waterclock.simulator.sequencer import issues

TINY = load("tiny")  # 8 lanes, 32 streams, 4 ALUs (0 special, 3 reduces), 4 holds, 16 parameters


def check(text: str, chip: Chip = TINY) -> None:
    check_records(assemble(text), chip)


@pytest.mark.parametrize(
    ("queue", "line", "rule"),
    [
        ("vxm.alu1", "vxm.move s32e -> h1", "the chip has 32 streams"),
        ("vxm.alu1", "vxm.move s5e -> h1", "a 32-bit value takes streams from a multiple of 4"),
        ("vxm.alu1", "vxm.move h4 -> h1", "the chip has 4 holds"),
        ("vxm.alu1", "vxm.move p16+0 -> h1", "the chip has 16 parameters"),
        ("vxm.alu1", "vxm.move s4e^8 -> h1", "lane-xor leaves the 8 lanes"),
        ("vxm.alu1", "vxm.move s4e -> h4", "the chip has 4 holds"),
        ("vxm.alu1", "vxm.move s4e -> s6e", "a 32-bit value takes streams from a multiple of 4"),
        ("vxm.alu1", "vxm.move s4e -> s32w", "the chip has 32 streams"),
        ("vxm.alu1", "vxm.move s4e", "the result must go to a stream or a hold"),
        ("vxm.alu1", "vxm.move s4e -> discard", "the result must go to a stream or a hold"),
        ("vxm.alu1", "vxm.to_int8 s4e -> s32w", "the chip has 32 streams"),
        ("vxm.alu1", "vxm.to_int8 s4e -> s3w h1", "a byte result goes to a stream, not to a hold"),
        ("vxm.alu1", "vxm.widen8 h1 -> s4w", "a byte operand comes from a stream"),
        ("vxm.alu1", "vxm.add 0x00000001, 0x00000001 -> h1", "only one operand may be an immediate or a parameter"),
        ("vxm.alu1", "vxm.add p1+3, p2+3 -> h1", "only one operand may be an immediate or a parameter"),
        ("vxm.alu1", "vxm.butterfly s4e, mask=8 -> h1", "mask leaves the 8 lanes"),
        ("vxm.alu1", "vxm.exp2 s4e -> h1", "runs only on ALUs 0 to 0"),
        ("vxm.alu1", "vxm.reduce_add s4e, segment=8 -> h1", "runs only on ALUs 3 to 3"),
        ("vxm.alu3", "vxm.reduce_add s4e, segment=16 -> h1", "segments do not divide 8 lanes"),
        ("mem0", "mem.read32 word[1 + 1*((p16+0)>>0&1)] -> s4e", "the chip has 16 parameters"),
        ("mem0", "mem.read32 word[1]", "the result must go to a stream or a hold"),
        ("mem0", "icu.set_param s4e, param=16", "the chip has 16 parameters"),
        ("mxm0", "mxm.matvec s4e, tile[1], acc=0, emit", "what is emitted must go to a stream"),
        ("mxm0", "mxm.matvec s4e, tile[1], acc=0 -> s4e", "there is a result only with emit"),
        ("mxm0", "mxm.matvec s4e, tile[1], acc=0 -> discard", "there is a result only with emit"),
    ],
)
def test_fields_against_the_chip(queue: str, line: str, rule: str) -> None:
    with pytest.raises(IllegalEntry) as refused:
        check(f"queue {queue}:\nicu.start\nicu.nop n=1\n{line}")
    assert str(refused.value) == f"{queue}, entry 2: `{line}`: {rule} (cause field)"
    assert refused.value.cause is Cause.FIELD


def test_accumulators_that_a_smaller_chip_lacks() -> None:
    text = "queue mxm0:\nicu.start\nmxm.matvec s4e, tile[1], acc=3"
    check(text)
    with pytest.raises(IllegalEntry, match="the chip has 2"):
        check(text, TINY.with_fields({"mxm.num_accumulators": 2}))


def test_limits_themselves_are_legal() -> None:
    check("""
        queue vxm.alu0:
            icu.start
            vxm.exp2 s28w^4 -> s28ew h3 discard
            vxm.butterfly h3, mask=4 -> h0
            vxm.to_int8 s28e -> s31w
            vxm.widen8 s31w -> s28e
            vxm.iadd p15+0, h0 -> h1
        queue vxm.alu3:
            icu.start
            vxm.reduce_max s0e, segment=8 -> s0w
        queue mxm1:
            icu.start
            mxm.matvec s31w, tile[255], acc=3, first, emit, unsigned -> s28e
            icu.set_param s28w, param=15
    """)


INSTRUCTION = "mem.read32 word[1] -> s4e"


@pytest.mark.parametrize(
    ("lines", "entry", "rule"),
    [
        ([INSTRUCTION], 0, "icu.start must be the first"),
        (["icu.start", "icu.start"], 1, "icu.start must be the first entry, and no other"),
        (["icu.start", "icu.repeat n=1, distance=1"], 1, "repeat must follow the instruction"),
        (["icu.start", "icu.nop n=1", "icu.repeat n=1, distance=1"], 2, "repeat must follow the instruction"),
        (["icu.start", INSTRUCTION, *["icu.repeat n=1, distance=1"] * 2], 3, "repeat must follow the instruction"),
        (["icu.start", INSTRUCTION, "icu.loop n=1, distance=9, body=2"], 2, "the body of 2 entries starts before"),
        (["icu.start", INSTRUCTION, "icu.loop n=1, distance=9, body=60000"], 2, "the body of 60000 entries"),
        (["icu.start", "icu.loop n=1, distance=9, body=1"], 1, "the body of 1 entries starts before"),
        (
            ["icu.start", INSTRUCTION, "icu.repeat n=1, distance=1", "icu.loop n=1, distance=9, body=1"],
            3,
            "the body cuts a repeat or a loop inside it",
        ),
        (
            ["icu.start", *[INSTRUCTION] * 2, "icu.loop n=1, distance=9, body=2", "icu.loop n=1, distance=9, body=2"],
            4,
            "the body cuts a repeat or a loop inside it",
        ),
        (
            ["icu.start", INSTRUCTION, *(f"icu.loop n=1, distance=9, body={n}" for n in (1, 2, 3, 4))],
            5,
            "loops nest at most 3 deep",
        ),
        (
            ["icu.start", INSTRUCTION, "icu.nop n=5", "icu.loop n=2, distance=5, body=2"],
            3,
            "the body takes 6 cycles, more than the period",
        ),
        (
            ["icu.start", INSTRUCTION, "icu.repeat n=3, distance=4", "icu.loop n=2, distance=12, body=2"],
            3,
            "the body takes 13 cycles, more than the period",
        ),
        (
            ["icu.start", INSTRUCTION, "icu.loop n=3, distance=4, body=1", "icu.loop n=1, distance=11, body=2"],
            3,
            "the body takes 12 cycles, more than the period",
        ),
    ],
)
def test_sequence(lines: list[str], entry: int, rule: str) -> None:
    with pytest.raises(IllegalEntry, match=rule) as refused:
        check("\n".join(["queue mem0:", *lines]))
    assert (refused.value.entry, refused.value.cause) == (entry, Cause.SEQUENCE)
    assert f"`{lines[entry]}`" in str(refused.value)


def test_tightest_legal_sequence() -> None:
    check(f"""
        queue mem0:
            icu.start
            {INSTRUCTION}
            icu.repeat n=3, distance=4
            icu.loop n=2, distance=13, body=2
            icu.nop n=1
            icu.loop n=2, distance=27, body=4
            icu.loop n=1, distance=54, body=5
    """)


def test_queues_against_the_chip() -> None:
    with pytest.raises(InputError, match="mem9: chip tiny has no such queue"):
        check("queue mem9:\nicu.start")
    with pytest.raises(IllegalEntry, match=r"mem0, entry 1: vxm\.move does not belong in a mem queue"):
        check("queue mem0:\nicu.start\nvxm.move s4e -> s4w")
    with pytest.raises(InputError, match="mem0: 4097 entries, chip tiny holds 4096"):
        check_records({"mem0": empty_instructions(4097)}, TINY)


def test_the_first_queue_of_the_row_is_named() -> None:
    bad = "icu.start\nicu.repeat n=1, distance=1\n"
    with pytest.raises(IllegalEntry, match="mem0, entry 1"):
        check(f"queue mem1:\n{bad}queue mem0:\n{bad}")


@pytest.mark.parametrize("seed", range(8))
def test_a_queue_takes_the_cycles_that_the_sequencer_takes(seed: int) -> None:
    for name, records in random_program(TINY, seed).queues.items():
        running = issues(TINY.queue_by_name[name], records)
        with pytest.raises(StopIteration) as ended:
            while True:
                next(running)
        assert num_cycles(records) == ended.value.value
