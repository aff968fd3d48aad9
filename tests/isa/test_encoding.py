"""The binary encoding: every mnemonic there and back, and everything illegal refused with its cause."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.isa.strategies import legal_records, record_of
from waterclock.chip import Chip, SliceKind, list_chips, load
from waterclock.isa.assembly import assemble
from waterclock.isa.causes import Cause, IllegalEntry
from waterclock.isa.encoding import column, decode_queue, encode_queue
from waterclock.isa.layout import OPCODE_BITS, layout, num_bits, word_bits
from waterclock.isa.program import empty_instructions
from waterclock.isa.record import INSTRUCTION, Records
from waterclock.isa.table import INSTRUCTION_BY_OPCODE, INSTRUCTIONS

CHIP = load("demonstrator")
KINDS = (SliceKind.MEM, SliceKind.VXM, SliceKind.SXM, SliceKind.MXM)
few = settings(max_examples=10, deadline=None, derandomize=True)


def kind_of(mnemonic: str) -> SliceKind:
    return INSTRUCTIONS[mnemonic].area.slice_kind or SliceKind.SXM


@pytest.mark.parametrize("mnemonic", INSTRUCTIONS)
@few
@given(data=st.data(), chip=st.sampled_from([load(name) for name in list_chips()]))
def test_records_survive(mnemonic: str, data: st.DataObject, chip: Chip) -> None:
    record = data.draw(legal_records(chip, mnemonic))
    words = encode_queue(record, kind_of(mnemonic))
    assert words.shape == (1, word_bits(kind_of(mnemonic)) // 32)
    assert decode_queue(words, kind_of(mnemonic)).tobytes() == record.tobytes()


@pytest.mark.parametrize("mnemonic", INSTRUCTIONS)
@few
@given(data=st.data())
def test_a_flipped_bit_is_refused_or_another_record(mnemonic: str, data: st.DataObject) -> None:
    """No two words mean the same: what still decodes encodes back to exactly these bits."""
    kind = kind_of(mnemonic)
    words = encode_queue(data.draw(legal_records(CHIP, mnemonic)), kind)
    bit = data.draw(st.integers(0, word_bits(kind) - 1))
    words[0, bit // 32] ^= np.uint32(1 << bit % 32)
    try:
        assert np.array_equal(encode_queue(decode_queue(words, kind), kind), words)
    except IllegalEntry as refused:
        assert refused.cause in (Cause.OPCODE, Cause.RESERVED, Cause.FIELD)


@pytest.mark.parametrize("mnemonic", INSTRUCTIONS)
def test_fields_lie_one_after_another(mnemonic: str) -> None:
    end = OPCODE_BITS
    for field in layout(mnemonic):
        assert field.offset == end
        end = field.end
        assert field.low <= field.high < 1 << field.bits - field.signed
    assert end == num_bits(mnemonic) <= word_bits(kind_of(mnemonic))
    assert len({field.path for field in layout(mnemonic)}) == len(layout(mnemonic))


@pytest.mark.parametrize("kind", KINDS)
def test_icu_entries_fit_every_queue(kind: SliceKind) -> None:
    records = empty_instructions(2)
    records["op"] = [1, 4]
    records[1]["n"], records[1]["distance"], records[1]["body"] = 3, 1 << 23, 1
    assert decode_queue(encode_queue(records, kind), kind).tobytes() == records.tobytes()


def test_bits_by_hand() -> None:
    """One word put together here from the documented offsets."""
    records = assemble("queue mem0:\n mem.read32 word[100 + -2*r + 3*((p2+5)>>6&255)] -> s4w")["mem0"]
    fields = [
        (0x11, 0), (100, 8), (2**24 - 2, 32),
        (1, 128), (2, 129), (6, 137), (3, 142), (5, 166), (255, 190),
        (2, 492), (4, 494),
    ]  # fmt: skip
    word = sum(value << offset for value, offset in fields)
    assert encode_queue(records, SliceKind.MEM).astype("<u4").tobytes() == word.to_bytes(864 // 8, "little")


@pytest.mark.parametrize("kind", KINDS)
def test_every_other_opcode_is_refused(kind: SliceKind) -> None:
    for opcode in range(1 << OPCODE_BITS):
        row = INSTRUCTION_BY_OPCODE.get(opcode)
        if row is not None and row.area.slice_kind in (kind, None):
            continue
        words = np.zeros((3, word_bits(kind) // 32), np.uint32)
        words[:, 0] = [0x01, opcode, 0xFF]
        with pytest.raises(IllegalEntry, match="entry 1") as refused:
            decode_queue(words, kind)
        assert (refused.value.cause, refused.value.entry) == (Cause.OPCODE, 1)
        records = empty_instructions(1)
        records["op"] = opcode
        with pytest.raises(IllegalEntry, match=r"opcode|does not belong"):
            encode_queue(records, kind)


def test_opcode_wider_than_its_field_is_refused() -> None:
    records = empty_instructions(1)
    records["op"] = 0x101
    with pytest.raises(IllegalEntry, match="no instruction has opcode 0x101"):
        encode_queue(records, SliceKind.MEM)


def legal_sample(mnemonic: str) -> Records:
    """A record whose fields are the smallest that their own range allows, so that some are in use and some not."""
    values = {field.path: (1 << field.low >> 1 if field.power else max(field.low, 0)) for field in layout(mnemonic)}
    return record_of(mnemonic, values)


@pytest.mark.parametrize("mnemonic", INSTRUCTIONS)
def test_every_reserved_bit_is_refused(mnemonic: str) -> None:
    kind = kind_of(mnemonic)
    legal = encode_queue(legal_sample(mnemonic), kind)
    for bit in range(num_bits(mnemonic), word_bits(kind)):
        words = legal.copy()
        words[0, bit // 32] |= np.uint32(1 << bit % 32)
        with pytest.raises(IllegalEntry) as refused:
            decode_queue(words, kind, "q")
        assert refused.value.cause is Cause.RESERVED


def unused_leaves(mnemonic: str) -> list[str]:
    """Some top-level fields of the record that the mnemonic has no use for, down to a number in each."""
    used = {field.path.partition(".")[0] for field in layout(mnemonic)}
    deeper = {"a": "a.xor", "b": "b.index", "c": "c.kind", "result": "result.hold", "scalar_step": "scalar_step.3"}
    deeper |= {"address": "address.term.1.step.2", "place": "place.stride.0"}
    return [deeper.get(name, name) for name in INSTRUCTION.names or () if name not in used | {"op"}]


@pytest.mark.parametrize("mnemonic", INSTRUCTIONS)
def test_fields_that_a_mnemonic_does_not_use_are_refused(mnemonic: str) -> None:
    for path in unused_leaves(mnemonic):
        record = legal_sample(mnemonic)
        column(record, path)[...] = 1
        with pytest.raises(IllegalEntry, match=rf"q, entry 0: {mnemonic}: {path} = 1 is not used"):
            encode_queue(record, kind_of(mnemonic), "q")


@pytest.mark.parametrize("mnemonic", INSTRUCTIONS)
def test_values_beyond_a_field_are_refused(mnemonic: str) -> None:
    """The first value above and below each field, where the record can hold it."""
    for field in layout(mnemonic):
        for value in (3 if field.power else field.high + 1, 0 if field.power and field.low else field.low - 1):
            record = legal_sample(mnemonic)
            limits = np.iinfo(column(record, field.path).dtype)
            if not limits.min <= value <= limits.max:
                continue
            column(record, field.path)[...] = value
            with pytest.raises(IllegalEntry, match=rf"{field.path} = {value} must be") as refused:
                encode_queue(record, kind_of(mnemonic))
            assert refused.value.cause is Cause.FIELD


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("vxm.add s4e, 0x1 -> h1", "b.index"),
        ("vxm.add s4e, p3+1 -> h1", "b.xor"),
        ("vxm.add s4e, h1 -> h1", "scalar"),
        ("vxm.add s4e, 0x1 -> h1", "scalar_step.1"),
        ("vxm.add s4e, h1 -> h1", "result.stream"),
    ],
)
def test_fields_that_an_operand_does_not_use_are_refused(text: str, path: str) -> None:
    record = assemble(f"queue vxm.alu0:\n{text}")["vxm.alu0"]
    encode_queue(record, SliceKind.VXM)
    column(record, path)[...] = 4
    with pytest.raises(IllegalEntry, match=f"{path} = 4 must be .* 0 where it is not used"):
        encode_queue(record, SliceKind.VXM)


def test_the_second_term_needs_the_first() -> None:
    record = assemble("queue mem0:\n mem.read32 word[0] -> s4w")["mem0"]
    record["address"]["term"]["used"][0, 1] = 1
    with pytest.raises(IllegalEntry, match=r"term\.1\.used = 1"):
        encode_queue(record, SliceKind.MEM)


def test_the_lowest_bad_entry_is_named() -> None:
    records = empty_instructions(3)
    records["op"] = [0x02, 0x11, 0x02]
    records["n"] = [0, 0, 0]
    with pytest.raises(IllegalEntry, match=r"entry 0: icu\.nop: n = 0 must be 1 to") as refused:
        encode_queue(records, SliceKind.MEM, "mem7")
    assert (refused.value.queue, refused.value.entry) == ("mem7", 0)


def test_empty_queues_have_no_words() -> None:
    words = encode_queue(empty_instructions(0), SliceKind.MEM)
    assert words.shape == (0, word_bits(SliceKind.MEM) // 32)
    assert len(decode_queue(words, SliceKind.MEM)) == 0


def test_words_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match="7 uint32 words"):
        decode_queue(np.zeros((1, 8), np.uint32), SliceKind.VXM)
