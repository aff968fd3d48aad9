"""Addresses in gates: wide fields whose sums stay in a memory or just leave it, in every iteration of four levels."""

import numpy as np
import pytest

from tests.programs import random_params
from tests.programs.parts import row_of, stacked
from tests.programs.walks import MAX_REPEATS, walk, wide
from tests.rtl.compare import issued_by_stepper, program_of
from tests.rtl.test_illegal import ENTRY, legal_rows, limit, queue_with
from waterclock.chip import Chip
from waterclock.isa.causes import Cause
from waterclock.isa.layout import field_by_path
from waterclock.isa.record import NUM_LEVELS, Direction, OperandKind, Records
from waterclock.isa.table import INSTRUCTIONS, OPCODES, Area, Form
from waterclock.isa.validate import check_records
from waterclock.simulator.sequencer import issues
from waterclock.simulator.state import State
from waterclock.simulator.stepper import Event, step

MNEMONICS = [
    mnemonic for mnemonic, row in INSTRUCTIONS.items()
    if row.area is not Area.SXM and any(operand.form is Form.ADDRESS for operand in row.operands)
]  # fmt: skip
"""Those with an address that may be outside: the SXM takes any."""
NUM_DRAWN = 40
LEAST, MOST = -(1 << 31), (1 << 31) - 1
LOOPS = 3, 2, 2
BEYOND = -1, 0, 0, 0, 1
"""How far the lowest address is below 0, or the highest above the last."""


def in_loops(rng: np.random.Generator, row: Records) -> Records:
    """A queue that repeats an instruction in three loops."""
    rows = np.concatenate([queue_with(row), np.zeros(1 + len(LOOPS), row.dtype)])
    repeat, *loops = rows[ENTRY + 1 :]
    n, distance = int(rng.integers(1, MAX_REPEATS)), int(rng.integers(1, 4))
    repeat["op"], repeat["n"], repeat["distance"] = OPCODES["icu.repeat"], n, distance
    period = 1 + n * distance
    for number, (loop, n) in enumerate(zip(loops, LOOPS, strict=True)):
        period += int(rng.integers(3))
        loop["op"], loop["n"], loop["distance"], loop["body"] = OPCODES["icu.loop"], n, period, 2 + number
        period *= n
    return rows


@pytest.mark.parametrize("mnemonic", MNEMONICS)
def test_every_iteration_has_its_address(tiny: Chip, mnemonic: str) -> None:
    """Fields are wide, memories are small: a wrong bit of a sum leaves, and the chip freezes where it must not."""
    from waterclock.rtl.cosim import Frozen, Memories, launch

    rng, (queue, legal) = np.random.default_rng(OPCODES[mnemonic]), legal_rows(tiny)[mnemonic][0]
    operands = [one for one in INSTRUCTIONS[mnemonic].operands if one.form is Form.ADDRESS]
    num_faults = 0
    for number in range(NUM_DRAWN):
        row, params = legal.copy(), np.zeros(tiny.num_params, np.int32)
        drawn, renamed = random_params(number), rng.permutation(tiny.num_params)
        params[renamed[list(drawn)]] = list(drawn.values())
        if INSTRUCTIONS[mnemonic].field("sram") is not None:
            row["sram"] = number % 2
        places = {operand.field: limit(tiny, mnemonic, operand, number % 2) for operand in operands}
        for field, num_places in places.items():
            row[field] = walk(rng, 0, num_places, field_by_path(mnemonic)[f"{field}.base"].bits)
            terms = row[field]["term"]
            terms["param"] = np.where(terms["used"], renamed[terms["param"]], 0)
        rows = in_loops(rng, row)
        for field, num_places in places.items():
            values = [issue.address(field, params) for issue in issues(queue, rows)]
            end = rng.choice([-min(values), num_places - 1 - max(values)])
            rows[field]["base"][ENTRY] += end + rng.choice(BEYOND)
        check_records({queue.name: rows}, tiny)
        due = next((
            Frozen(issue.cycle, queue.name, ENTRY, Cause.ADDRESS) for issue in issues(queue, rows)
            for field, num_places in places.items() if not 0 <= issue.address(field, params) < num_places
        ), None)  # fmt: skip
        num_faults += due is not None
        issued = issued_by_stepper(tiny, {queue.name: rows})
        trace = launch(tiny, {queue.name: rows}, Memories(params=params), issued[-1].cycle + 1)
        assert trace.frozen == due
        assert trace.issued == tuple(one for one in issued if due is None or one.cycle < due.cycle)
    assert 0 < num_faults < NUM_DRAWN


@pytest.mark.parametrize("number", range(2))
def test_every_iteration_has_its_scalar(chip: Chip, number: int) -> None:
    """A parameter with steps of any width, in every ALU."""
    from waterclock.rtl.cosim import Memories
    from waterclock.rtl.lockstep import Lockstep

    rng, queue = np.random.default_rng(number), f"vxm.alu{number}"
    for _ in range(NUM_DRAWN):
        row, state, events = row_of("vxm.move", result=(8, Direction.EAST, 0, 0)), State.zero(chip), list[Event]()
        state.params[:] = rng.integers(LEAST, MOST, chip.num_params)
        row["a"] = OperandKind.PARAM, rng.integers(chip.num_params), 0
        row["scalar"], row["scalar_step"] = wide(rng, 32), [wide(rng, 24) for _ in range(NUM_LEVELS)]
        program = program_of(chip, {queue: in_loops(rng, stacked([row]))})
        stepped = step(chip, program, state, events.append)
        checked = Lockstep(chip, program, Memories(params=state.params)).launch({}, events, stepped.length_cycles)
        assert checked.difference is None
