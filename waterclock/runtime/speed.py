"""How fast a program is: what follows from its cycles, its chip and its schedule. Nothing here is measured."""

from dataclasses import dataclass

from waterclock.compiler.deployment import Deployment
from waterclock.isa.program import Program

NS_PER_US = 1000


@dataclass(frozen=True)
class Speed:
    """One launch of `num_tokens` tokens. The launch gap counts in tokens per second, not in the latency of a launch.

    Utilisations are issues per queue and cycle; the bound is the fewest cycles that this model could take on this chip.
    """

    num_tokens: int
    length_cycles: int
    launch_gap_cycles: int
    clock_mhz: int
    latency_ns: float
    tokens_per_s: float
    mxm_utilization: float
    alu_utilization: float
    bound_cycles: int
    ratio_to_bound: float


def speed(deployment: Deployment, program: Program) -> Speed:
    """The speed of one of the deployment's programs."""
    chip, explanation = deployment.chip, deployment.explanations[program.name]
    num_tokens = 1 + next(param.high for param in program.params if param.name == "last")
    return Speed(
        num_tokens=num_tokens,
        length_cycles=program.length_cycles,
        launch_gap_cycles=chip.launch_gap_cycles,
        clock_mhz=chip.clock_mhz,
        latency_ns=program.length_cycles * NS_PER_US / chip.clock_mhz,
        tokens_per_s=num_tokens * chip.clock_mhz * 1e6 / (program.length_cycles + chip.launch_gap_cycles),
        mxm_utilization=explanation.mxm_utilization,
        alu_utilization=explanation.alu_utilization,
        bound_cycles=explanation.bound_cycles,
        ratio_to_bound=explanation.ratio_to_bound,
    )
