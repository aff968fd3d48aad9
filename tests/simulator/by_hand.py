"""Launches of queues that are written by hand, on the stepper."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pytest

from waterclock.chip import Chip, load
from waterclock.isa.assembly import assemble
from waterclock.isa.program import Param, Program
from waterclock.simulator.errors import MachineError
from waterclock.simulator.events import Event, Kind
from waterclock.simulator.state import State
from waterclock.simulator.stepper import Stepped, step

CHIP = load("tiny")
X = {piece.name: piece.x for piece in CHIP.slices}
INDEX = {piece.name: piece.index for piece in CHIP.slices}
READ, SIMPLE, ADD, MATVEC = CHIP.latency.mem_read, CHIP.latency.vxm_simple, CHIP.latency.vxm_add, CHIP.latency.matvec
LANE = np.arange(CHIP.lanes, dtype=np.int32)
PARAMS = (Param("position", 0, 0, 100), Param("choice", 1, -50, 50, host=False))
ONE, TWO = "0x00000001", "0x00000002"


@dataclass(frozen=True)
class Run:
    """A launch of hand-written queues, with what it told."""

    stepped: Stepped
    events: tuple[Event, ...]

    @property
    def length_cycles(self) -> int:
        return self.stepped.length_cycles

    @property
    def state(self) -> State:
        return self.stepped.state

    def written(self, memory: str, number: int) -> list[int]:
        """A MEM word after the launch."""
        return self.state.mem[INDEX[memory], number].tolist()

    def words(self, kind: Kind) -> list[tuple[int, list[int]]]:
        """Cycle and value, as int32, of the events of a kind."""
        chosen = [event for event in self.events if event.kind is kind]
        return [(event.cycle, np.frombuffer(event.value, np.int32).tolist()) for event in chosen]

    def firsts(self, kind: Kind) -> list[tuple[int, int]]:
        """As `words`, of lane 0 alone."""
        return [(cycle, value[0]) for cycle, value in self.words(kind)]


def program(queues: Mapping[str, str], chip: Chip = CHIP) -> Program:
    """A program of queues given as text, one entry a line, `icu.start` left out."""
    text = "".join(f"queue {name}:\nicu.start\n{lines}\n" for name, lines in queues.items())
    return Program("test", chip.sha256, assemble(text), {}, {}, (), (), PARAMS, (), 0)


def launch(queues: Mapping[str, str], state: State | None = None) -> Run:
    events: list[Event] = []
    stepped = step(CHIP, program(queues), state or numbered_state(), events.append)
    return Run(stepped, tuple(events))


def numbered_state() -> State:
    """A state in which lane l of MEM word w is 100 * w + l, and tiles hold random weights."""
    state, rng = State.zero(CHIP), np.random.default_rng(0)
    state.mem[:] = 100 * np.arange(CHIP.mem.num_words, dtype=np.int32)[:, None] + LANE
    state.reram[:] = rng.integers(-128, 128, state.reram.shape)
    state.sram[:] = rng.integers(-128, 128, state.sram.shape)
    return state


def word(number: int) -> list[int]:
    return (100 * number + LANE).tolist()


def at(cycle: int, text: str) -> str:
    """`text`, the first entry of its queue, issued in this cycle."""
    return f"icu.nop n={cycle}\n{text}" if cycle else text


def fails(queues: Mapping[str, str], cycle: int, queue: str, cause: str, state: State | None = None) -> None:
    with pytest.raises(MachineError, match=cause) as caught:
        launch(queues, state)
    assert (caught.value.cycle, caught.value.queue) == (cycle, queue)


def passes_vxm(source: str) -> int:
    return READ + abs(X["vxm"] - X[source])


def passes_target(target: str) -> int:
    return SIMPLE + abs(X[target] - X["vxm"])


def chain(source: str, there: str, target: str, back: str, early: int = 0, late: int = 0) -> dict[str, str]:
    """Read in cycle 0, add 1000 as it passes the VXM, write; with the addition or the write at the wrong time."""
    return {
        source: f"mem.read32 word[7] -> s0{there}",
        "vxm.alu0": at(passes_vxm(source) + early, f"vxm.iadd s0{there}, 0x3e8 -> s4{back}"),
        target: at(passes_vxm(source) + passes_target(target) + late, f"mem.write32 s4{back}, word[9]"),
    }


BYTES = np.array([0, 1, 127, 128, 200, 255, 3, 64], np.uint8)
ARRIVES = READ + X["mxm1"] - X["mem3"]


def feed_mxm(lines: str, num_bytes: int = 1) -> Run:
    """BYTES, repeated, pass mxm1 as s0e from cycle ARRIVES on, where its queue starts."""
    return launch(feed(lines, num_bytes), bytes_state())


def feed(lines: str, num_bytes: int = 1) -> dict[str, str]:
    repeat = f"\nicu.repeat n={num_bytes - 1}, distance=1" if num_bytes > 1 else ""
    return {
        "mem3": f"mem.read8 byte[0] -> s0e{repeat}",
        "mxm1": at(ARRIVES, lines),
    }


def bytes_state() -> State:
    state = numbered_state()
    state.mem[INDEX["mem3"], 0] = BYTES
    return state
