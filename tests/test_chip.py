"""The Chip record: what it accepts, what it refuses and how, and what it derives."""

import json
import subprocess
import sys
import tomllib
from dataclasses import FrozenInstanceError, replace
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from waterclock.chip import RULE_BY_FIELD, Chip, SliceKind, WeightCell, floorplan_svg, list_chips, load
from waterclock.chip.rules import Whole
from waterclock.errors import InputError
from waterclock.isa.table import INSTRUCTIONS
from waterclock.numerics.functions import CRITICAL_PATH

WHOLE_FIELDS = [(field, rule) for field, rule in RULE_BY_FIELD.items() if isinstance(rule, Whole)]
DATA = Path(__file__).parent.parent / "waterclock" / "data" / "chips"


def toml_of(chip: Chip) -> str:
    """Every field as `dotted.name = value`, which TOML reads as sections."""
    return "\n".join(f"{field} = {json.dumps(chip[field])}" for field in RULE_BY_FIELD)


def test_three_chips_ship() -> None:
    assert list_chips() == ("demonstrator", "groq-tsp", "narrow", "tiny")


def test_a_shipped_chip_is_called_like_its_file(shipped_chip: Chip) -> None:
    assert load(shipped_chip.name) == shipped_chip


def test_every_field_comes_from_the_file(shipped_chip: Chip) -> None:
    assert tomllib.loads((DATA / f"{shipped_chip.name}.toml").read_text()) == shipped_chip.to_dict()


def test_dict_and_toml_round_trip(shipped_chip: Chip, tmp_path: Path) -> None:
    assert Chip.from_dict(json.loads(json.dumps(shipped_chip.to_dict()))) == shipped_chip
    path = tmp_path / "copy.toml"
    path.write_text(toml_of(shipped_chip))
    assert load(path) == load(str(path)) == shipped_chip


@pytest.mark.parametrize(("field", "rule"), WHOLE_FIELDS)
def test_a_whole_number_out_of_range_is_refused(field: str, rule: Whole, tiny: Chip) -> None:
    for value in (rule.low - 1, rule.high + 1, "many", 1.5, True, None, [1]):
        with pytest.raises(InputError) as refusal:
            tiny.with_fields({field: value})
        assert str(refusal.value) == f"tiny, changed: {field} = {value!r}: must be {rule}"


@pytest.mark.parametrize("field", RULE_BY_FIELD)
def test_a_missing_field_is_refused(field: str, tiny: Chip, tmp_path: Path) -> None:
    lines = [line for line in toml_of(tiny).splitlines() if not line.startswith(f"{field} =")]
    path = tmp_path / "short.toml"
    path.write_text("\n".join(lines))
    with pytest.raises(InputError) as refusal:
        load(path)
    assert str(refusal.value) == f"{path}: {field} is missing: must be {RULE_BY_FIELD[field]}"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"mxm.sense_cycle": 4}, "mxm.sense_cycle = 4: no such field, did you mean mxm.sense_cycles?"),
        ({"colour": "red"}, "colour = 'red': no such field"),
        ({"mem": 3}, "mem = 3: no such field"),
        ({"cell": "flash"}, 'cell = \'flash\': must be "reram" or "sram"'),
        ({"name": "Tiny!"}, "name = 'Tiny!': must be 1 to 64 of a-z, 0-9 and -"),
        (
            {"description": "two\nlines"},
            r"description = 'two\nlines': must be one line of 1 to 200 printable characters",
        ),
        ({"num_streams": 30}, "num_streams = 30: must be a multiple of 4 from 4 to 256"),
        ({"lanes": 12}, "lanes = 12: must be a power of two where an MXM keeps more than one tile"),
        ({"vxm.num_special": 5}, "vxm.num_special = 5: must be at most vxm.num_alus = 4"),
        ({"vxm.num_reduce": 5}, "vxm.num_reduce = 5: must be at most vxm.num_alus = 4"),
        (
            {"layout.num_mxm_west": 0, "layout.num_mxm_east": 0},
            "layout.num_mxm_east = 0: must be at least 1 where layout.num_mxm_west = 0",
        ),
        (
            {"layout.num_mem_west": 0, "layout.num_mem_east": 0},
            "layout.num_mem_east = 0: must be at least 1 where layout.num_mem_west = 0",
        ),
        (
            {"cell": "sram"},
            'cell = \'sram\': must be "reram" where there are ReRAM tiles, else "sram" (mxm.num_reram_tiles = 256)',
        ),
        (
            {"mxm.num_reram_banks": 8, "mxm.num_reram_tiles": 7},
            "mxm.num_reram_banks = 8: must be at most mxm.num_reram_tiles = 7, and 1 where there are none",
        ),
        (
            {"mxm.num_sram_tiles": 0},
            "mxm.num_sram_banks = 8: must be at most mxm.num_sram_tiles = 0, and 1 where there are none",
        ),
        (
            {"cell": "sram", "mxm.num_reram_tiles": 0, "mxm.num_sram_tiles": 0},
            "mxm.num_sram_tiles = 0: must be at least 1 where mxm.num_reram_tiles = 0",
        ),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, int | str], complaint: str, tiny: Chip) -> None:
    with pytest.raises(InputError) as refusal:
        tiny.with_fields(changes)
    assert str(refusal.value) == f"tiny, changed: {complaint}"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"lanes = ", b"[" * 100_000, b'name = "a"\nname = "b"'])
