"""The device: what it computes is the reference's, bit for bit, and what it can't do it refuses."""

from dataclasses import replace

import numpy as np
import pytest

from waterclock.errors import InputError
from waterclock.isa.record import OperandKind
from waterclock.quantize import Scheme, evaluate_quantized, quantize
from waterclock.runtime.bundle import Bundle
from waterclock.runtime.device import Device
from waterclock.runtime.model import Model
from waterclock.simulator.link import LinkError


def fed(device: Device, tokens: list[int]) -> np.ndarray:
    """The logits of every token, as raw bits."""
    rows: list[np.ndarray] = []
    for position, token in enumerate(tokens):
        assert device.feed(token, position).length_cycles == device.program.length_cycles
        rows.append(device.logits())
        assert device.next_token == rows[-1].argmax()
    return np.array(rows).view(np.int32)


def test_logits_are_the_reference_evaluators(device: Device, model: Model, tokens: list[int]) -> None:
    expected = evaluate_quantized(quantize(model.graph, Scheme()), np.array(tokens))
    np.testing.assert_array_equal(fed(device, tokens), expected.view(np.int32))


def test_a_new_sequence_starts_at_position_0(device: Device, tokens: list[int]) -> None:
    alone = fed(device, tokens[:3])
    fed(device, tokens[::-1])
    np.testing.assert_array_equal(fed(device, tokens[:3]), alone)


@pytest.mark.parametrize(
    ("token", "position", "message"),
    [
        (0, 32, "position 32: the context bucket of decode-32 has 32 positions, 0 to 31"),
        (0, -1, "position -1: "),
        (300, 0, "token 300: the model's are 0 to 299"),
        (-1, 0, "token -1: "),
    ],
)
def test_what_the_program_was_not_made_for_is_refused(device: Device, token: int, position: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        device.feed(token, position)


def test_it_knows_the_tokens_in_its_kv_cache(device: Device) -> None:
    assert device.tokens == []
    for token, position, held in ((5, 0, [5]), (6, 1, [5, 6]), (7, 2, [5, 6, 7]), (8, 1, [5, 8]), (9, 5, [5, 8])):
        device.feed(token, position)
        assert device.tokens == held
    with pytest.raises(InputError):
        device.feed(300, 0)
    assert device.tokens == [5, 8], "what is refused changes nothing"


def test_a_launch_that_breaks_off_leaves_nothing_to_reuse(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    fed(device, [1, 2, 3])
    monkeypatch.setattr("waterclock.simulator.machine.Machine.launch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        device.feed(4, 1)
    assert device.tokens == [1]


def test_the_last_position_can_be_fed(device: Device) -> None:
    device.feed(299, device.num_positions - 1)


def test_one_changed_weight_shows_in_the_logits(bundle: Bundle, device: Device, tokens: list[int]) -> None:
    weights = next(obj for obj in bundle.deployment.objects if obj.space.value == "reram")
    reram = bundle.deployment.reram.copy()
    index = bundle.deployment.chip.slice_by_name[weights.slice].index
    reram[index, weights.base, 0, 0] = ~reram[index, weights.base, 0, 0]
    changed = Device(replace(bundle.deployment, reram=reram))
    assert (fed(changed, tokens) != fed(device, tokens)).any()


def test_one_changed_instruction_is_refused(bundle: Bundle) -> None:
    deployment = bundle.deployment
    program = deployment.programs[f"decode-{deployment.max_context}"]
    records = program.queues["vxm.alu0"].copy()
    reads_stream = np.isin(records["a"]["kind"], [OperandKind.EAST, OperandKind.WEST])
    records["a"]["index"][reads_stream.argmax()] ^= 4
    changed = replace(program, queues={**program.queues, "vxm.alu0": records})
    with pytest.raises(LinkError):
        Device(replace(deployment, programs={program.name: changed}))


def test_a_program_without_logits_is_refused(bundle: Bundle) -> None:
    programs = {name: replace(program, outputs=()) for name, program in bundle.deployment.programs.items()}
    with pytest.raises(InputError, match="program decode-32: has None logits, expected 300"):
        Device(replace(bundle.deployment, programs=programs))


def test_a_deployment_without_a_program_for_a_token_is_refused(bundle: Bundle) -> None:
    with pytest.raises(InputError, match="has no program that takes one token"):
        Device(replace(bundle.deployment, programs={}))
