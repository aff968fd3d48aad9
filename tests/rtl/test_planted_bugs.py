"""Forty planted bugs, half of them in the RTL and half in the simulators, all caught as real ones would be.

Bugs of the RTL, and those of the stepper, show where the two run random programs in lockstep; bugs of the machine and
of link where the machine and the stepper leave different states; a missed conflict where link and stepper refuse
different programs. The same programs must show nothing where there is no bug.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("amaranth", reason="the RTL needs the Python package amaranth")

from tests.programs import NUM_PARTS, random_params, random_program, random_state
from tests.rtl import planted_rtl
from tests.rtl.planted_rtl import RTL_BUGS
from tests.rtl.planted_simulator import MACHINE_BUGS, REFUSAL_BUGS, STEPPER_BUGS
from tests.rtl.planting import Bug, simulation_with
from waterclock.chip import Chip, load
from waterclock.isa.program import Program
from waterclock.rtl import lockstep
from waterclock.rtl.cosim import Memories
from waterclock.simulator.errors import MachineError
from waterclock.simulator.events import Event
from waterclock.simulator.link import LinkError, rebuild
from waterclock.simulator.machine import Machine
from waterclock.simulator.state import State
from waterclock.simulator.stepper import step

FEW, MANY = 3, 40
"""Random programs that run, by default and in all, in which a bug must show and nothing else may."""
QUICK = {
    "an accumulator is not cleared", "a hold stays stale where a result leaves as well",
    "the stepper loses a westward result", "add rounds ties away from zero", "a byte of a word is always its lowest",
    "link misses bank conflicts",
}  # fmt: skip
"""Bugs of the default tests."""

TINY = load("tiny")
SMALL = TINY.with_fields({
    "num_streams": 16, "num_params": 5, "max_queue_entries": 512,
    "layout.num_mxm_west": 0, "layout.num_mem_west": 1, "layout.num_mem_east": 1,
    "vxm.num_alus": 1, "vxm.num_holds": 2, "mxm.num_reram_tiles": 128, "mxm.num_sram_tiles": 128,
})  # fmt: skip
"""The chip in whose RTL bugs are planted: fewer slices, to be built sooner."""
CROWDED = TINY.with_fields({"mxm.num_reram_banks": 1, "mxm.num_sram_banks": 1})
"""Programs for the eight banks of `tiny` meet conflicts in one."""

Differs = Callable[[int], str | None]
"""What the program of this seed shows to differ; None if nothing does."""


@cache
def inputs(chip: Chip, seed: int, num_parts: int = NUM_PARTS) -> tuple[Program, State, dict[int, int]]:
    """A random program, the state before its launch, and the parameters in it that the host wrote for the launch."""
    state, params = random_state(chip, seed), random_params(seed)
    state.params[list(params)] = list(params.values())
    return random_program(chip, seed, num_parts), state, params


def due(chip: Chip, seed: int) -> tuple[list[Event], int]:
    """What the stepper tells of the program, and how long it takes."""
    program, state, _ = inputs(chip, seed)
    events: list[Event] = []
    return events, step(chip, program, state, events.append).length_cycles


rightly_due = cache(due)


def in_lockstep(chip: Chip, seed: int, events: list[Event], length_cycles: int) -> str | None:
    program, state, params = inputs(chip, seed)
    running = lockstep.Lockstep(chip, program, Memories(state.mem, state.reram, state.sram, state.params))
    difference = running.launch(params, events, length_cycles).difference
    return None if difference is None else str(difference)


def rtl_differs(seed: int) -> str | None:
    return in_lockstep(SMALL, seed, *rightly_due(SMALL, seed))


def stepper_differs(seed: int) -> str | None:
    try:
        events, length_cycles = due(TINY, seed)
    except MachineError as refused:  # programs are legal, and the RTL runs them
        return str(refused)
    return in_lockstep(TINY, seed, events, length_cycles)


def machine_differs(seed: int) -> str | None:
    program, state, params = inputs(TINY, seed)
    stepped = step(TINY, program, state)
    try:
        launched = Machine(rebuild(program, TINY), state.copy()).launch(params)
    except LinkError as refused:
        return str(refused)
    if launched.length_cycles != stepped.length_cycles:
        return f"{launched.length_cycles} cycles here, {stepped.length_cycles} there"
    return stepped.state.first_difference(launched.state)


def refused(run: Callable[[], object]) -> tuple[Any, ...] | None:
    """Cycle, queue and entry at which a program is refused, None if it is not."""
    try:
        run()
    except (LinkError, MachineError) as error:
        return error.cycle, error.queue, error.entry
    return None


def refusals(seed: int) -> tuple[Any, Any]:
    """Where link refuses a program in which tiles meet in banks, and where the stepper does."""
    program, state, _ = inputs(TINY, seed, num_parts=2)
    program = replace(program, chip_sha256=CROWDED.sha256)
    return refused(lambda: rebuild(program, CROWDED)), refused(lambda: step(CROWDED, program, state))


def refusals_differ(seed: int) -> str | None:
    link, stepper = refusals(seed)
    return None if link == stepper else f"link refuses {link}, the stepper {stepper}"


WAYS: dict[Differs, dict[str, Bug]] = {
    stepper_differs: dict(STEPPER_BUGS), machine_differs: dict(MACHINE_BUGS), refusals_differ: dict(REFUSAL_BUGS),
}  # fmt: skip


def first_difference(differs: Differs, seeds: Iterable[int]) -> str | None:
    return next((difference for seed in seeds if (difference := differs(seed))), None)


def choose(patch: pytest.MonkeyPatch, bug: str | None) -> None:
    """Have lockstep run the RTL with this bug, or with none, of the design that has them all."""
    patch.setattr(lockstep, "Simulation", simulation_with(RTL_BUGS, bug, Path(planted_rtl.__file__)))


def slow_unless(quick: bool, *values: object) -> Any:
    return pytest.param(*values, id=str(values[-1]), marks=() if quick else pytest.mark.slow)


def test_there_are_forty_half_in_the_rtl() -> None:
    assert len(RTL_BUGS) == sum(map(len, WAYS.values())) == 20
    assert {*RTL_BUGS}.union(*WAYS.values()) > QUICK


@pytest.mark.parametrize("name", [slow_unless(name in QUICK, name) for name in RTL_BUGS])
def test_a_bug_of_the_rtl_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(monkeypatch, name)
    assert first_difference(rtl_differs, range(MANY))


@pytest.mark.parametrize(
    ("differs", "name"), [slow_unless(name in QUICK, differs, name) for differs, bugs in WAYS.items() for name in bugs]
)
def test_a_bug_of_the_simulators_is_caught(differs: Differs, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    WAYS[differs][name].plant(monkeypatch)
    assert first_difference(differs, range(MANY))


NUMS = [slow_unless(num == FEW, range(num)) for num in (FEW, MANY)]


@pytest.mark.parametrize("seeds", NUMS)
def test_without_a_bug_the_rtl_shows_nothing(seeds: range, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(monkeypatch, None)
    assert first_difference(rtl_differs, seeds) is None


@pytest.mark.parametrize("seeds", NUMS)
@pytest.mark.parametrize("differs", WAYS)
def test_without_a_bug_the_simulators_show_nothing(differs: Differs, seeds: range) -> None:
    assert first_difference(differs, seeds) is None


def test_some_programs_meet_conflicts_and_some_do_not() -> None:
    assert {link is None for link, _ in map(refusals, range(5))} == {True, False}
