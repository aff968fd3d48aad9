"""The catalog of accelerators, and their time by roofline."""

import csv
from pathlib import Path
from statistics import median

import pytest

from waterclock.errors import InputError
from waterclock.silicon.constants import load_constants
from waterclock.silicon.figure import Confidence, Leaf
from waterclock.silicon.market import UNIT_BY_COLUMN, accelerator, accelerator_of, accelerators
from waterclock.silicon.roofline import ModelReads, Roofline, comparable, missing_columns
from waterclock.silicon.sheet import Sheet

SMOLLM2 = ModelReads("SmolLM2-135M", 134_479_872, 11_520, 256)
MEASURED = Path(__file__).parents[3] / "shared" / "data" / "h100-serving-measurements.csv"
ROW = {"chip": "x", "source": "s", "date": "2025-12", "confidence": "high", "planar": "no", "memory": "dram"}


@pytest.mark.parametrize("slug", accelerators())
def test_every_number_has_a_source_and_a_date(slug: str) -> None:
    one = accelerator(slug)
    for column in one.value_by_column:
        origin = one[column].origin
        assert isinstance(origin, Leaf) and one.date in origin.source and len(origin.source) > 12
        assert one[column] is one[column]


def test_an_accelerator_is_found_by_name_slug_or_beginning() -> None:
    assert accelerator("H100-SXM5-80GB") is accelerator("h100-sxm5-80gb") is accelerator("h100")
    with pytest.raises(InputError, match="no accelerator 'h2000'"):
        accelerator("h2000")
    with pytest.raises(InputError, match="accelerator 'tpu': is it tpu-v5e or tpu-v6e-trillium or tpu-v7-ironwood"):
        accelerator("tpu")


def test_a_source_of_its_own_says_how_well_a_number_is_founded() -> None:
    """The operations of the Ascend 910B are its reported TPP over 8 bits, its links nobody's word."""
    one = accelerator("ascend-910b1")
    founded = {"int8_or_fp8_TOPS": Confidence.DERIVED, "io_GBps_bidir": Confidence.REMEMBERED,
               "mem_GB": Confidence.SOURCED}  # fmt: skip
    for column, confidence in founded.items():
        origin = one[column].origin
        assert isinstance(origin, Leaf) and origin.confidence is confidence


def test_a_price_that_is_a_range_has_bounds() -> None:
    origin = accelerator("h20")["price_usd"].origin
    assert isinstance(origin, Leaf) and (origin.low, origin.typical, origin.high) == (10_000, 12_000, 13_000)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tdp_W": "hot"}, "row 3: tdp_W = 'hot': must be a number above 0"),
        ({"tdp_W": "-1"}, "tdp_W = '-1': must be a number above 0"),
        ({"tdp_W": "inf"}, "tdp_W = 'inf'"),
        ({"planar": "maybe"}, "planar = 'maybe': must be 'yes' or 'no' or ''"),
        ({"confidence": ""}, "confidence = '': must be 'high'"),
        ({"date": ""}, "date is missing"),
    ],
)
def test_a_wrong_row_is_refused(change: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        accelerator_of({**ROW, **change}, "file: row 3")


def test_what_is_not_published_is_no_figure() -> None:
    one = accelerator_of(ROW, "file: row 3")
    assert not any(one.known(column) for column in UNIT_BY_COLUMN)
    with pytest.raises(InputError, match="tdp_W is not in the catalog"):
        _ = one["tdp_W"]


def test_a_step_is_the_longer_of_memory_and_arithmetic_over_the_efficiency() -> None:
    """H100, one sequence: 134,479,872 weights and 256 x 11,520 cached values at 3,350 GB/s."""
    found = Roofline(accelerator("h100"), SMOLLM2, 1, load_constants())
    memory_us = (SMOLLM2.num_weights + 256 * 11_520) / 3350e9 * 1e6
    assert Sheet([found.step]).interval(found.step).typical == pytest.approx(memory_us / 0.611, rel=1e-12)  # floats
    many = Roofline(accelerator("h100"), SMOLLM2, 4096, load_constants())
    arithmetic_us = 2 * 4096 * SMOLLM2.num_weights / 1979e12 * 1e6
    memory_us = (SMOLLM2.num_weights + 4096 * 256 * 11_520) / 3350e9 * 1e6
    longer = max(arithmetic_us, memory_us)
    assert Sheet([many.step]).interval(many.step).typical == pytest.approx(longer / 0.611, rel=1e-12)  # floats


def test_what_cannot_be_told_is_refused() -> None:
    with pytest.raises(InputError, match="A100-SXM4-80GB: undetermined: needs price_usd"):
        Roofline(accelerator("a100"), SMOLLM2, 1, load_constants())
    with pytest.raises(InputError, match=r"80.0 GB are there"):
        Roofline(accelerator("h100"), ModelReads("large", 10**11, 1, 1), 1, load_constants())
    with pytest.raises(InputError, match="--batch 0"):
        Roofline(accelerator("h100"), SMOLLM2, 0, load_constants())


def test_whatever_is_comparable_lacks_nothing() -> None:
    assert [one for one in comparable() if missing_columns(one)] == [] and len(list(comparable())) >= 3


@pytest.mark.skipif(not MEASURED.exists(), reason="the measurements are not beside the checkout")
def test_the_efficiency_is_that_of_the_measurements() -> None:
    """Llama-3.1-8B-Instruct, bf16, one GPU, 512 tokens out: 8.03e9 parameters, 32 layers x 8 heads x 128 K and V."""
    with MEASURED.open() as file:
        rows = [row for row in csv.DictReader(file) if row["tp_size"] == "1" and row["osl"] == "512"]
    found: list[float] = []
    for row in rows:
        if not row["model_path"].startswith("meta-llama/Llama-3.1-8B"):
            continue
        batch, positions = int(row["batch_size"]), int(row["isl"]) + 256
        num_bytes = 8.03e9 * 2 + batch * positions * 32 * 8 * 128 * 2 * 2
        seconds = max(num_bytes / 3350e9, 2 * 8.03e9 * batch / 989e12)
        found.append(100 * seconds / (float(row["silicon_tpot_ms"]) / 1e3))
    origin = load_constants()["roofline.efficiency"].origin
    assert isinstance(origin, Leaf) and len(found) == 14
    assert [round(f, 1) for f in (min(found), median(found), max(found))] == [origin.low, origin.typical, origin.high]
