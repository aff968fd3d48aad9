"""What a token takes on a chip: its program, compiled and linked, as work that silicon turns into joules and dollars.

The compiler places weights in ReRAM tiles only. A chip that keeps them in SRAM tiles is compiled as its twin: the same
chip with as many ReRAM tiles that are sensed in one cycle. Where no tile is ever busy for more than a cycle, and an MXM
obeys one instruction a cycle, banks bind nothing and the schedule is the chip's own, to the cycle.
"""

from dataclasses import dataclass

from waterclock.chip import Chip, WeightCell, load
from waterclock.compiler.deployment import Deployment
from waterclock.errors import InputError
from waterclock.frontends.graph import ModelConfig
from waterclock.isa.program import Program
from waterclock.runtime.bundle import Phase, silent
from waterclock.runtime.cache import every_issue
from waterclock.runtime.device import decode_program
from waterclock.runtime.energy import Bill, Line
from waterclock.runtime.llm import CACHE, DEFAULT_CHIP, open_bundle
from waterclock.runtime.speed import speed
from waterclock.runtime.usage import usage
from waterclock.silicon.energy import Constant, EnergyConstants, load_energy_constants
from waterclock.silicon.roofline import ModelReads
from waterclock.silicon.token_energy import Counted, Work
from waterclock.simulator.energy import Activity, count_activities

KEYS_AND_VALUES = 2


@dataclass(frozen=True)
class TokenWork:
    """A token of a model on a chip: its program's work, what it reads, and the schedule's own figures.

    `compiled_for` says which chip the schedule is of, where it is a twin's.
    """

    chip: Chip
    model: str
    program: str
    work: Work
    reads: ModelReads
    bound_cycles: int
    is_twin: bool


def token_work(model: str, chip: Chip | None, context: int | None, phase: Phase = silent) -> TokenWork:
    """Compile (or open a folder), link and count the program for a token in the largest context.

    InputError for what `open_bundle` refuses, and for a chip whose tiles can't hold the model.
    """
    given = load(DEFAULT_CHIP) if chip is None else chip
    is_twin = needs_twin(given)
    asked = twin(given) if is_twin else chip
    deployment = open_bundle(model, asked, context, phase).deployment
    if is_twin:
        check_room(given, deployment)
    own = given if is_twin else deployment.chip
    program = decode_program(deployment)
    phase("linking")
    counts = count_activities(every_issue(program, deployment.chip, CACHE))
    bill = Bill(deployment.chip, counts, load_energy_constants())
    about = f"{program.name} of {deployment.config.name} on {own.name}"
    return TokenWork(
        chip=own,
        model=deployment.config.name,
        program=program.name,
        work=_work(about, own, program, deployment, bill),
        reads=model_reads(deployment.config, deployment.max_context),
        bound_cycles=deployment.explanations[program.name].bound_cycles,
        is_twin=is_twin,
    )


def needs_twin(chip: Chip) -> bool:
    """Whether weights stay in SRAM tiles of a chip."""
    return chip.cell is WeightCell.SRAM and chip.is_pim


def twin(chip: Chip) -> Chip:
    """The chip that keeps in ReRAM tiles, sensed in one cycle, what this one keeps in SRAM tiles.

    InputError where an SRAM bank is busy for longer than a cycle, which the twin would not show.
    """
    if chip.mxm.write_row_cycles != 1:
        raise InputError(
            f"chip {chip.name}: mxm.write_row_cycles = {chip.mxm.write_row_cycles}: must be 1 where SRAM keeps weights"
        )
    return chip.with_fields({
        "cell": "reram", "mxm.num_reram_tiles": chip.mxm.num_sram_tiles, "mxm.num_reram_banks": chip.mxm.num_sram_banks,
        "mxm.sense_cycles": 1,
    })  # fmt: skip


def check_room(chip: Chip, deployment: Deployment) -> None:
    """InputError where weights and cache, which share the tiles, don't fit: of the fullest slice of either."""
    taken = {one.memory: one.taken_there for one in usage(deployment)}
    needed = taken["reram"] + taken["sram"]
    if needed > chip.mxm.num_sram_tiles:
        raise InputError(
            f"chip {chip.name}: mxm.num_sram_tiles = {chip.mxm.num_sram_tiles}: the model needs {needed} in a slice"
        )


def model_reads(config: ModelConfig, num_positions: int) -> ModelReads:
    """What a token reads of a model: all matrices of its layers and the head; of the embedding one row."""
    queries, cached = config.num_heads * config.head_dim, config.num_kv_heads * config.head_dim
    attention = config.hidden * (2 * queries + KEYS_AND_VALUES * cached)
    layer = attention + 3 * config.hidden * config.intermediate
    num_weights = config.num_layers * layer + config.vocab * config.hidden
    return ModelReads(config.name, num_weights, config.num_layers * KEYS_AND_VALUES * cached, num_positions)


def _work(about: str, chip: Chip, program: Program, deployment: Deployment, bill: Bill) -> Work:
    return Work(
        about=about,
        length_cycles=program.length_cycles,
        launch_gap_cycles=chip.launch_gap_cycles,
        num_tokens=speed(deployment, program).num_tokens,
        counted=tuple(
            Counted(line.activity.value, line.count, _constant(chip, bill.constants, line)) for line in bill.lines
        ),
    )


def _constant(chip: Chip, constants: EnergyConstants, line: Line) -> Constant | None:
    """A twin's products of ReRAM are products of SRAM."""
    if line.activity is Activity.RERAM_PRODUCT and not chip.mxm.num_reram_tiles:
        return constants.by_name["sram_product"]
    return line.constant
