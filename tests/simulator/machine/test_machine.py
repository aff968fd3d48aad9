"""The virtual machine against the stepper, on random programs and on a few by hand."""

import numpy as np
import pytest

from tests.programs import ANY, POSITION, SET, random_params, random_program, random_state
from waterclock.chip import Chip
from waterclock.errors import InputError
from waterclock.isa.assembly import assemble
from waterclock.isa.program import Output, Param, Program, empty_flow
from waterclock.simulator.errors import MachineError
from waterclock.simulator.link import rebuild
from waterclock.simulator.machine import Machine
from waterclock.simulator.machine.rows import NO_VALUE, assign_rows
from waterclock.simulator.state import State
from waterclock.simulator.stepper import step

NUM_LAUNCHES = 2


def compare(chip: Chip, seed: int, num_parts: int) -> None:
    """Launch a random program a few times on both."""
    program, state = random_program(chip, seed, num_parts), random_state(chip, seed)
    machine = Machine(rebuild(program, chip), state.copy())
    for launch in range(NUM_LAUNCHES):
        params = random_params(NUM_LAUNCHES * seed + launch)
        for index, value in params.items():
            state.params[index] = value
        stepped, launched = step(chip, program, state), machine.launch(params)
        state = stepped.state
        assert state.first_difference(launched.state) is None
        assert stepped.length_cycles == launched.length_cycles
        (output,) = program.outputs
        words = [state.mem[chip.slice_by_name[name].index, word] for name, word in output.words]
        np.testing.assert_array_equal(machine.output(output.name), np.concatenate(words)[: output.size])


@pytest.mark.parametrize("seed", range(10))
def test_random_programs_equal_the_stepper(tiny: Chip, seed: int) -> None:
    compare(tiny, seed, num_parts=3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1300))