def test_what_is_not_toml_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_bytes(content)
    with pytest.raises(InputError) as refusal:
        load(path)
    assert str(refusal.value).startswith(f"{path}: not TOML: ")
    assert "\n" not in str(refusal.value)


def test_a_field_given_twice_is_refused(tiny: Chip, tmp_path: Path) -> None:
    path = tmp_path / "twice.toml"
    path.write_text('"mem.num_words" = 4\n' + toml_of(tiny))
    with pytest.raises(InputError) as refusal:
        load(path)
    assert str(refusal.value) == f"{path}: mem.num_words is given twice"


def test_a_name_that_a_terminal_would_obey_is_quoted(tiny: Chip) -> None:
    with pytest.raises(InputError) as refusal:
        tiny.with_fields({"\x1b[2J\n": 1})
    assert str(refusal.value) == r"tiny, changed: '\x1b[2J\n' = 1: no such field"


def test_what_a_chip_may_have_an_instruction_can_name() -> None:
    bits_by_field = {"num_params": ("icu.set_param", "param"), "mxm.num_accumulators": ("mxm.matvec", "acc")}
    for field, (mnemonic, operand_field) in bits_by_field.items():
        operand = INSTRUCTIONS[mnemonic].field(operand_field)
        rule = RULE_BY_FIELD[field]
        assert isinstance(rule, Whole)
        assert operand is not None
        assert rule.high == 1 << operand.bits


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no chip 'big': must be demonstrator, groq-tsp, narrow, tiny or the path of"):
        load("big")
    with pytest.raises(InputError, match=r"none\.toml: No such file"):
        load(tmp_path / "none.toml")
    with pytest.raises(InputError, match="Is a directory"):
        load(tmp_path)
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * (1 << 20) + b"\n")
    with pytest.raises(InputError, match="too large for a chip"):
        load(large)


def test_a_chip_cannot_be_changed_or_built_wrong(tiny: Chip) -> None:
    with pytest.raises(FrozenInstanceError):
        tiny.lanes = 16
    with pytest.raises(InputError, match="lanes = 0: must be an integer from 2 to 1024"):
        replace(tiny, lanes=0)


def test_text_is_read_as_the_field_needs(tiny: Chip) -> None:
    assert tiny.with_fields({"lanes": "16", "name": "wider"}) == tiny.with_fields({"lanes": 16, "name": "wider"})
    changed = tiny.with_fields({"cell": "sram", "mxm.num_reram_tiles": "0", "mxm.num_reram_banks": "1"})
    assert changed.cell is WeightCell.SRAM
    assert tiny.lanes == 8


@given(st.data())
def test_any_value_in_range_is_kept_and_changes_the_hash(data: st.DataObject) -> None:
    free = [(field, rule) for field, rule in WHOLE_FIELDS if field.startswith(("latency.", "c2c."))]
    field, rule = data.draw(st.sampled_from(free))
    value = data.draw(st.integers(rule.low, rule.high))
    tiny = load("tiny")
    changed = tiny.with_fields({field: value})
    assert changed[field] == value
    assert (changed.sha256 == tiny.sha256) == (value == tiny[field])


def test_the_hash_does_not_depend_on_the_process(shipped_chip: Chip) -> None:
    script = f"from waterclock.chip import load; print(load({shipped_chip.name!r}).sha256)"
    other = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"}
    )
    assert other.stdout.strip() == shipped_chip.sha256


