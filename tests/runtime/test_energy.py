"""The energy of a program: sums by unit and by operation are the same whole number."""

import pytest

from tests.programs import random_program
from waterclock.chip import Chip
from waterclock.compiler.deployment import Deployment
from waterclock.runtime.bundle import Bundle
from waterclock.runtime.energy import CONSTANT_BY_ACTIVITY, Bill
from waterclock.runtime.usage import usage
from waterclock.silicon import Energy, load_energy_constants
from waterclock.simulator.energy import ACTIVITIES, Activity, count_activities
from waterclock.simulator.link import link, rebuild

CONSTANTS = load_energy_constants()


@pytest.fixture(scope="module")
def bill(bundle: Bundle) -> Bill:
    (program,) = bundle.deployment.programs.values()
    return Bill(bundle.deployment.chip, count_activities(link(program, bundle.deployment.chip)), CONSTANTS)


@pytest.mark.parametrize("activity", ACTIVITIES, ids=lambda activity: activity.value)
def test_every_activity_has_a_constant_or_a_reason_for_having_none(activity: Activity, shipped_chip: Chip) -> None:
    choose = CONSTANT_BY_ACTIVITY.get(activity)
    assert (choose is None) == (activity.value in CONSTANTS.left_out)
    assert choose is None or choose(shipped_chip, CONSTANTS).energy.low_aj > 0


def test_reasons_are_given_for_activities_only() -> None:
    assert set(CONSTANTS.left_out) <= {activity.value for activity in ACTIVITIES}


def test_units_and_operations_come_to_the_same(bill: Bill) -> None:
    assert sum(bill.by_unit.values(), Energy()) == sum(bill.by_operation.values(), Energy()) == bill.total
    assert bill.total.low_aj > 0
    assert set(bill.by_unit) == {"mxm", "mem", "vxm", "icu"}


def test_a_line_is_a_count_times_a_constant(bill: Bill) -> None:
    for line in bill.lines:
        assert line.count == bill.counts.of(line.activity) > 0
        if line.constant is not None:
            assert line.energy is not None
            for which in ("low", "typical", "high"):
                bound = getattr(line.constant, which)
                assert getattr(line.energy, f"{which}_aj") == line.count * bound.aj
        else:
            assert line.energy is None


def test_random_programs_come_to_the_same_without_labels(tiny: Chip) -> None:
    bill = Bill(tiny, count_activities(rebuild(random_program(tiny, 3), tiny)), CONSTANTS)
    assert bill.by_operation == {"": bill.total}


def test_the_largest_operation_comes_first(bill: Bill) -> None:
    figures = [energy.typical_aj for energy in bill.by_operation.values()]
    assert figures == sorted(figures, reverse=True)


@pytest.mark.slow
def test_a_token_of_smollm2_multiplies_every_weight_once(smollm2_deployment: Deployment) -> None:
    chip, (program,) = smollm2_deployment.chip, smollm2_deployment.programs.values()
    bill = Bill(chip, count_activities(link(program, chip)), CONSTANTS)
    (reram,) = [row for row in usage(smollm2_deployment) if row.memory == "reram"]
    assert bill.counts.of(Activity.RERAM_PRODUCT) == reram.taken * chip.tile_bytes
    assert sum(bill.by_operation.values(), Energy()) == bill.total
