"""Order: what waits for what in a segment, and which of its operations is placed next."""

from collections.abc import Callable, Iterator, Sequence
from heapq import heapify, heappop, heappush

from waterclock.compiler.tileops import Chain, TileOp, Use, Vector

Operation = TileOp | Chain


def reads_of(op: Operation) -> list[Vector]:
    """The vectors that an operation reads, one entry for each read operand."""
    if isinstance(op, Chain):
        return [link.x for link in op.links]
    return [operand.vector for operand in op.operands if isinstance(operand, Use)]


def results_of(op: Operation) -> list[Vector]:
    """The vectors that exist once the operation is placed."""
    if isinstance(op, Chain):
        return [op.result]
    return [*([op.result] if op.result else []), *op.publishes]


def by_priority(
    operations: Sequence[Operation], duration: Callable[[Operation], int], operations_per_turn: int
) -> Iterator[Operation]:
    """Operations whose producers came before, the one with the longest path to the end first, a cycle less for each
    `operations_per_turn` that were built before it."""
    after, missing = _dependencies(operations)
    path = [0] * len(operations)
    for i in reversed(range(len(operations))):
        path[i] = duration(operations[i]) + max((path[s] for s in after[i]), default=0)
    rank = [i // operations_per_turn - path[i] for i in range(len(operations))]
    heap = [(rank[i], i) for i in range(len(operations)) if not missing[i]]
    heapify(heap)
    while heap:
        _, i = heappop(heap)
        yield operations[i]
        for s in after[i]:
            missing[s] -= 1
            if not missing[s]:
                heappush(heap, (rank[s], s))


def _dependencies(operations: Sequence[Operation]) -> tuple[list[list[int]], list[int]]:
    """For each operation, those that wait for it and how many it waits for."""
    index = {op: i for i, op in enumerate(operations)}
    producer = {vector: i for i, op in enumerate(operations) for vector in results_of(op)}
    after: list[list[int]] = [[] for _ in operations]
    missing: list[int] = []
    for i, op in enumerate(operations):
        before = {producer[v] for v in reads_of(op) if v in producer}
        before |= {index[v.after] for v in reads_of(op) if v.after}
        if isinstance(op, Chain):
            before |= {index[link.writer] for link in op.links if link.writer}
        elif op.after:
            before.add(index[op.after])
        for b in sorted(before):
            after[b].append(i)
        missing.append(len(before))
    return after, missing
