"""Export control: the worked cases under each rule set, thresholds from either side, and what is not known."""

import pytest

from waterclock.chip import load
from waterclock.errors import InputError
from waterclock.silicon.area import ChipArea
from waterclock.silicon.constants import load_constants
from waterclock.silicon.export_control import UNIT_BY_FIELD, Classification, Subject, classify, rule_set, rule_sets
from waterclock.silicon.export_subject import exported_accelerator, exported_chip
from waterclock.silicon.fields import Fields
from waterclock.silicon.market import accelerator, accelerators
from waterclock.silicon.sheet import Sheet

FREE, A, B, DENIAL, CASE = (
    "not controlled",
    "controlled (3A090.a)",
    "controlled (3A090.b)",
    "presumption of denial",
    "case by case",
)
OLD, LICENCE, PRESUMED = "controlled (3A090)", "licence required", "presumed 3A090.a"
RULES = ("2022-10", "2023-10", "2025-01", "2025-04", "2026-01")
WORKED = {
    "A100-SXM4-80GB": ("4992", "6.04", (OLD, A, PRESUMED, LICENCE, CASE)),
    "H20": ("2368", "2.91", (FREE, FREE, PRESUMED, LICENCE, CASE)),
    "H100-SXM5-80GB": ("15832", "19.4", (OLD, A, PRESUMED, LICENCE, CASE)),
    "B200-SXM": ("36000", "22.5", (OLD, A, PRESUMED, LICENCE, DENIAL)),
    "GroqChip LPU v1": ("6000", "8.28", (FREE, A, PRESUMED, "no licence by this letter", CASE)),
    "Ascend-910B1/B2/B3": ("5120", "7.7", (FREE, A, PRESUMED, LICENCE, CASE)),
}
"""TPP, performance density, and the class by each rule set."""
BINDING = {
    "A100-SXM4-80GB": "io 1.00, tpp 1.04, non_planar 1.00, dram_and_io 1.55, dram 0.31",
    "H20": "tpp 0.49, tpp 0.99, non_planar 1.00, dram_and_io 2.88, dram 0.62",
    "H100-SXM5-80GB": "io 1.50, tpp 3.30, non_planar 1.00, dram_and_io 2.50, tpp 0.75",
    "B200-SXM": "io 3.00, tpp 7.50, non_planar 1.00, dram_and_io 5.59, tpp 1.71",
    "GroqChip LPU v1": "io 0.80, performance_density 1.40, non_planar 1.00, io 0.44, tpp 0.29",
    "Ascend-910B1/B2/B3": "io 0.65, performance_density 1.30, non_planar 1.00, dram_and_io 1.17, dram 0.25",
}
"""What binds by each rule set and its value over the limit, worked out by hand."""


def subject(**known: float) -> Subject:
    return Subject("made up", {**dict.fromkeys(UNIT_BY_FIELD), **known}, {})


def found(name: str) -> tuple[Subject, dict[str, Classification]]:
    item = exported_accelerator(accelerator(name))
    whole = item.subject(Sheet(item.figures))
    return whole, {rules.name: classify(whole, rules) for rules in rule_sets()}


@pytest.mark.parametrize("name", WORKED)
def test_worked_cases(name: str) -> None:
    tpp, density, results = WORKED[name]
    whole, by_rules = found(name)
    assert f"{whole.value_by_field['tpp']:.0f}" == tpp
    digits = len(density.partition(".")[2])
    value = whole.value_by_field["performance_density"]
    assert value is not None and abs(value - float(density)) <= 0.5 * 10**-digits + 1e-9
    assert tuple(by_rules) == RULES and tuple(one.result for one in by_rules.values()) == results
    bindings = [one.binding for one in by_rules.values()]
    assert ", ".join(f"{one.threshold.field} {one.ratio:.2f}" for one in bindings if one) == BINDING[name]


