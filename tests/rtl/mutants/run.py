"""All of it: choose the mutants, build the chip that has them, hunt them, and try to prove the survivors equivalent."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.rtl.mutants import chip as mutated_chip
from tests.rtl.mutants import lanes, vectors
from tests.rtl.mutants.choice import Mutation, choose, num_cells_by_kind
from tests.rtl.mutants.equivalence import proof_of
from tests.rtl.mutants.hunt import Outcome, hunt_all
from tests.rtl.mutants.report import Hunted
from tests.rtl.mutants.vectors import Vector
from waterclock.rtl.verilated import Simulation

CONTROL_MUTANT = 0
"""The number of no mutant: with it, every vector must agree."""
Tell = Callable[[str], None]


class ControlFailed(AssertionError):
    """The chip with no mutant on is not the chip."""


def run(tell: Tell) -> Hunted:
    """Everything, telling what goes on; ControlFailed where a vector fails without any mutant."""
    with tempfile.TemporaryDirectory() as folder:
        return _run(Path(folder), tell)


def _run(folder: Path, tell: Tell) -> Hunted:
    chip = mutated_chip.small()
    parts = mutated_chip.prepare(chip, folder)
    mutations = choose(folder)
    tell(f"{len(mutations)} mutants chosen; building")
    design = mutated_chip.with_mutants(chip, mutated_chip.mutated(mutations, folder), parts)
    where = lanes.placed(chip, parts)
    beside = lanes.lanes_with_mutants(where, mutations, folder)
    for one in (design, beside):
        Simulation(one)
    programs = vectors.programs(chip, design)
    directed, datapaths = vectors.directed(chip, design), vectors.datapaths(where, beside)
    everything = [*programs, *directed, *datapaths]
    tell(f"{len(everything)} vectors")
    in_order = {mutation.number: ordered(mutation, programs, directed, datapaths) for mutation in mutations}
    outcomes: dict[int, Outcome] = {}
    for outcome in hunt_all({CONTROL_MUTANT: everything, **in_order}):
        outcomes[outcome.number] = outcome
        tell(_told(outcome, mutations))
    control = outcomes.pop(CONTROL_MUTANT)
    if not control.survived:
        raise ControlFailed(f"{control.killed_by}: {control.seen}")
    survivors = [mutation for mutation in mutations if outcomes[mutation.number].survived]
    proofs = {mutation.number: proof_of(mutation, folder) for mutation in survivors}
    return Hunted(mutations, outcomes, proofs, num_cells_by_kind(folder))


def ordered(
    mutation: Mutation, programs: Sequence[Vector], directed: Sequence[Vector], datapaths: Sequence[Vector]
) -> list[Vector]:
    """The vectors in the order in which they are likely to kill this mutant soonest: where illegal entries are told
    from legal ones, which is in the store of a queue, the directed ones come before most programs.

    The lanes alone have the mutants of lanes and halvings only; to the others their vectors can do nothing.
    """
    in_lane = [vector for vector in datapaths if vector.name.endswith(f" in {mutation.module.partition('.')[0]}")]
    rest = (directed, programs[1:]) if ".store" in mutation.module else (programs[1:], directed)
    return [programs[0], *in_lane, *rest[0], *rest[1]]


def _told(outcome: Outcome, mutations: Sequence[Mutation]) -> str:
    if outcome.number == CONTROL_MUTANT:
        return f"no mutant: {outcome.killed_by or 'agrees'} {outcome.seen} ({outcome.seconds:.0f} s)"
    one = mutations[outcome.number - 1]
    fate = f"killed by {outcome.killed_by}: {outcome.seen}" if not outcome.survived else "survives"
    return f"{one.number} {one.module} {one.place} {one.mode}: {fate} ({outcome.seconds:.0f} s)"
