"""Link accepts what is right, knows it exactly, and refuses what was not meant."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tests.simulator.build import issue, loop, nop, program, repeat
from tests.simulator.layers import LENGTH_CYCLES, NUM_LAYERS, PERIOD, layers, queues
from tests.simulator.mutate import MUTATIONS, mutants
from waterclock.chip import Chip, load
from waterclock.isa.program import Object, Output, Param, Program, Role, Space, instruction_id
from waterclock.isa.record import address
from waterclock.simulator.link import Cause, Linked, LinkError, dataflow_equal, link, rebuild, unroll

NUM_MUTANTS = 150


@pytest.fixture(scope="module")
def chip() -> Chip:
    """`tiny`, with the latency that the cycles below are counted with."""
    return load("tiny").with_fields({"param_latency_cycles": 4})


def names(linked: Linked, event: int) -> tuple[str, int, tuple[int, ...]]:
    return linked.chip.queues[linked.queue[event]].name, int(linked.entry[event]), tuple(linked.iteration[event])


def test_unroll_nests_loops_and_repeats(chip: Chip) -> None:
    entries = [nop(3), issue("mem.read32"), repeat(2, 2), issue("mem.read8"), loop(2, 10, 3), loop(2, 30, 5)]
    events = unroll(program(chip, {"mem0": [*entries, issue("mem.read32")]}), chip)
    body = [(3, 2, 0), (5, 2, 1), (7, 2, 2), (8, 4, 0)]
    expected = [(c + 10 * i + 30 * j, e, (r, i, j, 0)) for j in range(2) for i in range(2) for c, e, r in body]
    found = zip(events.cycle.tolist(), events.entry.tolist(), map(tuple, events.iteration.tolist()), strict=True)
    assert list(found) == [*expected, (60, 7, (0, 0, 0, 0))]


def test_events_are_in_the_order_of_cycles_and_queues(chip: Chip) -> None:
    events = unroll(layers(chip), chip)
    order = list(zip(events.cycle.tolist(), events.queue.tolist(), strict=True))
    assert order == sorted(order) and len(set(order)) == len(order) == 9 * NUM_LAYERS


def test_link_finds_every_producer_of_every_layer(chip: Chip) -> None:
    linked = link(layers(chip), chip)
    assert linked.length_cycles == LENGTH_CYCLES
    producers = {names(linked, i): [names(linked, p) for p in linked.producer[i] if p >= 0] for i in range(len(linked))}
    accumulated = {names(linked, i): names(linked, p) for i, p in enumerate(linked.acc) if p >= 0}
    written = {names(linked, i): names(linked, p) for i, p in enumerate(linked.memory) if p >= 0}
    for layer in range(NUM_LAYERS):
        run, before = (0, layer, 0, 0), (0, layer - 1, 0, 0)
        assert producers["vxm.alu0", 6, run] == [("mxm1", 4, run), ("vxm.alu1", 2, run)]
        assert producers["mem3", 2, run] == [("vxm.alu0", 6, run)]
        assert accumulated["mxm1", 4, run] == ("mxm1", 2, run)
        assert layer == 0 or written["mem2", 1, run] == ("mem2", 3, before)
    assert len(accumulated) == NUM_LAYERS and len(written) == NUM_LAYERS - 1


def test_an_empty_program_takes_no_cycle(chip: Chip) -> None:
    assert rebuild(program(chip, {}), chip).length_cycles == 0
    assert link(program(chip, {"mem0": [nop(7)]}), chip).length_cycles == 0


@pytest.mark.parametrize(
    ("queues", "length_cycles"),
    [
        ({"vxm.alu0": [issue("vxm.lane_index", hold=0, discard=True)]}, 1 + 2),
        ({"vxm.alu0": [issue("vxm.lane_index", to="e0", discard=True)]}, 1),
        ({"vxm.alu0": [issue("vxm.lane_index", to="w0")], "mem1": [nop(3), issue("mem.write32", "w0")]}, 1 + 3),
        ({"vxm.alu0": [issue("vxm.lane_index", to="w0")], "mem1": [nop(3), issue("icu.set_param", "w0")]}, 1 + 3 + 4),
    ],
)
def test_a_launch_lasts_until_its_last_issue_or_arrival_of_state(chip: Chip, queues, length_cycles: int) -> None:
    built = program(chip, queues, params=(Param("position", 0, 0, 7),))
    assert rebuild(built, chip).length_cycles == length_cycles


def test_write_row_lasts_until_the_row_is_there(chip: Chip) -> None:
    built = program(chip, {"mem3": [issue("mem.read8", to="e0")], "mxm1": [nop(4), issue("mxm.write_row", "e0")]})
    assert rebuild(built, chip).length_cycles == 1 + 4 + chip.mxm.write_row_cycles


def test_a_repeat_reads_itself_through_a_hold_and_an_accumulator(chip: Chip) -> None:
    mine = ("vxm.alu0", 3)
    queues = {
        "vxm.alu0": [
            issue("vxm.lane_index", hold=0),
            nop(1),
            issue("vxm.iadd", "h0", 1, hold=0).meant(a=(("vxm.alu0", 1), mine)),
            repeat(3, 2),
            nop(1),
            issue("vxm.to_int8", "h0", to="e0", discard=True).meant(a=mine),
        ],
        "mem3": [issue("mem.read8", to="e4").meant(object=0), repeat(3, 1)],
        "mxm1": [
            nop(4),
            issue("mxm.matvec", "e4", first=1, sram=1).meant(a=("mem3", 1), object=1),
            issue("mxm.matvec", "e4", sram=1).meant(a=("mem3", 1), object=1),
            repeat(2, 1),
        ],
    }
    objects = (Object("x", "mem3", Space.MEM, 0, 1, Role.STATE), Object("k", "mxm1", Space.SRAM, 0, 1, Role.STATE))
    built = program(chip, queues, objects=objects, length_cycles=11)
    linked = rebuild(built, chip)
    selves = [(names(linked, i)[2][0], names(linked, p)) for i, p in enumerate(linked.acc) if p >= 0]
    assert [(r, p[1]) for r, p in selves] == [(0, 2), (1, 3), (2, 3)]
    with pytest.raises(LinkError) as refused:
        link(built, chip)  # the reads and the matvecs of mxm1 repeat differently: the flow can't say which is meant
    assert (refused.value.cause, refused.value.queue) == (Cause.PRODUCER, "mxm1")


def test_param_sees_the_last_setter_that_has_arrived(chip: Chip) -> None:
    use = issue("vxm.move", "p2", to="e4", discard=True)
    queues = {
        "vxm.alu0": [issue("vxm.lane_index", to="e0"), nop(1), issue("icu.set_param", "e0", param=2)],
        "vxm.alu1": [use, nop(4), use, use],
    }
    linked = rebuild(program(chip, queues, params=(Param("token", 2, 0, 7, host=False),)), chip)
    seen = {
        int(linked.cycle[i]): int(linked.param[i, 0]) for i in np.flatnonzero(linked.queue == _number(chip, "vxm.alu1"))
    }
    setter = int(np.flatnonzero(linked.entry == 3)[0])
    assert linked.cycle[setter] == 2 and seen == {0: -1, 5: -1, 6: setter}


def _number(chip: Chip, queue: str) -> int:
    return chip.queue_by_name[queue].number


# Every way in which the meaning can differ from what is found.


def _flow_changed(built: Program, queue: str, entry: int, name: str, value: int, field: str = "first") -> Program:
    flow = built.flow[queue].copy()
    (flow[entry][name] if field else flow[entry])[field or name] = value
    return replace(built, flow={**built.flow, queue: flow})


@pytest.mark.parametrize(
    ("queue", "entry", "name", "field", "cause"),
    [
        ("vxm.alu0", 6, "a", "first", Cause.PRODUCER),
        ("vxm.alu0", 6, "b", "first", Cause.PRODUCER),
        ("vxm.alu0", 6, "c", "first", Cause.PRODUCER),
        ("vxm.alu0", 6, "a", "carried", Cause.PRODUCER),
        ("mxm1", 4, "acc", "first", Cause.PRODUCER),
        ("mem2", 1, "memory", "first", Cause.PRODUCER),
        ("mem2", 1, "memory", "carried", Cause.PRODUCER),
        ("mem2", 1, "address", "base", Cause.OBJECT),
        ("mem2", 1, "place", "base", Cause.OBJECT),
        ("mem2", 1, "object", "", Cause.OBJECT),
    ],
)
def test_any_other_meaning_is_refused_where_it_first_shows(
    chip: Chip, queue: str, entry: int, name: str, field: str, cause: Cause
) -> None:
    value = instruction_id(_number(chip, "vxm.alu1"), 2) if cause is Cause.PRODUCER else 1
    value += name == "b"  # there it is what is meant
    changed = _flow_changed(layers(chip), queue, entry, name, value, field)
    with pytest.raises(LinkError) as refused:
        link(changed, chip)
    assert (refused.value.cause, refused.value.queue, refused.value.entry) == (cause, queue, entry)
    assert refused.value.iteration[1] == (1 if field == "carried" else 0)


def test_a_carried_producer_is_one_run_back(chip: Chip) -> None:
    """The residual of the same run, or of the run before where it is the same run's."""
    built = layers(chip)
    same_run = _flow_changed(built, "mem2", 1, "memory", int(built.flow["mem2"][1]["memory"]["carried"]))
    with pytest.raises(LinkError, match="memory finds what no instruction"):
        link(same_run, chip)
    producer = int(built.flow["vxm.alu0"][2]["a"]["first"])
    with pytest.raises(LinkError, match="was not meant") as refused:
        link(_flow_changed(built, "vxm.alu0", 2, "a", producer, "carried"), chip)
    assert refused.value.iteration == (0, 1, 0, 0)