@pytest.mark.parametrize(
    ("rules", "known", "result"),
    [
        ("2022-10", {"tpp": 4800, "io": 600}, OLD),
        ("2022-10", {"tpp": 4800, "io": 599}, FREE),
        ("2022-10", {"tpp": 4799, "io": 9999}, FREE),
        ("2023-10", {"tpp": 4800, "performance_density": 0}, A),
        ("2023-10", {"tpp": 1600, "performance_density": 5.92}, A),
        ("2023-10", {"tpp": 1599, "performance_density": 99}, FREE),
        ("2023-10", {"tpp": 2400, "performance_density": 1.6}, B),
        ("2023-10", {"tpp": 2399, "performance_density": 3.19}, FREE),
        ("2023-10", {"tpp": 1600, "performance_density": 3.2}, B),
        ("2023-10", {"tpp": 4799, "performance_density": 1.59}, FREE),
        ("2025-04", {"dram": 1400, "io": 0, "dram_and_io": 1400}, LICENCE),
        ("2025-04", {"dram": 1399, "io": 300, "dram_and_io": 1699}, "no licence by this letter"),
        ("2025-04", {"dram": 1399, "io": 301, "dram_and_io": 1700}, LICENCE),
        ("2025-04", {"dram": 0, "io": 1100, "dram_and_io": 1100}, LICENCE),
        ("2026-01", {"tpp": 20999, "dram": 6499}, CASE),
        ("2026-01", {"tpp": 21000, "dram": 0}, DENIAL),
        ("2026-01", {"tpp": 0, "dram": 6500}, DENIAL),
        ("2025-01", {"non_planar": 0}, "not presumed to be controlled"),
        ("2025-01", {"non_planar": 1}, PRESUMED),
    ],
)
def test_thresholds_from_either_side(rules: str, known: dict[str, float], result: str) -> None:
    assert classify(subject(**known), rule_set(rules)).result == result


@pytest.mark.parametrize(
    ("rules", "known", "result"),
    [
        ("2022-10", {"tpp": 4800}, "undetermined: needs io"),
        ("2022-10", {"tpp": 100}, FREE),
        ("2022-10", {"io": 100}, FREE),
        ("2022-10", {}, "undetermined: needs io, tpp"),
        ("2023-10", {"tpp": 5000}, A),
        ("2023-10", {"tpp": 2000}, "undetermined: needs performance_density"),
        ("2023-10", {"tpp": 1000}, FREE),
        ("2023-10", {"performance_density": 0}, "undetermined: needs tpp"),
        ("2025-04", {"io": 1100}, LICENCE),
        ("2025-04", {"dram": 10}, "undetermined: needs dram_and_io, io"),
        ("2026-01", {"dram": 7000}, DENIAL),
        ("2025-01", {}, "undetermined: needs non_planar"),
    ],
)
def test_what_is_not_known_matters_only_where_the_class_turns_on_it(
    rules: str, known: dict[str, float], result: str
) -> None:
    assert classify(subject(**known), rule_set(rules)).result == result


def test_the_distance_is_value_over_limit() -> None:
    binding = classify(subject(tpp=2368, performance_density=2.91), rule_set("2023-10")).binding
    assert binding is not None and (binding.threshold.field, binding.threshold.limit) == ("tpp", 2400)
    assert binding.ratio == 2368 / 2400
    binding = classify(subject(tpp=6000, performance_density=6), rule_set("2023-10")).binding
    assert binding is not None and binding.threshold.field == "tpp" and binding.ratio == 1.25


@pytest.mark.parametrize("name", accelerators())
def test_the_whole_catalog_is_classified_or_says_what_it_needs(name: str) -> None:
    one = accelerator(name)
    _, by_rules = found(name)
    for classification in by_rules.values():
        if classification.is_determined:
            continue
        for column in classification.result.removeprefix("undetermined: needs ").split(", "):
            assert column == "planar" or not one.known(column)


def test_a_planar_int8_die_stays_outside_below_600_tops() -> None:
    """The fewest MXMs of 64 lanes at 1 GHz that reach 600 dense TOPS are 74: 73 stay outside."""
    chip = load("demonstrator")
    for num_mxm, result in ((73, FREE), (74, A)):
        changed = chip.with_fields({"layout.num_mxm_west": 37, "layout.num_mxm_east": num_mxm - 37})
        item = exported_chip(ChipArea(Fields(changed), load_constants()))
        whole = item.subject(Sheet(item.figures))
        assert whole.value_by_field["performance_density"] == 0
        assert classify(whole, rule_set("2023-10")).result == result


def test_a_rule_set_that_is_none_is_refused() -> None:
    with pytest.raises(InputError, match="--rules 1999: must be 2022-10, 2023-10"):
        rule_set("1999")
