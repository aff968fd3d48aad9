"""SmolLM2-135M on the demonstrator: all logits of the reference evaluator, and one real layer stepped."""

import numpy as np
import pytest

from tests.integration.executions import Built, assert_executions_equal, first_largest, step_token

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
