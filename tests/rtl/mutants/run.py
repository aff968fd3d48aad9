"""All of it: choose the mutants, build the chip that has them, hunt them, and try to prove the survivors equivalent."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum, auto
from pathlib import Path

from tests.rtl.mutants import chip as mutated_chip
from tests.rtl.mutants import lanes, legal_entries, significands, vectors
from tests.rtl.mutants.choice import SEED, Mutation, choose, num_cells_by_kind
from tests.rtl.mutants.coupling import SEQUENCER
from tests.rtl.mutants.equivalence import proof_of
from tests.rtl.mutants.hunt import Outcome, hunt_all
from tests.rtl.mutants.legal_entries import LEAD
from tests.rtl.mutants.report import Hunted
from tests.rtl.mutants.vectors import Vector
from tests.rtl.small import small
from waterclock.rtl.synth.process import num_processors
from waterclock.rtl.verilated import Simulation

CONTROL_MUTANT = 0
"""The number of no mutant: with it, every vector must agree."""
Tell = Callable[[str], None]


class Group(Enum):
    """Vectors that are alike."""

    PROGRAMS = auto()
    DATAPATHS = auto()
    ANYWHERE = auto()
    IN_QUEUES = auto()
    IN_COUNTERS = auto()
    IN_STORES = auto()


class ControlFailed(AssertionError):
    """The chip with no mutant on is not the chip."""


def run(tell: Tell, seed: int = SEED) -> Hunted:
    """Everything, telling what goes on; ControlFailed where a vector fails without any mutant."""
    with tempfile.TemporaryDirectory() as folder:
        return _run(Path(folder), tell, seed)


def _run(folder: Path, tell: Tell, seed: int) -> Hunted:
    chip = small()
    parts = mutated_chip.prepare(chip, folder)
    mutations = choose(folder, seed)
    tell(f"{len(mutations)} mutants chosen; building")
    design = mutated_chip.with_mutants(chip, mutated_chip.mutated(mutations, folder), parts)
    where = lanes.placed(chip, parts)
    beside = lanes.lanes_with_mutants(where, mutations, folder)
    for one in (design, beside):
        Simulation(one)
    vectors.look_up(chip)
    vectors_by_group = {
        Group.PROGRAMS: vectors.programs(chip, design),
        Group.DATAPATHS: vectors.datapaths(where, beside),
        Group.ANYWHERE: vectors.directed(vectors.ANYWHERE, chip, design),
        Group.IN_QUEUES: vectors.directed(vectors.IN_QUEUES, chip, design),
        Group.IN_COUNTERS: vectors.directed(vectors.IN_COUNTERS, chip, design),
        Group.IN_STORES: vectors.directed(vectors.IN_STORES, chip, design),
    }
    everything = [vector for group in vectors_by_group.values() for vector in group]
    tell(f"{len(everything)} vectors")
    in_order = {mutation.number: ordered(mutation, vectors_by_group) for mutation in mutations}
    outcomes: dict[int, Outcome] = {}
    for outcome in hunt_all({CONTROL_MUTANT: everything, **in_order}):
        outcomes[outcome.number] = outcome
        tell(_told(outcome, mutations))
    control = outcomes.pop(CONTROL_MUTANT)
    if not control.survived:
        raise ControlFailed(f"{control.killed_by}: {control.seen}")
    survivors = [mutation for mutation in mutations if outcomes[mutation.number].survived]
    tell(f"{len(survivors)} survive; proving")
    legal_entries.write(chip, parts, folder)

    def proof(mutation: Mutation) -> str:
        way = proof_of(mutation, folder) or significands.way_of(mutation, folder, where, beside)
        tell(f"{mutation.number}: {way or 'not proven equivalent'}")
        return way

    asked = [*survivors, *proof_controls([mutation for mutation in mutations if mutation not in survivors])]
    with ThreadPoolExecutor(num_processors()) as pool:
        numbers = (mutation.number for mutation in asked)
        proofs = dict(zip(numbers, pool.map(proof, asked), strict=True))
    if wrong := [number for number, way in proofs.items() if way and not outcomes[number].survived]:
        raise ControlFailed(f"a vector kills {wrong[0]}, and it is proven equivalent: {proofs[wrong[0]]}")
    return Hunted(mutations, outcomes, proofs, num_cells_by_kind(folder))


def proof_controls(killed: Sequence[Mutation]) -> list[Mutation]:
    """For each kind of module that has a proof of its own, and for the others, one that is a fault and must not be
    proven equivalent."""
    kinds = (LEAD, SEQUENCER, ".vxm_", "mem_", "sxm_", "icu_")
    found = (next((one for one in killed if kind in one.module), None) for kind in kinds)
    return list(dict.fromkeys(one for one in found if one))


def ordered(mutation: Mutation, vectors_by_group: Mapping[Group, Sequence[Vector]]) -> list[Vector]:
    """The vectors that a mutant meets, in the order in which they are likely to kill it soonest.

    The lanes alone have the mutants of lanes and halvings only.
    """
    module = mutation.module.partition(".")[0]
    first, *others = vectors_by_group[Group.PROGRAMS]
    in_lane = [one for one in vectors_by_group[Group.DATAPATHS] if one.name.endswith(f" in {module}")]
    in_stores = vectors_by_group[Group.IN_STORES] if ".store" in mutation.module else ()
    counts = mutation.module.endswith((".sequencer", ".lead"))
    in_counters = vectors_by_group[Group.IN_COUNTERS] if counts else ()
    in_queues = vectors_by_group[Group.IN_QUEUES] if mutation.kind in ("icu", "params") else ()
    return [first, *in_lane, *in_stores, *others, *in_queues, *vectors_by_group[Group.ANYWHERE], *in_counters]


def _told(outcome: Outcome, mutations: Sequence[Mutation]) -> str:
    if outcome.number == CONTROL_MUTANT:
        return f"no mutant: {outcome.killed_by or 'agrees'} {outcome.seen} ({outcome.seconds:.0f} s)"
    one = mutations[outcome.number - 1]
    fate = f"killed by {outcome.killed_by}: {outcome.seen}" if not outcome.survived else "survives"
    return f"{one.number} {one.module} {one.place} {one.mode}: {fate} ({outcome.seconds:.0f} s)"
