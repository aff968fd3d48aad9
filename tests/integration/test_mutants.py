"""Compiled programs with one small mistake each: link refuses every one that doesn't compute the same."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from tests.integration.executions import Built, build, random_graph, random_tokens, step_token
from tests.integration.test_random_models import CONTEXT, SHAPES
from tests.simulator.mutate import mutants
from waterclock.chip import Chip
from waterclock.isa.program import Program, instruction_id
from waterclock.isa.record import OPERAND_NAMES, OperandKind
from waterclock.simulator.link import Cause, LinkError, dataflow_equal, link

GROUP = 4
"""Streams of a 32-bit vector."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, tiny: Chip) -> Built:
    """A small model of two layers."""
    return build(random_graph(tmp_path_factory.mktemp("model"), **SHAPES["three to a kv head"]), tiny, CONTEXT)


def equivalent_mutants(built: Built, count: int, seed: int) -> list[Program]:
    """Those of `count` mutants that link accepts: their dataflow and length are those of the program.

    All others are refused with the slice, queue and cycle of the first deviation, but for an output word that nobody
    writes any more: it has no cycle. Prints how many there were of each.
    """
    accepted: list[Program] = []
    outcomes: Counter[str] = Counter()
    for what, mutant in mutants(built.program, count, seed):
        try:
            linked = link(mutant, built.chip)
        except LinkError as refused:
            place = f"slice {refused.slice}, queue {refused.queue}, cycle {refused.cycle}"
            never_written = refused.cause is Cause.OUTPUT and what.startswith("skip")
            assert str(refused).startswith(f"slice {refused.slice}: output" if never_written else place), what
            assert None not in (refused.slice, refused.queue, refused.cycle) or never_written, what
            outcomes[f"refused: {refused.cause}"] += 1
            continue
        assert dataflow_equal(linked, built.linked), what
        accepted.append(mutant)
    print(f"\n{count} mutants: {len(accepted)} equivalent, {outcomes.total()} refused, {dict(outcomes)}")
    assert len(accepted) + outcomes.total() == count
    return accepted


def assert_steps_equal(built: Built, programs: list[Program]) -> None:
    """The mutants take the program's cycles and leave the state that it leaves, bit for bit."""
    tokens, state = random_tokens(built, 3), built.loaded()
    for position, token in enumerate(tokens):
        before, after = state, step_token(built, state, position, token)
        state = after.state
    for mutant in programs:
        stepped = step_token(replace(built, program=mutant), before, position, token)
        assert stepped.length_cycles == after.length_cycles
        assert stepped.state.first_difference(after.state) is None


def rerouted(program: Program, chip: Chip, count: int, seed: int) -> Iterator[Program]:
    """Programs in which one result and all its readers use another stream than before, whether it is free or not."""
    rng = np.random.default_rng(seed)
    number_by_queue = {name: chip.queue_by_name[name].number for name in program.queues}
    producers = [
        (name, entry)
        for name, records in program.queues.items()
        for entry in np.flatnonzero(records["result"]["direction"]).tolist()
    ]
    for place in rng.choice(len(producers), count, replace=False):
        name, entry = producers[place]
        queues = {queue: records.copy() for queue, records in program.queues.items()}
        result = queues[name][entry]["result"]
        shift = GROUP * int(rng.integers(1, chip.num_groups))
        result["stream"] = (int(result["stream"]) + shift) % chip.num_streams
        producer = instruction_id(number_by_queue[name], entry)
        for queue, records in queues.items():
            for operand in OPERAND_NAMES:
                meant = program.flow[queue][operand]
                reads = (meant["first"] == producer) | (meant["carried"] == producer)
                on_stream = np.isin(records[operand]["kind"], (OperandKind.EAST, OperandKind.WEST))
                index = records[operand]["index"]
                index[reads & on_stream] = (index[reads & on_stream].astype(int) + shift) % chip.num_streams
        yield replace(program, queues=queues)


def test_mutants_of_a_small_program_are_refused_or_equivalent(built: Built) -> None:
    assert_steps_equal(built, equivalent_mutants(built, 40, seed=1))


@pytest.mark.slow
def test_200_mutants_of_a_small_program_are_refused_or_equivalent(built: Built) -> None:
    assert_steps_equal(built, equivalent_mutants(built, 200, seed=2))


@pytest.mark.slow
def test_mutants_of_a_real_program_are_refused_or_equivalent(smollm2: Built) -> None:
    equivalent_mutants(smollm2, 200, seed=3)


def test_a_rerouted_program_is_refused_or_steps_the_same(built: Built) -> None:
    """Where the other stream is free, nothing but the stream changes: these are equivalent, and some must be."""
    accepted: list[Program] = []
    for mutant in rerouted(built.program, built.chip, 12, seed=4):
        try:
            linked = link(mutant, built.chip)
        except LinkError as refused:
            assert refused.cycle is not None
            continue
        assert dataflow_equal(linked, built.linked)
        accepted.append(mutant)
    print(f"\n12 rerouted programs: {len(accepted)} equivalent, {12 - len(accepted)} refused")
    assert accepted
    assert_steps_equal(built, accepted)
