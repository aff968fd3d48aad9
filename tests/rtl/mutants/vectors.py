"""The default vectors: the bodies of the default tests of the RTL, as pytest would call them, on the mutated chip."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from types import MappingProxyType
from typing import Any

import pytest

from tests.rtl import (
    test_addresses,
    test_cell_images,
    test_clocks,
    test_core,
    test_counts,
    test_encodings,
    test_icu,
    test_illegal,
    test_load,
    test_params,
    test_programs,
    test_reset,
    test_streams,
    test_sxm,
)
from tests.rtl.mutants import lanes
from tests.rtl.mutants.chip import Mutant, Mutated
from waterclock.chip import Chip
from waterclock.rtl.verilated import Design

FIXTURES: Mapping[str, Callable[[Chip], object]] = MappingProxyType({
    "chip": lambda chip: chip, "tiny": lambda chip: chip, "state": test_core.ordinary_state,
})  # fmt: skip
"""What an argument of a test is, made from the chip."""
ANYWHERE: tuple[Callable[..., None], ...] = (
    test_core.test_read_add_write_read_in_a_loop,
    test_core.test_matvec_into_accumulators,
    test_core.test_partial_writes,
    test_core.test_holds_immediates_and_parameters,
    test_core.test_random_reads_and_sums,
    test_cell_images.test_the_load_bus_and_filled_cells_agree,
    test_load.test_gaps_between_writes_change_nothing,
    test_reset.test_a_reset_ends_all_that_is_under_way,
    test_sxm.test_every_bit_of_an_index_counts,
    test_streams.test_every_stream_is_read_from_where_it_passes,
    test_clocks.test_a_clock_takes_edges_while_something_is_under_way_and_no_longer,
)
IN_QUEUES: tuple[Callable[..., None], ...] = (
    test_params.test_every_queue_sets_every_parameter_to_any_value,
    test_params.test_every_parameter_has_a_range_of_its_own,
    test_illegal.test_a_parameter_outside_its_range_freezes_where_it_is_set,
    test_illegal.test_an_address_outside_its_memory_freezes_in_its_cycle,
    test_addresses.test_every_iteration_has_its_address,
    test_addresses.test_every_iteration_has_its_scalar,
    test_icu.test_addresses_along_loops_and_parameters,
    test_icu.test_an_illegal_entry_freezes_the_chip,
    test_icu.test_every_issue_is_in_its_cycle,
    test_counts.test_a_loop_that_ends_elsewhere_freezes,
    test_counts.test_every_bit_of_a_count_counts,
    test_icu.test_what_a_longer_queue_left_behind_is_not_seen,
    test_icu.test_loops_far_from_the_start,
)
IN_COUNTERS: tuple[Callable[..., None], ...] = (test_counts.test_a_million_cycles_or_iterations,)
IN_STORES: tuple[Callable[..., None], ...] = (
    test_illegal.test_every_opcode_that_a_queue_does_not_take_freezes,
    test_encodings.test_every_bit_and_code_of_an_entry_counts,
    test_encodings.test_every_code_of_a_setting_counts_in_every_kind_of_queue,
    test_illegal.test_a_changed_control_entry_freezes_as_the_tools_refuse_it,
    test_illegal.test_a_changed_instruction_freezes_as_the_tools_refuse_it,
)
"""Tests with chosen entries: those that mutants anywhere meet; those that only mutants of queues and parameters meet
besides, for they are about these; those of what counts in queues; those of their stores. More could only kill more."""


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


def directed(tests: tuple[Callable[..., None], ...], chip: Chip, design: Mutated) -> list[Vector]:
    """Tests with chosen entries, with every combination of their parameters; none of a queue that isn't there."""
    return [Vector(name, _on(design, body)) for test in tests for name, body in _cases(test, chip)]


def look_up(chip: Chip) -> None:
    """Work out what the tools say to changed entries once, for all mutants."""
    for mnemonic, turn in product(test_encodings.ONE_OF_EACH_KIND.values(), range(len(test_encodings.WAYS))):
        test_encodings.changed_once(chip, mnemonic, turn)


def datapaths(where: tuple[lanes.Placed, ...], design: Mutated) -> list[Vector]:
    """The vectors of the datapath tests, at the lanes themselves."""
    return [Vector(f"datapath {one.mnemonic} in {one.module}", partial(lanes.check, design, one)) for one in where]


def _on(design: Mutated, body: Callable[[], None]) -> Callable[[int], None]:
    """The body of a test with the mutated chip in place of the one it asks for."""

    def check(number: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for module in ("cosim", "lockstep", "verilated"):
                patch.setattr(f"waterclock.rtl.{module}.Simulation", partial(_simulation, design, number))
            body()

    return check


def _simulation(design: Mutated, number: int, plain: Design) -> Mutant:
    return Mutant(design, number)


def _cases(test: Callable[..., None], chip: Chip) -> Iterator[tuple[str, Callable[[], None]]]:
    title = test.__name__.removeprefix("test_").replace("_", " ")
    fixtures = {name: FIXTURES[name](chip) for name in inspect.signature(test).parameters if name in FIXTURES}
    marks = [mark.args for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    for values in product(*(_values(names, rows) for names, rows in marks)):
        arguments: dict[str, Any] = {name: value for part in values for name, value in part.items()}
        if arguments.get("name", chip.queues[0].name) not in chip.queue_by_name:
            continue
        shown = ", ".join(_shown(value) for value in arguments.values())
        yield f"{title}: {shown}" if shown else title, partial(test, **fixtures, **arguments)


def _values(names: str | tuple[str, ...], rows: Any) -> list[dict[str, Any]]:
    if isinstance(names, str):
        return [{names: row} for row in rows]
    return [dict(zip(names, row, strict=True)) for row in rows]


def _shown(value: object) -> str:
    return str(getattr(value, "field", value)).partition("\n")[0]