def test_other_outputs_lengths_chips_and_objects_are_refused(chip: Chip) -> None:
    built = layers(chip)
    weights = replace(built.objects[2], size=1)
    constant = replace(built.objects[0], role=Role.CONSTANT)
    changes = {
        Cause.LENGTH: replace(built, length_cycles=LENGTH_CYCLES + 1),
        Cause.CHIP: replace(built, chip_sha256="0"),
        Cause.OUTPUT: replace(built, outputs=(replace(built.outputs[0], producers=(-1,)),)),
    }
    for cause, changed in changes.items():
        with pytest.raises(LinkError) as refused:
            link(changed, chip)
        assert refused.value.cause is cause
    for index, each in ((2, weights), (0, constant), (1, replace(built.objects[1], size=3))):
        objects = (*built.objects[:index], each, *built.objects[index + 1 :])
        with pytest.raises(LinkError) as refused:
            link(replace(built, objects=objects), chip)
        assert refused.value.cause is Cause.OBJECT


def test_a_constant_is_not_written_through_another_object(chip: Chip) -> None:
    built = layers(chip)
    gains = Object("gains", "mem3", Space.MEM, base=34, size=1, role=Role.CONSTANT)
    with pytest.raises(LinkError, match="constant"):
        link(replace(built, objects=(*built.objects, gains)), chip)


