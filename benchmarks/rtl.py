"""How fast the RTL of `tiny` runs in lockstep, beside the RTL alone and the stepper that makes the traces.

    python benchmarks/rtl.py

A small Llama with random weights generates tokens. The stepper's trace of a token is made before and not counted.
Writing the parameters, launching and comparing every change are counted.
"""

from statistics import median
from time import perf_counter

from waterclock.chip import load
from waterclock.cli.terminal import print_rows
from waterclock.compiler.compile import compile_model
from waterclock.frontends.random_llama import random_llama
from waterclock.quantize import Scheme, quantize
from waterclock.rtl.cosim import design_of
from waterclock.rtl.verilated import Simulation
from waterclock.runtime.device import Device
from waterclock.runtime.rtl_check import CheckedToken, RtlCheck

NUM_RUNS = 4
FIRST_TOKEN = 7


def checked_tokens() -> list[CheckedToken]:
    """Every position of the context, as often as there are runs; each must be equal."""
    chip = load("tiny")
    deployment = compile_model(quantize(random_llama(), Scheme()), chip, 2 * chip.lanes).deployment
    tokens: list[CheckedToken] = []
    for _ in range(NUM_RUNS):
        device = Device(deployment)
        tokens += RtlCheck(device).generate(FIRST_TOKEN, device.num_positions)
    different = [token.difference for token in tokens if token.difference]
    if different:
        raise SystemExit(f"benchmarks/rtl.py: {different[0]}")
    return tokens


def idle_rate(num_cycles: int = 20_000) -> float:
    """Cycles a second of the RTL with nothing to do and nothing compared."""
    simulation = Simulation(design_of(load("tiny")))
    inputs = simulation.blank(num_cycles)
    begin = perf_counter()
    simulation.drive(inputs)
    return num_cycles / (perf_counter() - begin)


def main() -> None:
    tokens = checked_tokens()
    rates = [token.checked.num_cycles / token.checked.seconds for token in tokens]
    stepping = [token.checked.num_cycles / token.stepping_s for token in tokens]
    num_cycles = sum(token.checked.num_cycles for token in tokens)
    num_changes = sum(token.checked.num_changes for token in tokens)
    print_rows([
        ("compared", f"{num_changes:,} changes in {num_cycles:,} cycles of {len(tokens)} tokens"),
        ("RTL in lockstep", f"{median(rates):,.0f} cycles/s, from {min(rates):,.0f} to {max(rates):,.0f}"),
        ("RTL with nothing to do", f"{idle_rate():,.0f} cycles/s"),
        ("stepper", f"{median(stepping):,.0f} cycles/s"),
        ("RTL in lockstep / stepper", f"{median(rates) / median(stepping):.1f}"),
    ])  # fmt: skip


if __name__ == "__main__":
    main()
