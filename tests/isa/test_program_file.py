"""Programs as arrays and manifest: the same program comes back, and damage is refused by name."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from tests.isa.strategies import legal_queues
from waterclock.chip import load
from waterclock.errors import InputError, WaterclockError
from waterclock.isa.assembly import assemble, disassemble_program
from waterclock.isa.causes import IllegalEntry
from waterclock.isa.program import NO_PRODUCER, Object, Output, Param, Program, Role, Space, empty_flow
from waterclock.isa.program_file import program_from_arrays, program_sha256, program_to_arrays
from waterclock.isa.record import Records

CHIP = load("tiny")
TEXT = """
queue mem0:
    icu.start
    mem.read32 word[1 + 1*((p1+0)>>0&7)] -> s4w
queue vxm.alu3:
    icu.start
    vxm.reduce_max s4w, segment=8 -> h1
"""


def program_of(queues: dict[str, Records]) -> Program:
    flow = {name: empty_flow(len(records)) for name, records in queues.items()}
    for number, rows in enumerate(flow.values()):
        rows["address"]["base"] = number + np.arange(len(rows))
    return Program(
        name="sample",
        chip_sha256=CHIP.sha256,
        queues=queues,
        flow=flow,
        labels={name: np.arange(len(records), dtype=np.int32) - 1 for name, records in queues.items()},
        operations=("linear", "silu"),
        objects=(Object("gain", "mem0", Space.MEM, 3, 9, Role.CONSTANT, 30, 9),),
        params=(Param("position", 0, 0, 255), Param("token", 1, 0, 7, host=False)),
        outputs=(Output("logits", (("mem0", 4), ("mem1", 5)), 16, (NO_PRODUCER, 7)),),
        length_cycles=1234,
    )


SAMPLE = program_of(assemble(TEXT))


def stored(program: Program) -> tuple[dict[str, Any], dict[str, Any]]:
    """What comes back from safetensors and JSON bytes."""
    tensors, manifest = program_to_arrays(program)
    return load_tensors(save_tensors(tensors)), json.loads(json.dumps(manifest))


def assert_same(left: Program, right: Program) -> None:
    assert replace(left, queues={}, flow={}, labels={}) == replace(right, queues={}, flow={}, labels={})
    for name in ("queues", "flow", "labels"):
        mine, other = getattr(left, name), getattr(right, name)
        assert set(mine) == set(other)
        for queue in mine:
            assert mine[queue].dtype == other[queue].dtype
            assert mine[queue].tobytes() == other[queue].tobytes()


@settings(max_examples=20, deadline=None, derandomize=True)
@given(data=st.data())
def test_programs_survive(data: st.DataObject) -> None:
    queues = data.draw(st.lists(st.sampled_from(CHIP.queues), unique=True, max_size=3))
    program = program_of({queue.name: data.draw(legal_queues(CHIP, queue)) for queue in queues})
    back = program_from_arrays(*stored(program))
    assert_same(back, program)
    assert program_sha256(back) == program_sha256(program)


def test_what_was_stored_has_a_hash_and_cant_be_changed() -> None:
    tensors, manifest = stored(SAMPLE)
    back = program_from_arrays(tensors, manifest)
    assert back.stored_sha256 == program_from_arrays(*stored(SAMPLE)).stored_sha256 != ""
    for rows in (back.queues["mem0"], back.flow["mem0"]):
        with pytest.raises(ValueError, match="read-only"):
            rows[0] = rows[0]
    assert SAMPLE.stored_sha256 == replace(back, name="another").stored_sha256 == ""
    for name, tensor in tensors.items():
        changed = {**tensors, name: tensor.copy()}
        changed[name].reshape(-1).view(np.uint8)[0] ^= 1
        assert program_from_arrays(changed, manifest, late=True).stored_sha256 != back.stored_sha256
    longer = {**manifest, "length_cycles": manifest["length_cycles"] + 1}
    assert program_from_arrays(tensors, longer).stored_sha256 != back.stored_sha256


def test_what_is_decoded_late_is_refused_when_it_is_looked_at() -> None:
    tensors, manifest = stored(SAMPLE)
    tensors["queues.mem0"] = np.full_like(tensors["queues.mem0"], 0xFFFFFFFF)
    with pytest.raises(IllegalEntry):
        program_from_arrays(tensors, manifest)
    late = program_from_arrays(tensors, manifest, "file", late=True)
    assert list(late.queues) == list(SAMPLE.queues)
    with pytest.raises(InputError, match=r"file: .*mem0"):
        late.queues["mem0"]


def test_what_the_hash_covers() -> None:
    queues = {name: records.copy() for name, records in SAMPLE.queues.items()}
    queues["mem0"]["address"]["base"][1] += 1
    hashes = [
        program_sha256(program)
        for program in (
            SAMPLE,
            replace(SAMPLE, queues=queues),
            replace(SAMPLE, length_cycles=1235),
            replace(SAMPLE, params=SAMPLE.params[:1]),
            replace(SAMPLE, queues={name: SAMPLE.queues[name] for name in ("mem0",)}),
        )
    ]
    assert len(set(hashes)) == len(hashes)
    turned = {name: SAMPLE.queues[name] for name in reversed(SAMPLE.queues)}
    assert program_sha256(replace(SAMPLE, queues=turned)) == hashes[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 1}, "program.format_version = 1: must be 3"),
        ({"length_cycles": "9"}, "program.length_cycles = '9': must be of type int"),
        ({"length_cycles": True}, "program.length_cycles = True: must be of type int"),
        ({"operations": ["linear", 3]}, r"program.operations\[1\] = 3: must be of type str"),
        ({"objects": {}}, "program.objects = {}: must be a list"),
        (
            {"params": [{"name": "position"}]},
            r"program.params\[0\] = .*: must be an object with the fields name, index",
        ),
        ({"queues": ["mem0", "mem1"]}, "tensor queues.mem1 is missing"),
        ({"queues": ["fpu0"]}, "program.queues: no kind of slice has a queue 'fpu0'"),
        ({"queues": ["vxm.alu3", "mem0"], "extra": 1}, "must be an object with the fields"),
    ],
)
def test_damaged_manifests_are_refused(change: dict[str, Any], message: str) -> None:
    tensors, manifest = stored(SAMPLE)
    with pytest.raises(WaterclockError, match=message):
        program_from_arrays(tensors, manifest | change)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("objects", "space"), "dram", r"program.objects\[0\].space = 'dram': must be one of mem, reram, sram"),
        (("outputs", "words"), [["mem0"]], r"program.outputs\[0\].words\[0\] = \['mem0'\]: must be a list of 2"),
    ],
)
def test_damaged_rows_are_refused(path: tuple[str, str], value: object, message: str) -> None:
    tensors, manifest = stored(SAMPLE)
    manifest[path[0]][0][path[1]] = value
    with pytest.raises(WaterclockError, match=message):
        program_from_arrays(tensors, manifest)


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("queues.mem0", np.zeros((2, 7), np.uint32), r"tensor queues.mem0 is uint32\(2, 7\), must be uint32\(-1, 27\)"),
        ("queues.mem0", np.zeros((2, 27), np.int32), "tensor queues.mem0 is int32"),
        ("queues.mem0", np.zeros((2, 27), np.uint32), "mem0, entry 0: no instruction has opcode 0x0"),
        ("flow.mem0", np.zeros((2, 3), np.uint8), "tensor flow.mem0 is uint8"),
        ("labels.mem0", np.zeros(3, np.int32), r"tensor labels.mem0 is int32\(3,\), must be int32\(2,\)"),
    ],
)
def test_damaged_tensors_are_refused(name: str, tensor: np.ndarray, message: str) -> None:
    tensors, manifest = stored(SAMPLE)
    with pytest.raises(WaterclockError, match=message):
        program_from_arrays(tensors | {name: tensor}, manifest)


def test_a_program_as_text_assembles_to_its_queues() -> None:
    text = disassemble_program(SAMPLE)
    assert disassemble_program(replace(SAMPLE, name="sample\nqueue mem0:")).startswith("# program sample queue mem0:\n")
    assert text.startswith(f"# program sample\n# chip {CHIP.sha256}\n# length 1234 cycles\n")
    queues = assemble(text)
    assert {name: records.tobytes() for name, records in queues.items()} == {
        name: records.tobytes() for name, records in SAMPLE.queues.items()
    }