def test_the_row_of_the_tiny_chip(tiny: Chip) -> None:
    slices = "c2c0 mxm0 sxm0 mem0 mem1 vxm mem2 mem3 sxm1 mxm1 c2c1"
    assert " ".join(piece.name for piece in tiny.slices) == slices
    queues = "mxm0 sxm0 mem0 mem1 vxm.alu0 vxm.alu1 vxm.alu2 vxm.alu3 mem2 mem3 sxm1 mxm1"
    assert " ".join(queue.name for queue in tiny.queues) == queues


def test_slices_and_queues_are_numbered_in_order(shipped_chip: Chip) -> None:
    chip = shipped_chip
    assert [piece.x for piece in chip.slices] == list(range(chip.num_positions))
    assert [queue.number for queue in chip.queues] == list(range(len(chip.queues)))
    assert len(chip.queues) == sum(piece.num_queues for piece in chip.slices)
    assert len(chip.slice_by_name) == len(chip.slices)
    assert len(chip.queue_by_name) == len(chip.queues)
    for kind in SliceKind:
        assert [piece.index for piece in chip.slices_of(kind)] == list(range(len(chip.slices_of(kind))))
    assert chip.queue_by_name["vxm.alu1"].slice is chip.slice_by_name["vxm"]


# Published or asked for: the figures that the shipped chips must come to.
@pytest.mark.parametrize(
    ("name", "totals"),
    [
        ("demonstrator", {"num_reram_tiles": 34_816, "num_sram_tiles": 8_192, "num_slices": 29}),
        ("groq-tsp", {"mem_bytes": 220 * 2**20, "peak_int8_ops_per_s": 737_280_000_000_000, "num_sram_tiles": 4}),
        ("tiny", {"num_slices": 11, "num_queues": 12}),
    ],
)
def test_totals(name: str, totals: dict[str, int]) -> None:
    assert load(name).totals().items() >= totals.items()


@pytest.mark.parametrize(
    ("name", "stages", "groups", "pim"), [("demonstrator", 6, 16, True), ("groq-tsp", 9, 8, False)]
)
def test_what_follows_from_lanes_and_streams(name: str, stages: int, groups: int, pim: bool) -> None:
    chip = load(name)
    assert (chip.log2_lanes, chip.num_groups, chip.is_pim) == (stages, groups, pim)


def test_the_floorplan_draws_every_slice_once_west_to_east(shipped_chip: Chip) -> None:
    svg = floorplan_svg(shipped_chip)
    columns = [group for group in ElementTree.fromstring(svg) if group.tag.endswith("}g")]
    assert [next(iter(column)).text for column in columns] == [
        f"{piece.name} at x = {piece.x}" for piece in shipped_chip.slices
    ]
    boxes = [[box for box in column if box.tag.endswith("}rect")] for column in columns]
    assert len(boxes[shipped_chip.slice_by_name["vxm"].x]) == shipped_chip.vxm.num_alus
    edges = [(int(parts[0].attrib["x"]), int(parts[0].attrib["width"])) for parts in boxes]
    assert all(x + width == east for (x, width), (east, _) in pairwise(edges))
    assert svg == floorplan_svg(load(shipped_chip.name))


def test_the_floorplan_escapes_what_it_is_told(tiny: Chip) -> None:
    description = '<b> & "quotes"'
    texts = [
        one.text for one in ElementTree.fromstring(floorplan_svg(tiny.with_fields({"description": description}))).iter()
    ]
    assert description in texts


def test_every_field_says_what_it_means() -> None:
    meanings: list[Any] = [rule.meaning for rule in RULE_BY_FIELD.values()]
    assert all(meanings)
    assert len(set(meanings)) == len(meanings)


@pytest.mark.parametrize("name", ["demonstrator", "tiny"])
@pytest.mark.parametrize("function", sorted(CRITICAL_PATH))
def test_special_functions_take_as_long_as_their_definitions(name: str, function: str) -> None:
    """Operand fetch, then the fp32 steps at the adder's depth, then an integer step a cycle."""
    chip, path = load(name), CRITICAL_PATH[function]
    fp32_cycles = max(chip.latency.vxm_add, chip.latency.vxm_mul) - 1
    assert chip[f"latency.vxm_{function}"] == 1 + path.num_fp32 * fp32_cycles + path.num_int32
