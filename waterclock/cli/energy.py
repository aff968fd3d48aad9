"""`waterclock energy`: joules a launch, by unit and by model operation, each constant with its source."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from waterclock.cli.app import AsJson, ModelOrFolder, Target, app
from waterclock.cli.programs import ProgramsOption, some_programs
from waterclock.cli.records import with_records
from waterclock.cli.terminal import print_rows, progress

if TYPE_CHECKING:
    from waterclock.runtime.energy import Bill, Line
    from waterclock.silicon import Energy

AJ_PER_PJ, AJ_PER_UJ, AJ_PER_J = 10**6, 10**12, 10**18
CONTROL = "waits and loops"
"""What serves no operation."""
BOUNDS = ("low", "typical", "high")


@app.command("energy")
@with_records
def energy(
    model: ModelOrFolder,
    *,
    target: Target,
    program: ProgramsOption = None,
    as_json: AsJson = False,
) -> None:
    """Say what energy a token takes: what a launch does, counted exactly, times constants that have a source."""
    from waterclock.runtime.cache import every_issue
    from waterclock.runtime.energy import Bill
    from waterclock.silicon import load_energy_constants
    from waterclock.simulator.energy import count_activities

    with progress() as phase:
        deployment = target.bundle(model, phase).deployment
        phase("linking")
        linked = [every_issue(each, deployment.chip, target.cache) for each in some_programs(deployment, program)]
        bills = [Bill(deployment.chip, count_activities(each), load_energy_constants()) for each in linked]
    if as_json:
        chip_record = {"name": deployment.chip.name, "sha256": deployment.chip.sha256}
        plain = {bill.counts.program.name: bill_record(bill) for bill in bills}
        print(json.dumps({"model": deployment.config.name, "chip": chip_record, "programs": plain}, indent=2))
        return
    for bill in bills:
        _print_bill(deployment.config.name, bill)
    _print_sources(bills[0])


def bill_record(bill: "Bill") -> dict[str, Any]:
    """A bill as plain values; energies are whole attojoules."""
    return {
        "length_cycles": bill.counts.program.length_cycles,
        "total": _plain(bill.total),
        "by_unit": {unit: _plain(energy) for unit, energy in bill.by_unit.items()},
        "by_operation": {operation: _plain(energy) for operation, energy in bill.by_operation.items()},
        "activities": {line.activity.value: _activity(line) for line in bill.lines},
        "left_out": {line.activity.value: _reason(bill, line) for line in _left_out(bill)},
        "not_contained": dict(bill.constants.not_contained),
    }


def _activity(line: "Line") -> dict[str, Any]:
    constant = line.constant
    bounds = {which: getattr(constant, which) for which in BOUNDS} if constant else {}
    return {
        "count": line.count,
        "energy": _plain(line.energy) if line.energy else None,
        "constant": constant and {"meaning": constant.meaning, **{which: vars(b) for which, b in bounds.items()}},
    }


def _plain(energy: "Energy") -> dict[str, int]:
    return vars(energy)


def _print_bill(model: str, bill: "Bill") -> None:
    program, chip, total = bill.counts.program, bill.chip, bill.total
    launches_per_s = chip.clock_mhz * 1e6 / (program.length_cycles + chip.launch_gap_cycles)
    watts = total.typical_aj * launches_per_s / AJ_PER_J
    per = "token" if any(param.name == "token" for param in program.params) else "launch"
    print(
        f"{model} on {chip.name}, {program.name}: {_uj(total.typical_aj)} uJ a {per} "
        f"({_uj(total.low_aj)} to {_uj(total.high_aj)}), {watts:.2f} W launch after launch\n"
        f"dynamic energy of what is below; each constant holds at its own node, none is scaled to {chip.node_nm} nm"
    )
    figures = ("uJ", "low", "high", "share")
    units = [row for unit, energy in bill.by_unit.items() for row in _unit_rows(bill, unit, energy)]
    _print_table(("unit", "activity", "count", "pJ each", *figures), units)
    operations = [(name or CONTROL, *_figures(energy, total)) for name, energy in bill.by_operation.items()]
    _print_table(("operation", *figures), operations)
    left_out = [(line.activity.value, f"{line.count:,}", _reason(bill, line)) for line in _left_out(bill)]
    _print_table(("left out, for want of a source", "count", "what it is"), left_out)


def _unit_rows(bill: "Bill", unit: str, energy: "Energy") -> Iterator[tuple[str, ...]]:
    """The sum of a unit, then its activities."""
    yield unit, "", "", "", *_figures(energy, bill.total)
    for line in bill.lines:
        if line.activity.unit == unit and line.constant and line.energy:
            each = f"{line.constant.typical.aj / AJ_PER_PJ:.3f}"
            yield "", line.activity.value, f"{line.count:,}", each, *_figures(line.energy, bill.total)


def _print_sources(bill: "Bill") -> None:
    """What no bill contains, and where the constants of this one are from."""
    _print_table(("not contained", "of what"), list(bill.constants.not_contained.items()))
    sources = {
        (line.constant.meaning, f"{bound.aj / AJ_PER_PJ:.3f}", f"{bound.node_nm} nm", bound.source): None
        for line in bill.lines
        if line.constant
        for bound in (line.constant.low, line.constant.typical, line.constant.high)
    }
    _print_table(("constant", "pJ", "at", "source"), list(sources))


def _print_table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    if rows:
        print()
        print_rows(rows, header=header)


def _left_out(bill: "Bill") -> "list[Line]":
    return [line for line in bill.lines if line.constant is None]


def _reason(bill: "Bill", line: "Line") -> str:
    return bill.constants.left_out[line.activity.value]


def _figures(energy: "Energy", total: "Energy") -> tuple[str, ...]:
    share = energy.typical_aj / total.typical_aj if total.typical_aj else 0
    return _uj(energy.typical_aj), _uj(energy.low_aj), _uj(energy.high_aj), f"{share:.1%}"


def _uj(aj: int) -> str:
    return f"{aj / AJ_PER_UJ:.3f}"
