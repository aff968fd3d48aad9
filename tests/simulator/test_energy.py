"""Activities are counted exactly: by hand, by the sequencer, by the stepper's streams."""

from collections import Counter

import numpy as np
import pytest

from tests.numerics.traced import traced
from tests.programs import random_params, random_program, random_state
from tests.runtime.conftest import bundle, model_path, prefilling
from tests.simulator.build import Entry, issue, loop, nop, program, repeat
from waterclock.chip import Chip, SliceKind, load
from waterclock.isa.layout import word_bits
from waterclock.isa.program import Program
from waterclock.isa.record import INSTRUCTION, address
from waterclock.isa.table import CONTROL, INSTRUCTIONS, OPCODES
from waterclock.numerics import functions
from waterclock.runtime.bundle import Bundle
from waterclock.simulator.energy import ACTIVITIES, WORK, Activity, count_activities
from waterclock.simulator.link import link, rebuild
from waterclock.simulator.sequencer import issues
from waterclock.simulator.served import UNLABELLED
from waterclock.simulator.stepper import moments

__all__ = ["bundle", "model_path", "prefilling"]

SEEDS = (3,)
SPECIAL = ("exp2", "reciprocal", "rsqrt")


@pytest.mark.parametrize("mnemonic", sorted(set(INSTRUCTIONS) - CONTROL))
def test_every_instruction_that_issues_has_its_activities(shipped_chip: Chip, mnemonic: str) -> None:
    assert mnemonic in WORK, f"{mnemonic}: waterclock.simulator.energy.WORK does not say what it does"
    records = np.zeros(2, INSTRUCTION)
    records["sram"] = [0, 1]
    records["segment"] = 2
    counts = {activity: np.broadcast_to(count(shipped_chip, records), 2) for activity, count in WORK[mnemonic].items()}
    assert (sum(counts.values()) > 0).all()
    units = {INSTRUCTIONS[mnemonic].area.value}
    assert {activity.unit for activity in counts} == units


def test_nothing_else_has_activities() -> None:
    assert set(WORK) == set(INSTRUCTIONS) - CONTROL
    assert {activity for work in WORK.values() for activity in work} | {Activity.HOLD_BIT, Activity.HOP_BIT,
           Activity.FETCHED_BIT} == set(ACTIVITIES)  # fmt: skip


@pytest.mark.parametrize("name", SPECIAL)
def test_special_functions_take_the_fp32_operations_of_their_definition(tiny: Chip, name: str) -> None:
    calls = Counter(operation for operation, _ in traced(getattr(functions, name), 1.2345679))
    record = np.zeros(1, INSTRUCTION)
    work = {activity: count(tiny, record) for activity, count in WORK[f"vxm.{name}"].items()}
    assert work[Activity.FP32_MUL] == calls["mul"] * tiny.lanes
    assert work[Activity.FP32_ADD] == (calls["add"] + calls["sub"]) * tiny.lanes


def test_a_program_by_hand(tiny: Chip) -> None:
    """mem0 reads a word twice in a loop of three; each flows east to the VXM, which keeps it, and on to the end."""
    lanes, latency = tiny.lanes, tiny.latency.mem_read
    mem, vxm = tiny.slice_by_name["mem0"].x, tiny.slice_by_name["vxm"].x
    again = [repeat(1, 2), loop(3, 40, 2)]
    keep = issue("vxm.move", "e4", hold=0)
    queues = {
        "mem0": [issue("mem.read32", to="e4", address=address(0)), *again],
        "vxm.alu0": [nop(latency + vxm - mem), discarded(keep), *again],
    }
    counts = count_activities(rebuild(program(tiny, queues), tiny))
    expected = dict.fromkeys(ACTIVITIES, 0) | {
        Activity.MEM_READ_BIT: 6 * 32 * lanes,
        Activity.LOGIC: 6 * lanes,
        Activity.HOLD_BIT: 6 * 32 * lanes,
        Activity.HOP_BIT: 6 * 32 * lanes * (tiny.num_positions - mem),
        Activity.FETCHED_BIT: (1 + 3 * 3) * word_bits(SliceKind.MEM) + (2 + 3 * 3) * word_bits(SliceKind.VXM),
    }
    assert {activity: counts.of(activity) for activity in ACTIVITIES} == expected