def test_many_random_programs_equal_the_stepper(tiny: Chip, seed: int) -> None:
    compare(tiny, seed, num_parts=6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_random_programs_with_64_lanes_equal_the_stepper(tiny: Chip, seed: int) -> None:
    chip = tiny.with_fields({"lanes": 64})
    compare(chip, seed, num_parts=6)


PARAMS = (
    Param("position", POSITION, 0, 9),
    Param("any", ANY, -5, 5, host=False),
    Param("set", SET, 0, 3, host=False),
)
OUTPUTS = (Output("first", (("mem1", 8), ("mem0", 8)), 11, (-1, -1)),)


def machine_of(chip: Chip, queues: dict[str, str], state: State) -> Machine:
    """A machine for queues given as text, one entry a line, `icu.start` left out."""
    text = "".join(f"queue {name}:\nicu.start\n{lines}\n" for name, lines in queues.items())
    records = assemble(text)
    flow = {name: empty_flow(len(rows)) for name, rows in records.items()}
    program = Program("by hand", chip.sha256, records, flow, {}, (), (), PARAMS, OUTPUTS, 0)
    return Machine(rebuild(program, chip), state)


def setting(chip: Chip, word: int) -> dict[str, str]:
    """Queues that set parameter `SET` to lane 0 of a word."""
    flight = chip.latency.mem_read + 1
    return {"mem0": f"mem.read32 word[{word}] -> s4e", "mem1": f"icu.nop n={flight}\nicu.set_param s4e, param={SET}"}


def test_a_set_parameter_out_of_range_stops_both_with_one_cause(tiny: Chip) -> None:
    state = random_state(tiny, 0)
    state.mem[0, 6, 0] = 4
    machine = machine_of(tiny, setting(tiny, 6), state.copy())
    with pytest.raises(MachineError) as ours:
        machine.launch()
    with pytest.raises(MachineError) as theirs:
        step(tiny, machine.ready.program, state)
    assert str(ours.value) == str(theirs.value)
    assert ours.value.cycle == tiny.latency.mem_read + 1
    machine.state.mem[0, 6, 0] = 3
    assert machine.launch().state.params[SET] == 3


def test_a_set_parameter_lasts_until_the_next_launch(tiny: Chip) -> None:
    state = random_state(tiny, 0)
    state.mem[0, 6, 0] = 2
    machine = machine_of(tiny, setting(tiny, 6), state)
    machine.launch()
    assert state.params[SET] == 2


@pytest.mark.parametrize(
    ("params", "text"),
    [
        ({POSITION: 10}, "position = 10"),
        ({POSITION: -1}, "position = -1"),
        ({9: 0}, "9 is not declared"),
        ({POSITION: 1 << 40}, "position = 1099511627776"),
    ],
)
def test_a_bad_parameter_is_refused_and_nothing_is_written(tiny: Chip, params: dict[int, int], text: str) -> None:
    machine = machine_of(tiny, setting(tiny, 6), random_state(tiny, 0))
    before = machine.state.copy()
    with pytest.raises(InputError, match=text):
        machine.launch(params)
    assert machine.state.equals(before)


def test_what_another_program_left_in_a_parameter_is_checked(tiny: Chip) -> None:
    machine = machine_of(tiny, setting(tiny, 6), random_state(tiny, 0))
    machine.state.params[ANY] = 6
    with pytest.raises(InputError, match="any = 6"):
        machine.launch()


def test_outputs_are_copies_of_words_in_their_order(tiny: Chip) -> None:
    machine = machine_of(tiny, setting(tiny, 6), random_state(tiny, 0))
    found, mem = machine.output("first"), machine.state.mem
    assert found.tolist() == [*mem[1, 8].tolist(), *mem[0, 8, : 11 - tiny.lanes].tolist()]
    found[:] = 0
    assert mem[1, 8].any()


def test_the_state_is_shared_not_copied(tiny: Chip) -> None:
    state = State.zero(tiny)
    machine = machine_of(tiny, setting(tiny, 6), state)
    assert machine.launch().state is machine.state is state


def test_a_state_that_is_not_contiguous_is_refused(tiny: Chip) -> None:
    state = random_state(tiny, 0)
    split = State(state.mem[:, ::2], state.reram, state.sram, state.params)
    with pytest.raises(ValueError, match="contiguous"):
        machine_of(tiny, setting(tiny, 6), split)


def test_a_machine_repeats_itself(tiny: Chip) -> None:
    program = random_program(tiny, 3)
    linked = rebuild(program, tiny)
    states = [Machine(linked, random_state(tiny, 3)).launch(random_params(3)).state for _ in range(2)]
    assert states[0].equals(states[1])


@pytest.mark.parametrize("seed", range(20))
def test_no_two_values_share_a_row_while_they_are_needed(seed: int) -> None:
    """Run the rows as a register file and look whether every operand still finds its value."""
    rng, num_constants, num_ops = np.random.default_rng(seed), 3, 60
    ops = np.full((num_ops, 4), NO_VALUE, np.int32)
    made = num_constants
    for op in ops:
        op[1:] = [rng.integers(made) if rng.random() < 0.7 else NO_VALUE for _ in range(3)]
        if rng.random() < 0.8:
            op[0], made = made, made + 1
    known = [max([num_constants - 1, *ops[: i + 1, 0]]) for i in range(num_ops)]  # the last value made so far
    also = np.array([(i, rng.integers(known[i])) for i in range(num_ops) for _ in range(rng.integers(3))], np.int32)
    rows, also_rows = ops.copy(), also.copy()
    num_rows = assign_rows(rows, also_rows, num_constants, made)
    held = list(range(num_constants)) + [NO_VALUE] * (num_rows - num_constants)
    for number, (op, row) in enumerate(zip(ops.tolist(), rows.tolist(), strict=True)):
        mine = also[:, 0] == number
        assert [held[place] for place in also_rows[mine, 1]] == also[mine, 1].tolist()
        assert row[0] not in also_rows[mine, 1] or op[0] == NO_VALUE
        for value, place in zip(op[1:], row[1:], strict=True):
            assert value == NO_VALUE or held[place] == value
        if op[0] != NO_VALUE:
            assert row[0] not in [place for value, place in zip(op[1:], row[1:], strict=True) if value != NO_VALUE]
            held[row[0]] = op[0]
    assert num_rows < made