def test_queues_and_flow_of_different_length_are_refused(chip: Chip) -> None:
    built = layers(chip)
    with pytest.raises(LinkError) as refused:
        link(replace(built, flow={**built.flow, "mem2": built.flow["mem2"][:-1]}), chip)
    assert (refused.value.queue, refused.value.entry) == ("mem2", 4)


# Mutants.


def test_no_mutant_is_accepted_unless_it_computes_the_same(chip: Chip) -> None:
    built = layers(chip)
    linked = link(built, chip)
    outcomes: Counter[str] = Counter()
    for what, mutant in mutants(built, NUM_MUTANTS, seed=1):
        try:
            accepted = link(mutant, chip)
        except LinkError as error:
            assert "\n" not in str(error)
            outcomes["refused"] += 1
            continue
        assert dataflow_equal(linked, accepted), what
        outcomes["equivalent"] += 1
    assert outcomes["refused"] > 0.9 * NUM_MUTANTS, outcomes


def test_mutants_are_the_same_for_the_same_seed_and_of_every_kind(chip: Chip) -> None:
    first, second = (list(mutants(layers(chip), 300, seed=3)) for _ in range(2))
    assert [what for what, _ in first] == [what for what, _ in second]
    assert {what.split()[0] for what, _ in first} == {mutation.__name__ for mutation in MUTATIONS}


def test_dataflow_is_equal_whatever_the_streams_and_holds(chip: Chip) -> None:
    linked = link(layers(chip), chip)
    moved = queues()
    moved["vxm.alu1"][1] = moved["vxm.alu1"][1].with_fields(result={"hold": 3})
    for place, name in ((3, "a"), (5, "b")):
        entry = moved["vxm.alu0"][place]
        moved["vxm.alu0"][place] = entry.with_fields(**{name: {**entry.fields[name], "index": 2}})
    assert dataflow_equal(linked, link(layers(chip, moved), chip))
    later = queues()
    later["mem3"][0] = nop(PERIOD)
    with pytest.raises(LinkError):
        link(layers(chip, later), chip)
    other = queues()
    other["mem3"][1] = other["mem3"][1].with_fields(address=address(33, strides={1: 8}))
    assert not dataflow_equal(linked, rebuild(layers(chip, other), chip))


def test_errors_name_slice_queue_cycle_and_instruction(chip: Chip) -> None:
    with pytest.raises(LinkError) as refused:
        rebuild(program(chip, {"mem3": [nop(4), issue("mem.write32", "w8")]}), chip)
    error = refused.value
    assert (error.cause, error.slice, error.queue, error.entry, error.cycle) == (Cause.UNWRITTEN, "mem3", "mem3", 2, 4)
    assert all(word in str(error) for word in ("slice mem3", "queue mem3", "cycle 4", "mem.write32", "west stream 8"))


def test_output_words_of_a_missing_slice_are_refused(chip: Chip) -> None:
    built = replace(layers(chip), outputs=(Output("logits", (("mem9", 0),), 8, (-1,)),))
    with pytest.raises(LinkError, match="logits"):
        link(built, chip)
