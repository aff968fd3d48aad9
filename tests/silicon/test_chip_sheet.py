"""A chip on its sheet: every leaf has a source, intervals hold samples, published silicon is near, nodes all work."""

from pathlib import Path

import numpy as np
import pytest

from waterclock.chip import Chip, list_chips, load
from waterclock.errors import InputError
from waterclock.silicon.chip_sheet import ChipSheet
from waterclock.silicon.constants import load_constants
from waterclock.silicon.cost import Plan
from waterclock.silicon.figure import Confidence, Leaf
from waterclock.silicon.floorplan import floorplan
from waterclock.silicon.yields import DefectSet, YieldModel

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "chips").glob("*.toml"))
CHIPS = [*list_chips(), *map(str, EXAMPLES)]
NODES = load_constants().nodes("wafer.price")


def sheet_of(chip: Chip, plan: Plan | None = None) -> ChipSheet:
    return ChipSheet(chip, load_constants(), plan or Plan())


def typical(sheet: ChipSheet, name: str) -> float:
    return sheet.sheet.interval(sheet.sheet[name]).typical


@pytest.fixture(scope="module")
def demonstrator() -> ChipSheet:
    return sheet_of(load("demonstrator"))


@pytest.mark.parametrize("name", CHIPS)
def test_every_figure_ends_at_sources_and_lies_in_its_interval(name: str) -> None:
    sheet = sheet_of(load(name)).sheet
    for figure in sheet.leaves:
        assert isinstance(figure.origin, Leaf) and figure.origin.source and figure.meaning
    for figure in sheet.by_name.values():
        interval, (p10, p90) = sheet.interval(figure), sheet.likely(figure)
        assert interval.low <= p10 <= interval.typical * (1 + 1e-12) and interval.typical * (1 - 1e-12) <= p90  # floats
        assert p90 <= interval.high
        assert np.isfinite([interval.low, interval.high]).all()


def test_why_reaches_a_leaf_from_every_printed_figure(demonstrator: ChipSheet) -> None:
    sheet = demonstrator.sheet
    for figures in demonstrator.sections.values():
        for figure in figures:
            lines = list(sheet.why(figure.name))
            assert lines[0][1] is figure
            leaves = [one for _, one, _ in lines if isinstance(one.origin, Leaf)]
            assert leaves and all(one.origin.source for one in leaves if isinstance(one.origin, Leaf))


@pytest.mark.parametrize("name", CHIPS)
def test_samples_of_all_constants_lie_in_the_intervals(name: str) -> None:
    """500 draws of all leaves at once, half of them at corners."""
    sheet, rng = sheet_of(load(name)).sheet, np.random.default_rng(1)
    draws = {figure.name: np.concatenate([rng.random(250), rng.integers(0, 2, 250)]) for figure in sheet.uncertain}
    for figure, values in sheet.sampled(draws).items():
        interval = sheet.interval(sheet[figure])
        slack = 1e-9 * max(abs(interval.low), abs(interval.high))  # floats, summed in another order
        assert values.min() >= interval.low - slack and values.max() <= interval.high + slack, figure


def test_the_demonstrator_is_as_large_as_its_design(demonstrator: ChipSheet) -> None:
    """200 to 610 mm2 by the design study; weights alone 107 to 455, by a storage macro and by a compute macro."""
    assert 200 <= typical(demonstrator, "die.area") <= 610
    sheet = demonstrator.sheet
    weights = sheet.interval(sheet["area.mxm.reram"])
    assert 8 * weights.low <= 455 and 8 * weights.high >= 107


def test_the_published_chip_lies_in_the_interval_of_its_model() -> None:
    """25 x 29 mm; typically within a factor of 2, which the wide bounds would not say."""
    sheet = sheet_of(load("groq-tsp"))
    area = sheet.sheet.interval(sheet.sheet["die.area"])
    assert area.low <= 725 <= area.high and 1 / 2 <= area.typical / 725 <= 2


@pytest.mark.parametrize("node", NODES)
def test_every_node_of_the_table_works(node: int) -> None:
    sheet = sheet_of(load("demonstrator").with_fields({"node_nm": node}))
    assert 0 < typical(sheet, "cost.good_die") < typical(sheet, "cost.chip")
    assert all(sheet.sheet.interval(figure) for figures in sheet.sections.values() for figure in figures)


def test_memories_and_logic_shrink_from_node_to_node() -> None:
    chip = load("groq-tsp")
    areas = [typical(sheet_of(chip.with_fields({"node_nm": node})), "die.area") for node in NODES]
    assert areas == sorted(areas, reverse=True)


def test_a_node_that_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(InputError, match=r"node_nm = 22: .* is known for 28, 20, 14, 10, 7, 5 nm only"):
        _ = sheet_of(load("demonstrator").with_fields({"node_nm": 22})).sheet


@pytest.mark.parametrize(
    "plan", [Plan(defect_set=one, yield_model=two) for one in DefectSet for two in YieldModel], ids=str
)
def test_every_set_of_defects_and_model_can_be_chosen(plan: Plan) -> None:
    assert 50 < typical(sheet_of(load("demonstrator"), plan), "yield.die") < 100


