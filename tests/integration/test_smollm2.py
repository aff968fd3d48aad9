"""SmolLM2-135M on the demonstrator: all logits of the reference evaluator, and one real layer stepped."""

from collections.abc import Iterator

import numpy as np
import pytest

from tests.integration.executions import Built, assert_executions_equal, first_largest, step_token
from waterclock.chip import load
from waterclock.compiler.compile import compile_model, usual_shapes
from waterclock.frontends.graph import Graph
from waterclock.quantize import evaluate_quantized
from waterclock.runtime.device import Device, Launched

TEXT = np.random.default_rng(8).integers(0, 49_152, 64).tolist()


def assert_machine_equals_reference(built: Built, tokens: list[int]) -> None:
    expected, machine = built.reference(tokens), built.machine()
    lengths: set[int] = set()
    for position, token in enumerate(tokens):
        lengths.add(machine.launch(built.params(position, token)).length_cycles)
        assert (machine.output("logits") == expected[position]).all(), f"position {position}"
        assert machine.state.params[built.param("token")] == first_largest(expected[position])
    assert lengths == {built.program.length_cycles} == {built.linked.length_cycles}


def test_all_logits_are_the_references(smollm2: Built) -> None:
    assert smollm2.reference([0]).shape == (1, 49_152)
    assert_machine_equals_reference(smollm2, TEXT[:8])


@pytest.mark.slow
def test_all_logits_are_the_references_over_64_tokens(smollm2: Built) -> None:
    assert_machine_equals_reference(smollm2, TEXT)


def test_one_real_layer_is_stepped(smollm2_layer: Built) -> None:
    vocab = smollm2_layer.graph.config.vocab
    assert_executions_equal(smollm2_layer, [token % vocab for token in TEXT[:3]], stepped={2})


@pytest.mark.slow
def test_a_whole_token_is_stepped(smollm2: Built) -> None:
    """Every word, tile, output and cycle of all 30 layers and the head, with a past in the KV cache."""
    machine, position = smollm2.machine(), 3
    for past, token in enumerate(TEXT[:position]):
        machine.launch(smollm2.params(past, token))
    stepped = step_token(smollm2, machine.state, position, TEXT[position])
    run = machine.launch(smollm2.params(position, TEXT[position]))
    assert stepped.length_cycles == run.length_cycles == smollm2.program.length_cycles
    assert stepped.state.first_difference(run.state) is None


@pytest.mark.slow
def test_prompts_of_any_length_through_every_bucket(smollm2_quantized: Graph) -> None:
    """The cheapest launches for a prompt, then single tokens, past a change of bucket; then every program by itself."""
    chip, context, num_after = load("demonstrator"), 512, 4
    deployment = compile_model(smollm2_quantized, chip, context, shapes=usual_shapes(chip, context)).deployment
    tokens = np.random.default_rng(9).integers(0, 49_152, 326).tolist()
    expected = evaluate_quantized(smollm2_quantized, np.array(tokens)).view(np.int32)
    used: set[str] = set()

    def assert_logits(device: Device, position: int) -> None:
        np.testing.assert_array_equal(device.logits().view(np.int32), expected[position], err_msg=f"token {position}")
        assert device.next_token == first_largest(expected[position])

    for num_prompt in (1, 2, 63, 64, 65, 200, 254):
        device = Device(deployment, num_threads=1 + num_prompt % 3)
        for position, launched in device.feed_all(tokens[:num_prompt], 0):
            used |= {
                name for name, one in device.programs.items() if one.program.length_cycles == launched.length_cycles
            }
            assert_logits(device, position)
        for position in range(num_prompt, num_prompt + num_after):
            device.feed(tokens[position], position)
            assert_logits(device, position)
    assert used >= {"decode-256", "prefill-64-64", "prefill-64-256"}
    for name, one in sorted(device.programs.items()):
        for position in {0, one.num_positions - one.num_tokens} & set(range(len(tokens) - one.num_tokens)):
            if position:
                list(device.feed_all(tokens[:position], 0))
            device.launch(device.programs[name], tokens[position : position + one.num_tokens], position)
            assert_logits(device, position + one.num_tokens - 1)
    list(device.feed_all(tokens, 0))  # ends in the largest bucket
    assert_logits(device, len(tokens) - 1)


@pytest.mark.slow
def test_a_whole_context_of_2048_tokens(smollm2_quantized: Graph) -> None:
    """Chunks and single tokens in turn, past every change of bucket, to the last position that there is."""
    chip, context = load("demonstrator"), 2048
    deployment = compile_model(smollm2_quantized, chip, context, shapes=usual_shapes(chip, context)).deployment
    tokens = np.random.default_rng(10).integers(0, 49_152, context).tolist()
    expected = evaluate_quantized(smollm2_quantized, np.array(tokens)).view(np.int32)
    device, used = Device(deployment), set[int]()

    def launches() -> Iterator[tuple[int, Launched]]:
        begin = 0
        for chunks_end, end in ((240, 260), (500, 520), (1000, 1030), (2020, context)):
            yield from device.feed_all(tokens[begin:chunks_end], begin)
            yield from ((position, device.feed(tokens[position], position)) for position in range(chunks_end, end))
            begin = end

    for position, launched in launches():
        used.add(launched.length_cycles)
        np.testing.assert_array_equal(device.logits().view(np.int32), expected[position], err_msg=f"token {position}")
    assert position == context - 1
    lengths = {name: one.program.length_cycles for name, one in device.programs.items()}
    buckets = {lengths[f"{kind}-{bucket}"] for kind in ("decode", "prefill-64") for bucket in (256, 512, 1024, 2048)}
    assert buckets | {lengths["prefill-64-64"]} == used
