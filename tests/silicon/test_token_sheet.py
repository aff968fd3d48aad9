"""Cost of a token: parts add up, intervals hold, every leaf has a source, nothing that is counted is dropped."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from waterclock.chip import Chip, load
from waterclock.runtime.energy import CONSTANT_BY_ACTIVITY
from waterclock.silicon.chip_sheet import ChipSheet
from waterclock.silicon.constants import load_constants
from waterclock.silicon.energy import load_energy_constants
from waterclock.silicon.figure import Leaf
from waterclock.silicon.market import accelerator
from waterclock.silicon.roofline import ModelReads, Roofline
from waterclock.silicon.token_cost import TokenCost
from waterclock.silicon.token_energy import ASSUMED, HOPS, Counted, Work
from waterclock.silicon.token_sheet import TokenSheet
from waterclock.simulator.energy import ACTIVITIES

EXAMPLES = Path(__file__).parents[2] / "examples" / "chips"
CHIPS = ["demonstrator", str(EXAMPLES / "lanes128.toml"), str(EXAMPLES / "sram14.toml")]
READS = ModelReads("SmolLM2-135M", 134_479_872, 11_520, 256)


def work_of(chip: Chip) -> Work:
    """A launch that does a million of everything."""
    constants = load_energy_constants()
    counted = [
        Counted(activity.value, 1_000_000, CONSTANT_BY_ACTIVITY[activity](chip, constants))
        if activity in CONSTANT_BY_ACTIVITY
        else Counted(activity.value, 1_000_000, None)
        for activity in ACTIVITIES
    ]
    return Work("a made-up launch", 26_417, 16, 1, tuple(counted))


def sheet_of(name: str, utilisation: float = 50, batches: tuple[int, ...] = (1, 64)) -> TokenSheet:
    chip, constants = load(name), load_constants()
    beside = [Roofline(accelerator("h100"), READS, batch, constants) for batch in batches]
    return TokenSheet(ChipSheet(chip, constants), work_of(chip), utilisation, beside)


@pytest.fixture(scope="module")
def demonstrator() -> TokenSheet:
    return sheet_of("demonstrator")


@pytest.mark.parametrize("name", CHIPS)
def test_every_leaf_of_every_printed_figure_has_a_source(name: str) -> None:
    sheet = sheet_of(name).sheet
    for name in sheet.by_name:
        leaves = [figure for _, figure, _ in sheet.why(name) if isinstance(figure.origin, Leaf)]
        assert leaves, name
        for figure in leaves:
            assert isinstance(figure.origin, Leaf) and figure.origin.source and figure.meaning


def test_every_activity_has_a_constant_or_an_assumption() -> None:
    for activity in ACTIVITIES:
        assert (activity in CONSTANT_BY_ACTIVITY) != (activity.value in ASSUMED or activity.value == HOPS)


def test_parts_add_up(demonstrator: TokenSheet) -> None:
    sheet = demonstrator.sheet
    for cost in demonstrator.costs:
        parts = [sheet.interval(figure) for figure in cost.parts.values()]
        total = sheet.interval(cost.total)
        assert sum(part.typical for part in parts) == pytest.approx(total.typical, rel=1e-12)  # floats
        assert total.low >= sum(part.low for part in parts) * (1 - 1e-9)
        assert total.high <= sum(part.high for part in parts) * (1 + 1e-9)


def test_samples_lie_in_the_intervals(demonstrator: TokenSheet) -> None:
    sheet, rng = demonstrator.sheet, np.random.default_rng(2)
    draws = {figure.name: np.concatenate([rng.random(200), rng.integers(0, 2, 200)]) for figure in sheet.uncertain}
    for name, values in sheet.sampled(draws).items():
        interval = sheet.interval(sheet[name])
        slack = 1e-9 * max(abs(interval.low), abs(interval.high))  # floats, summed in another order
        assert values.min() >= interval.low - slack and values.max() <= interval.high + slack, name


def test_by_hand(demonstrator: TokenSheet) -> None:
    """Typical dollars, worked out once more without figures; tolerance that of floats."""
    sheet = demonstrator.sheet

    def value(name: str) -> float:
        return sheet.interval(sheet[name]).typical

    rate = 1e9 / (26_417 + 16)
    served = rate * 0.5
    recovery = 0.08 / (1 - 1.08**-4) / (365.25 * 24 * 3600)
    chip_power = value("power.leakage") + 0.5 * (value("power.full") - value("power.leakage"))
    mean = chip_power / 0.87 + 500 / 8
    expected = {
        "token.rate": rate,
        "token.electricity": mean * 1.25 * 0.08 / 3.6e6 / served * 1e6,
        "token.chip": value("cost.chip") * recovery / served * 1e6,
        "token.host": (150 + 10_000 / 8) * recovery / served * 1e6,
        "token.facility": (value("power.full") / 0.87 + 500 / 8) * 1.7 / (365.25 * 24 * 3600) / served * 1e6,
    }
    for name, dollars in expected.items():
        assert value(name) == pytest.approx(dollars, rel=1e-12), name


def test_a_program_that_cannot_be_cooled_is_warned_of(demonstrator: TokenSheet) -> None:
    assert demonstrator.warnings == ()
    counted = tuple(replace(one, count=one.count * 100_000) for one in demonstrator.work.counted)
    hot = replace(demonstrator, work=replace(demonstrator.work, counted=counted))
    assert hot.warnings == ("launch after launch the die takes more power than can be cooled",)
    fast = ChipSheet(load("demonstrator").with_fields({"clock_mhz": 1200}), load_constants())
    assert any("clock of 1,200 MHz" in one for one in replace(demonstrator, chip=fast).warnings)


def test_more_use_makes_tokens_cheaper_and_more_chips_dearer(demonstrator: TokenSheet) -> None:
    half, full = demonstrator, sheet_of("demonstrator", 100)
    assert _total(full.cost, full) < _total(half.cost, half)
    two = TokenCost(replace(half.cost.server, prefix="two", num_chips=2), half.utilisation, half.chip.constants)
    from waterclock.silicon.sheet import Sheet

    assert Sheet([two.total]).interval(two.total).typical == pytest.approx(2 * _total(half.cost, half), rel=1e-9)


def _total(cost: TokenCost, sheet: TokenSheet) -> float:
    return sheet.sheet.interval(cost.total).typical
