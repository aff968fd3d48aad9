"""Compiled programs with one small mistake each: link refuses every one that doesn't compute the same."""

from collections import Counter
from pathlib import Path

import pytest

from tests.integration.executions import Built, build, random_graph, random_tokens, step_token
from tests.integration.test_random_models import CONTEXT, SHAPES
from tests.simulator.mutate import mutants
from waterclock.chip import Chip
from waterclock.isa.program import Program
from waterclock.simulator.link import LinkError, dataflow_equal, link
from waterclock.simulator.stepper import step


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, tiny: Chip) -> Built:
    """A small model of two layers."""
    return build(random_graph(tmp_path_factory.mktemp("model"), **SHAPES["three to a kv head"]), tiny, CONTEXT)


def equivalent_mutants(built: Built, count: int, seed: int) -> list[Program]:
    """Those of `count` mutants that link accepts: their dataflow and length are those of the program. All others are
    refused with the slice, queue and cycle of the first deviation. Prints how many there were of each."""
    accepted: list[Program] = []
    outcomes: Counter[str] = Counter()
    for what, mutant in mutants(built.program, count, seed):
        try:
            linked = link(mutant, built.chip)
        except LinkError as refused:
            assert None not in (refused.slice, refused.queue, refused.cycle), f"{what}: {refused}"
            assert f"slice {refused.slice}, queue {refused.queue}, cycle {refused.cycle}" in str(refused)
            outcomes[f"refused: {refused.cause}"] += 1
            continue
        assert dataflow_equal(linked, built.linked), what
        accepted.append(mutant)
    print(f"\n{count} mutants: {len(accepted)} equivalent, {outcomes.total()} refused, {dict(outcomes)}")
    assert len(accepted) + outcomes.total() == count
    return accepted


def assert_steps_equal(built: Built, mutants: list[Program]) -> None:
    """The mutants take the program's cycles and leave the state that it leaves, bit for bit."""
    tokens, state = random_tokens(built, 3), built.loaded()
    for position, token in enumerate(tokens):
        before, after = state, step_token(built, state, position, token)
        state = after.state
    for mutant in mutants:
        before.params[:2] = built.params(position, token).values()
        stepped = step(built.chip, mutant, before)
        assert stepped.length_cycles == after.length_cycles
        assert stepped.state.first_difference(after.state) is None


def test_mutants_of_a_small_program_are_refused_or_equivalent(built: Built) -> None:
    assert_steps_equal(built, equivalent_mutants(built, 40, seed=1))


@pytest.mark.slow
def test_200_mutants_of_a_small_program_are_refused_or_equivalent(built: Built) -> None:
    assert_steps_equal(built, equivalent_mutants(built, 200, seed=2))


@pytest.mark.slow
def test_mutants_of_a_real_program_are_refused_or_equivalent(smollm2: Built) -> None:
    equivalent_mutants(smollm2, 40, seed=3)
