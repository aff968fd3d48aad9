"""The hunt: each mutant, in a process of its own, meets the vectors until one of them kills it."""

import os
import resource
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from time import perf_counter

from tests.rtl.mutants.vectors import Vector

SURVIVED = ""
CRASHED = "the simulation ends its process"
SECONDS = 3_600
"""A mutant for which all vectors together take longer than this does not come to an end."""


@dataclass(frozen=True)
class Outcome:
    """Which vector killed the mutant, "" if none, what it saw, and how long all that took."""

    number: int
    killed_by: str
    seen: str
    seconds: float

    @property
    def survived(self) -> bool:
        return self.killed_by == SURVIVED


def hunt_all(vectors_by_number: Mapping[int, Sequence[Vector]]) -> Iterator[Outcome]:
    """The outcomes as they come, as many hunts at a time as there are processors."""
    waiting = list(vectors_by_number.items())[::-1]
    hunts: dict[Connection, _Hunt] = {}
    while waiting or hunts:
        while waiting and len(hunts) < (os.cpu_count() or 1):
            hunt = _Hunt(*waiting.pop())
            hunts[hunt.pipe] = hunt
        for pipe in [one for one in wait(list(hunts)) if isinstance(one, Connection)]:
            if not hunts[pipe].goes_on():
                yield hunts.pop(pipe).outcome()


class _Hunt:
    """A mutant among the vectors. One whose simulation ends its process, as one that never settles does, is killed."""

    def __init__(self, number: int, vectors: Sequence[Vector]) -> None:
        context = get_context("fork")
        self.number, self.begin = number, perf_counter()
        self.killed_by, self.seen = SURVIVED, CRASHED
        self.pipe, theirs = context.Pipe(duplex=False)
        self.child = context.Process(target=_meet, args=(theirs, number, vectors))
        self.child.start()
        theirs.close()

    def goes_on(self) -> bool:
        """Hear what the child says next; False if it has nothing more to say."""
        try:
            self.killed_by, self.seen = self.pipe.recv()
        except EOFError:
            self.child.join()
            return False
        return True

    def outcome(self) -> Outcome:
        return Outcome(self.number, self.killed_by, self.seen, perf_counter() - self.begin)


def _meet(pipe: Connection, number: int, vectors: Sequence[Vector]) -> None:
    """Say which vector is next before it runs, and at the end what it has seen."""
    _be_quiet()
    for vector in vectors:
        pipe.send((vector.name, CRASHED))
        try:
            vector.check(number)
        except Exception as problem:
            pipe.send((vector.name, _first_line(problem)))
            return
    pipe.send((SURVIVED, ""))


def _first_line(problem: Exception) -> str:
    text = str(problem).partition("\n")[0]
    return f"{type(problem).__name__}: {text}" if text else type(problem).__name__


def _be_quiet() -> None:
    """Verilator's last words are no news; no core is left behind, and no process goes on for ever."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            os.dup2(nowhere, stream.fileno())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
