"""The default vectors: the bodies of the default tests of the RTL, as pytest would call them, on the mutated chip."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import pytest

from tests.rtl import test_icu, test_illegal, test_programs
from tests.rtl.mutants import lanes
from tests.rtl.mutants.chip import Mutant, Mutated
from waterclock.chip import Chip

FIXTURES = ("chip", "tiny")
"""The arguments of a test that are the chip itself."""
DIRECTED: tuple[Callable[..., None], ...] = (
    test_illegal.test_a_changed_instruction_freezes_as_the_tools_refuse_it,
    test_illegal.test_an_address_outside_its_memory_freezes_in_its_cycle,
    test_illegal.test_a_parameter_outside_its_range_freezes_where_it_is_set,
    test_icu.test_an_illegal_entry_freezes_the_chip,
    test_icu.test_addresses_along_loops_and_parameters,
    test_icu.test_every_issue_is_in_its_cycle,
)


@dataclass(frozen=True)
class Vector:
    """A check that raises where the chip with the mutant of a given number does something else than is due."""

    name: str
    check: Callable[[int], None]


def programs(chip: Chip, design: Mutated) -> list[Vector]:
    """The random programs. What the stepper makes of them is worked out here and now, once for all mutants."""
    seeds = range(test_programs.FEW)
    bodies = (partial(test_programs.compare, chip, test_programs.stepped(chip, seed)) for seed in seeds)
    return [Vector(f"program {seed}", _on(design, body)) for seed, body in zip(seeds, bodies, strict=True)]


def directed(chip: Chip, design: Mutated) -> list[Vector]:
    """The tests with chosen entries, with every combination of their parameters."""
    return [Vector(name, _on(design, body)) for test in DIRECTED for name, body in _cases(test, chip)]


def datapaths(where: tuple[lanes.Placed, ...], design: Mutated) -> list[Vector]:
    """The vectors of the datapath tests, at the lanes themselves."""
    return [Vector(f"datapath {one.mnemonic} in {one.module}", partial(lanes.check, design, one)) for one in where]


def _on(design: Mutated, body: Callable[[], None]) -> Callable[[int], None]:
    """The body of a test with the mutated chip in place of the one it asks for."""

    def check(number: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for module in ("cosim", "lockstep"):
                patch.setattr(f"waterclock.rtl.{module}.Simulation", lambda _: Mutant(design, number))
            body()

    return check


def _cases(test: Callable[..., None], chip: Chip) -> Iterator[tuple[str, Callable[[], None]]]:
    title = test.__name__.removeprefix("test_").replace("_", " ")
    fixtures = {name: chip for name in inspect.signature(test).parameters if name in FIXTURES}
    marks = [mark.args for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    for values in product(*(_values(names, rows) for names, rows in marks)):
        arguments: dict[str, Any] = {name: value for part in values for name, value in part.items()}
        shown = ", ".join(_shown(value) for value in arguments.values())
        yield f"{title}: {shown}" if shown else title, partial(test, **fixtures, **arguments)


def _values(names: str | tuple[str, ...], rows: Any) -> list[dict[str, Any]]:
    if isinstance(names, str):
        return [{names: row} for row in rows]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _shown(value: object) -> str:
    return str(getattr(value, "field", value)).partition("\n")[0]