def discarded(entry: Entry) -> Entry:
    return entry.with_fields(result={**entry.fields["result"], "discard": 1})


@pytest.mark.parametrize("seed", SEEDS)
def test_work_is_that_of_each_issue(tiny: Chip, seed: int) -> None:
    built = random_program(tiny, seed)
    expected = dict.fromkeys(ACTIVITIES, 0)
    for queue in tiny.queues:
        for each in issues(queue, built.queues[queue.name]):
            for activity, count in WORK[each.row.mnemonic].items():
                expected[activity] += int(np.ravel(count(tiny, np.array([each.record])))[0])
    counts = count_activities(rebuild(built, tiny))
    others = {Activity.HOLD_BIT, Activity.HOP_BIT, Activity.FETCHED_BIT}
    assert {a: counts.of(a) for a in ACTIVITIES if a not in others} == {
        a: count for a, count in expected.items() if a not in others
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_entries_are_fetched_as_often_as_loops_come_past_them(tiny: Chip, seed: int) -> None:
    built = random_program(tiny, seed)
    expected = sum(sum(passes_of(built, queue.name)) * word_bits(queue.slice.kind) for queue in tiny.queues)
    assert count_activities(rebuild(built, tiny)).of(Activity.FETCHED_BIT) == expected


def passes_of(built: Program, queue: str) -> list[int]:
    records = built.queues[queue]
    passes = [1] * len(records)
    for entry, record in enumerate(records):
        if record["op"] == OPCODES["icu.loop"]:
            for inside in range(entry - int(record["body"]), entry + 1):
                passes[inside] *= int(record["n"])
    return passes


@pytest.mark.parametrize("seed", SEEDS)
def test_bits_hop_as_the_steppers_streams_do(tiny: Chip, seed: int) -> None:
    """In each cycle every register that carries something has taken it over; the last ones flow on to the ends."""
    built, state = random_program(tiny, seed), random_state(tiny, seed)
    for index, value in random_params(seed).items():
        state.params[index] = value
    hops, written = 0, np.zeros((2, tiny.num_positions, tiny.num_streams), np.bool_)
    for moment in moments(tiny, built, state):
        written = moment.written.copy()
        hops += int(written.sum())
    distance = np.arange(tiny.num_positions)
    hops += int((written[0].sum(axis=1) * distance[::-1] + written[1].sum(axis=1) * distance).sum())
    assert count_activities(rebuild(built, tiny)).of(Activity.HOP_BIT) == 8 * tiny.lanes * hops
    assert hops > 1000


def test_counts_of_a_model_are_complete(bundle: Bundle) -> None:
    chip, (built,) = bundle.deployment.chip, bundle.deployment.programs.values()
    linked = link(built, chip)
    counts = count_activities(linked)
    for activity in ACTIVITIES:
        assert counts.of(activity) == sum(counts.by_operation(activity).values())
        if activity is not Activity.FETCHED_BIT:
            assert UNLABELLED not in counts.by_operation(activity)
    matvecs = linked.rows.record["op"][linked.row] == OPCODES["mxm.matvec"]
    on_sram = linked.rows.record["sram"][linked.row][matvecs] == 1
    assert counts.of(Activity.RERAM_PRODUCT) == int((~on_sram).sum()) * chip.lanes**2
    assert counts.by_operation(Activity.FP32_MUL)["blk.attn"] > 0


def test_every_shipped_chip_counts(shipped_chip: Chip) -> None:
    """A program of one read, on each chip."""
    entry = issue("mem.read8", to="e4", address=address(0))
    counts = count_activities(rebuild(program(shipped_chip, {"mem0": [discarded(entry)]}), shipped_chip))
    assert counts.of(Activity.MEM_READ_BIT) == 32 * shipped_chip.lanes
    x = load(shipped_chip.name).slice_by_name["mem0"].x
    assert counts.of(Activity.HOP_BIT) == 8 * shipped_chip.lanes * (shipped_chip.num_positions - x)
