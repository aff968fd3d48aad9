"""How fast the RTL of `tiny` runs in lockstep, beside the RTL alone and the stepper that makes the traces.

    python benchmarks/rtl.py

A small Llama with random weights generates tokens. The stepper's traces are made before and not counted; writing the
parameters, launching and comparing every change are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from time import perf_counter

from waterclock.chip import Chip, load
from waterclock.cli.terminal import print_rows
from waterclock.compiler.compile import compile_model
from waterclock.compiler.deployment import Deployment
from waterclock.frontends.random_llama import random_llama
from waterclock.quantize import Scheme, quantize
from waterclock.rtl.cosim import design_of
from waterclock.rtl.images import Memories
from waterclock.rtl.lockstep import Checked, Lockstep
from waterclock.rtl.verilated import Simulation
from waterclock.runtime.device import decode_program, loaded_state
from waterclock.simulator.events import Event
from waterclock.simulator.stepper import step

NUM_RUNS = 10
FIRST_TOKEN = 7
IDLE_CYCLES = 50_000


@dataclass(frozen=True)
class Launch:
    """A launch as the stepper made it."""

    params: Mapping[int, int]
    events: tuple[Event, ...]
    length_cycles: int
    seconds: float


def traced(deployment: Deployment) -> list[Launch]:
    """A launch for each position, every token the one that was chosen before."""
    program, state = decode_program(deployment), loaded_state(deployment)
    index_by_name = {param.name: param.index for param in program.params}
    position, token = index_by_name["position"], index_by_name["token"]
    state.params[token] = FIRST_TOKEN
    launches: list[Launch] = []
    for number in range(deployment.max_context):
        state.params[position] = number
        params, events = {position: number, token: int(state.params[token])}, list[Event]()
        begin = perf_counter()
        stepped = step(deployment.chip, program, state, events.append)
        launches.append(Launch(params, tuple(events), stepped.length_cycles, perf_counter() - begin))
        state = stepped.state
    return launches


def run(deployment: Deployment, launches: list[Launch]) -> list[Checked]:
    """All launches on a new chip; each must be equal."""
    state = loaded_state(deployment)
    memories = Memories(state.mem, state.reram, state.sram, state.params)
    lockstep = Lockstep(deployment.chip, decode_program(deployment), memories)
    checks = [lockstep.launch(one.params, one.events, one.length_cycles) for one in launches]
    different = [check.difference for check in checks if check.difference]
    if different:
        raise SystemExit(f"benchmarks/rtl.py: {different[0]}")
    return checks


def idle_rate(chip: Chip) -> float:
    """Cycles a second of the RTL with nothing to do and nothing compared."""
    simulation = Simulation(design_of(chip))
    inputs = simulation.blank(IDLE_CYCLES)
    begin = perf_counter()
    simulation.drive(inputs)
    return IDLE_CYCLES / (perf_counter() - begin)


def main() -> None:
    chip = load("tiny")
    deployment = compile_model(quantize(random_llama(), Scheme()), chip, 2 * chip.lanes).deployment
    launches = traced(deployment)
    checks = [check for _ in range(NUM_RUNS) for check in run(deployment, launches)]
    num_cycles, num_changes = (sum(getattr(one, name) for one in checks) for name in ("num_cycles", "num_changes"))
    rates = [check.num_cycles / check.seconds for check in checks]
    stepping = sum(one.length_cycles for one in launches) / sum(one.seconds for one in launches)
    print_rows([
        ("compared", f"{num_changes:,} changes in {num_cycles:,} cycles of {len(checks)} tokens"),
        ("RTL in lockstep", f"{median(rates):,.0f} cycles/s, from {min(rates):,.0f} to {max(rates):,.0f}"),
        ("RTL with nothing to do", f"{idle_rate(chip):,.0f} cycles/s"),
        ("stepper", f"{stepping:,.0f} cycles/s"),
        ("RTL in lockstep / stepper", f"{median(rates) / stepping:.1f}"),
    ])  # fmt: skip


if __name__ == "__main__":
    main()
