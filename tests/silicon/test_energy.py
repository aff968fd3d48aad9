"""Constants of energy: each has a source, none is a float, and intervals add and multiply exactly."""

import pytest

from waterclock.silicon import Bound, Constant, Energy, load_energy_constants

CONSTANTS = load_energy_constants()
ALL = (*CONSTANTS.by_name.values(), *CONSTANTS.sram_by_capacity.values())
PJ = 1_000_000


@pytest.mark.parametrize("constant", ALL, ids=lambda constant: constant.name)
def test_every_figure_has_a_node_and_a_source_and_they_are_in_order(constant: Constant) -> None:
    for bound in (constant.low, constant.typical, constant.high):
        assert isinstance(bound, Bound) and isinstance(bound.aj, int)
        assert bound.aj > 0 and 5 <= bound.node_nm <= 45
        assert len(bound.source) > 5
    assert constant.low.aj <= constant.typical.aj <= constant.high.aj
    assert constant.meaning


def test_intervals_are_exact() -> None:
    energy = Energy(1, 2, 3) * 10**15 + Energy(1, 1, 1)
    assert energy == Energy(10**15 + 1, 2 * 10**15 + 1, 3 * 10**15 + 1)
    assert sum([Energy(1, 2, 3)] * 3, Energy()) == Energy(1, 2, 3) * 3


@pytest.mark.parametrize("figures", [(-1, 0, 0), (2, 1, 3), (1, 3, 2)])
def test_an_interval_that_is_none_is_refused(figures: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="in order"):
        Energy(*figures)


def test_figures_that_are_derived_are_derived_right() -> None:
    """Two operations a product: 2 / (TOPS/W) pJ; an 8-bit product is four 4-bit ones; 32 nm is 20/11 of 22 nm."""
    products = CONSTANTS.by_name
    assert products["reram_product"].low.aj == round(2 * PJ / 21.6)
    assert products["reram_product"].typical.aj == round(2 * PJ / 11.91)
    assert products["sram_product"].typical.aj == round(4 * 2 * PJ / 89)
    small = CONSTANTS.sram_by_capacity[8 << 10]
    assert products["sram_product"].high.aj == products["reram_product"].high.aj + 8 * small.typical.aj
    ends = {8 << 10: 17_000, 64 << 10: 66_000, 256 << 10: 140_000, 1 << 20: 260_000}
    assert {capacity: CONSTANTS.sram_by_capacity[capacity].high.aj for capacity in ends} == {
        capacity: round(aj * 20 / 11) for capacity, aj in ends.items()
    }


def test_a_memory_lies_between_the_ones_that_were_modelled() -> None:
    table = CONSTANTS.sram_by_capacity
    small, large = table[256 << 10], table[1 << 20]
    between = CONSTANTS.sram_bit(512 << 10)
    assert (between.low, between.high) == (small.low, large.high)
    assert between.typical.aj == (small.typical.aj + large.typical.aj) // 2
    assert small.typical.source in between.typical.source and large.typical.source in between.typical.source
    assert CONSTANTS.sram_bit(64 << 10) is table[64 << 10]
    assert CONSTANTS.sram_bit(100) is table[8 << 10]
    assert CONSTANTS.sram_bit(1 << 30) is large


def test_a_larger_memory_takes_no_less() -> None:
    energies = [CONSTANTS.sram_bit(1 << shift).energy for shift in range(10, 24)]
    for which in ("low_aj", "typical_aj", "high_aj"):
        figures = [getattr(energy, which) for energy in energies]
        assert figures == sorted(figures)
