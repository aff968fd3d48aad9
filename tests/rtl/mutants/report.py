"""What came of the hunt, as tables in Markdown."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from tests.rtl.mutants.choice import Mutation
from tests.rtl.mutants.explained import EXPLANATIONS
from tests.rtl.mutants.hunt import Outcome


@dataclass(frozen=True)
class Hunted:
    """All mutants with their outcomes, by number, and how those that survive are proven equivalent, if they are."""

    mutations: Sequence[Mutation]
    outcomes: Mapping[int, Outcome]
    proofs: Mapping[int, str]
    num_cells_by_kind: Mapping[str, int]

    @property
    def survivors(self) -> list[Mutation]:
        return [mutation for mutation in self.mutations if self.outcomes[mutation.number].survived]

    @property
    def unproven(self) -> list[Mutation]:
        """Survivors that are not proven equivalent."""
        return [mutation for mutation in self.survivors if not self.proofs[mutation.number]]

    @property
    def unexplained(self) -> list[Mutation]:
        """Survivors that are neither proven equivalent nor explained."""
        return [mutation for mutation in self.unproven if mutation.name not in EXPLANATIONS]

    def rates(self) -> tuple[float, float]:
        """The share killed of all mutants, and of those that are not proven equivalent."""
        num, num_survivors = len(self.mutations), len(self.survivors)
        num_equivalent = num_survivors - len(self.unproven)
        return (num - num_survivors) / num, (num - num_survivors) / (num - num_equivalent)

    def lines(self) -> Iterator[str]:
        yield from _table(
            ("slices", "cells", "mutants", "killed", "proven equivalent", "other survivors"), self._kinds()
        )
        of_all, of_others = self.rates()
        yield f"\nKilled: {of_all:.1%} of all, {of_others:.1%} of those that are not proven equivalent.\n"
        killers = Counter(_group(outcome.killed_by) for outcome in self.outcomes.values() if not outcome.survived)
        yield from _table(("first killed by", "mutants"), ((name, str(number)) for name, number in killers.items()))
        yield ""
        yield from _table(
            ("survivor", "module", "cell, port and bit", "mode", "why"), map(self._survivor, self.survivors)
        )

    def _kinds(self) -> Iterator[tuple[str, ...]]:
        survivors, unproven, every = (
            Counter(one.kind for one in some) for some in (self.survivors, self.unproven, self.mutations)
        )
        for kind, num_cells in self.num_cells_by_kind.items():
            num, living, other = every[kind], survivors[kind], unproven[kind]
            yield kind, f"{num_cells:,}", str(num), str(num - living), str(living - other), str(other)
        sums = (sum(counter.values()) for counter in (every, survivors, unproven))
        num, living, other = sums
        total = f"{sum(self.num_cells_by_kind.values()):,}"
        yield "all", total, str(num), str(num - living), str(living - other), str(other)

    def _survivor(self, mutation: Mutation) -> tuple[str, ...]:
        proof = self.proofs[mutation.number]
        why = f"equivalent: proven, {proof}" if proof else EXPLANATIONS.get(mutation.name, "not explained")
        return str(mutation.number), mutation.module, f"`{mutation.place}`", mutation.mode, why


def _group(vector: str) -> str:
    """The test that a vector belongs to."""
    return vector.partition(":")[0].partition(" vxm.")[0].rstrip("0123456789 ")


def _table(header: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