def test_spares_cost_area_and_raise_yield(demonstrator: ChipSheet) -> None:
    spared = sheet_of(load("demonstrator"), Plan(spare_mxm=1, spare_superlanes=1))
    assert typical(spared, "die.area_with_spares") > typical(demonstrator, "die.area")
    assert typical(spared, "yield.die") > typical(demonstrator, "yield.die")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Plan(spare_mxm=-1), "--spare-mxm -1: must be 0 to 3"),
        (lambda: Plan(spare_superlanes=4), "--spare-superlanes 4: must be 0 to 3"),
        (lambda: Plan(num_chips=0), "--volume 0: must be at least 1"),
        (lambda: sheet_of(load("tiny"), Plan(spare_superlanes=1)).sheet, "lanes = 8: must be a multiple of 16"),
    ],
)
def test_what_cannot_be_made_is_refused(make, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_warnings_say_what_cannot_be() -> None:
    assert any("cooled" in one for one in sheet_of(load("groq-tsp")).warnings)
    large = load("demonstrator").with_fields({"mxm.num_reram_tiles": 16384})
    assert any("scanner" in one for one in sheet_of(large).warnings)
    assert not any("wafer" in one for one in sheet_of(large).warnings)
    fast = load("demonstrator").with_fields({"clock_mhz": 1200})
    assert any("clock of 1,200 MHz" in one for one in sheet_of(fast).warnings)
    cool = ChipSheet(load("demonstrator"), load_constants(), Plan(), load_percent=1)
    assert cool.warnings == ()


def test_exactness_is_said_of_what_is_exact_only(demonstrator: ChipSheet) -> None:
    for figure in demonstrator.sheet.leaves:
        if isinstance(figure.origin, Leaf) and figure.origin.confidence is Confidence.EXACT:
            assert figure.origin.low == figure.origin.high


@pytest.mark.parametrize("name", CHIPS)
def test_the_floorplan_is_to_scale(name: str) -> None:
    """Boxes fill the die and do not overlap; tolerance that of sums of floats."""
    sheet = sheet_of(load(name))
    plan = floorplan(sheet.area)
    assert sum(box.width * box.height for box in plan.boxes) == pytest.approx(plan.width * plan.height, rel=1e-9)
    columns = {box.slice: (box.x, box.width) for box in plan.boxes}
    assert sum(width for _, width in columns.values()) == pytest.approx(plan.width, rel=1e-9)
    share = 1 + sheet.sheet.interval(sheet.constants["die.overhead"]).typical / 100
    for box in plan.boxes:
        kind = sheet.chip.slice_by_name[box.slice].kind
        area = sheet.sheet.interval(sheet.area.parts[kind][box.part]).typical
        assert box.width * box.height == pytest.approx(area * share, rel=1e-9)


def test_a_chip_beyond_all_measure_has_figures_and_a_warning() -> None:
    """Nothing is infinite or negative where no die of its size fits on a wafer."""
    sheet = sheet_of(load("demonstrator").with_fields({"lanes": 1024, "layout.num_mem_west": 256}))
    assert sheet.sheet.interval(sheet.cost.good_die).low > 0 and sheet.sheet.interval(sheet.cost.gross).low == 1
    assert any("scanner" in one for one in sheet.warnings)
    assert any("larger than a wafer" in one for one in sheet.warnings)


def test_the_longest_hop_has_the_interval_of_the_widest_slice() -> None:
    """The most of a maximum is the most of its inputs, whichever is widest while all are typical."""
    changed = load("tiny").with_fields({"clock_mhz": 2000, "layout.num_mem_west": 4})
    sheet = sheet_of(changed).sheet
    widths = [sheet.interval(one).high for name, one in sheet.by_name.items() if name.startswith("die.width.")]
    widest, wire = sheet.interval(sheet["die.widest_slice"]), sheet.interval(sheet["timing.wire"])
    assert widest.high == pytest.approx(max(widths), rel=1e-12)  # floats
    register = 6 * 13 * 1.4
    hop = sheet.interval(sheet["timing.stream"])
    assert hop.high == pytest.approx(widest.high * wire.high + register, rel=1e-12)  # floats


@pytest.mark.parametrize("name", [name for name in CHIPS if load(name).lanes % 16 == 0])
def test_spares_of_both_kinds_can_be_chosen_together(name: str) -> None:
    """Of 8 superlanes and 8 MXM slices two coefficients are -72, and are no two figures of one name."""
    spared = [typical(sheet_of(load(name), Plan(spare_mxm=n, spare_superlanes=m)), "yield.die")
              for n, m in ((0, 0), (1, 1), (2, 2), (3, 3))]  # fmt: skip
    assert spared == sorted(spared) and spared[0] < spared[-1] < 100


@pytest.mark.parametrize("spares", [(3, 0), (0, 3), (3, 3)])
def test_yield_with_spares_stays_a_share(spares: tuple[int, int]) -> None:
    """On the largest chip that there can be: 128 MXM slices, 1,024 lanes, of the smallest tiles."""
    chip = load("demonstrator").with_fields({
        "lanes": 1024, "layout.num_mxm_west": 64, "layout.num_mxm_east": 64, "mxm.num_reram_tiles": 8,
        "mxm.num_sram_tiles": 8, "node_nm": 5,
    })  # fmt: skip
    plan = Plan(DefectSet.TTM, spare_mxm=spares[0], spare_superlanes=spares[1])
    sheet = sheet_of(chip, plan)
    interval = sheet.sheet.interval(sheet.cost.die_yield)
    assert 0 < interval.low <= interval.high <= 100
