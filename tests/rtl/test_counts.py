"""Counts, lengths and bodies of control entries in gates: each bit of each, wherever a queue looks for one."""

from collections.abc import Mapping
from itertools import product

import pytest

from tests.rtl.compare import assembled, issued_by_stepper
from tests.rtl.test_icu import MAX_LOOPS
from tests.rtl.test_illegal import fault_of, with_code
from waterclock.chip import Chip, SliceKind
from waterclock.isa.causes import Cause
from waterclock.isa.encoding import encode_queue
from waterclock.isa.layout import field_by_path
from waterclock.isa.record import Records

COUNT_BITS, BODY_BITS = (field_by_path("icu.loop")[field].bits for field in ("n", "body"))
WIDE = (1 << 20) - 5
LOOK_CYCLES = 8
NEAR_THE_ENDS = (*range(LOOK_CYCLES), *range(WIDE - LOOK_CYCLES // 2, WIDE + 1))
INNER = WIDE - 10
WIDE_SHAPES: tuple[tuple[str, Mapping[int, tuple[int, ...]]], ...] = (
    (f"icu.nop n={WIDE}\n{{0}}", {WIDE: (0, 0, 0, 0)}),
    (f"{{0}}\nicu.repeat n=1, distance={WIDE}", {0: (0, 0, 0, 0), WIDE: (1, 0, 0, 0)}),
    (f"{{0}}\nicu.repeat n={WIDE}, distance=1", {cycle: (cycle, 0, 0, 0) for cycle in NEAR_THE_ENDS}),
    (f"{{0}}\nicu.loop n={WIDE + 1}, distance=1, body=1", {cycle: (0, cycle, 0, 0) for cycle in NEAR_THE_ENDS}),
    (f"{{0}}\nicu.loop n=1, distance=1, body=1\nicu.loop n={WIDE + 1}, distance=1, body=2",
     {cycle: (0, 0, cycle, 0) for cycle in NEAR_THE_ENDS}),
    ("{0}\nicu.loop n=1, distance=1, body=1\nicu.loop n=1, distance=1, body=2\n"
     f"icu.loop n={WIDE + 1}, distance=1, body=3", {cycle: (0, 0, 0, cycle) for cycle in NEAR_THE_ENDS}),
    (f"{{0}}\nicu.loop n=1, distance={WIDE}, body=1\n{{0}}", {0: (0, 0, 0, 0), WIDE: (0, 0, 0, 0)}),
    (f"icu.nop n=1\nicu.loop n={INNER}, distance=1, body=1\nicu.loop n=1, distance={INNER + 3}, body=2\n"
     f"icu.loop n=1, distance={WIDE}, body=3\n{{0}}", {WIDE: (0, 0, 0, 0)}),
    *((f"icu.nop n={long}\n" + "".join(f"icu.loop n=1, distance={long}, body={body}\n" for body in (1, 2, 3))
       + f"icu.nop n={WIDE + 1 - long}\n{{0}}", {WIDE + 1: (0, 0, 0, 0)}) for long in (WIDE - 1, WIDE)),
)  # fmt: skip
"""A count or a length of a million in each place where one can be, the last an odd and an even one in three loops at
once, and in which cycles the instruction issues, near the ends, and with which iterations."""
TEXT_BY_KIND = {
    SliceKind.MEM: "mem.read32 word[0] -> s0e", SliceKind.VXM: "vxm.iadd s0e, h1 -> h0",
    SliceKind.SXM: "sxm.rotate s0e, amount[1] -> s4e", SliceKind.MXM: "mxm.matvec s3e, tile[2], acc=1, first",
}  # fmt: skip


@pytest.mark.parametrize("turn", range(len(WIDE_SHAPES)))
def test_a_million_cycles_or_iterations(chip: Chip, turn: int) -> None:
    """In all queues at once, each with another shape; in as many turns as there are shapes, each with each."""
    from waterclock.rtl.core import LAUNCH_CYCLES, built_queues
    from waterclock.rtl.cosim import design_of, loading, trace_of
    from waterclock.rtl.images import Memories, encoded, writes
    from waterclock.rtl.verilated import Simulation

    texts: dict[str, str] = {}
    due: set[tuple[str, int, tuple[int, ...]]] = set()
    for queue in built_queues(chip):
        text, iteration_by_cycle = WIDE_SHAPES[(turn + queue.number) % len(WIDE_SHAPES)]
        texts[queue.name] = text.format(TEXT_BY_KIND[queue.slice.kind])
        due |= {(queue.name, *one) for one in iteration_by_cycle.items()}
    simulation = Simulation(design_of(chip))
    simulation.drive(loading(simulation, writes(chip, encoded(chip, assembled(texts)), Memories())))
    launching = simulation.blank(LAUNCH_CYCLES)
    simulation.column(launching, "launch")[0] = 1
    simulation.drive(launching)
    got: set[tuple[str, int, tuple[int, ...]]] = set()
    for begin, waits in ((0, 0), (WIDE - LOOK_CYCLES // 2, WIDE - LOOK_CYCLES // 2 - LOOK_CYCLES)):
        simulation.drive(simulation.blank(waits))
        trace = trace_of(chip, simulation, simulation.step(simulation.blank(LOOK_CYCLES)))
        assert trace.frozen is None
        got |= {(issued.queue, begin + issued.cycle, issued.iteration) for issued in trace.issued}
    assert got == due


SHORT = 12
"""Cycles in which a count or a length that is cut to one of its bits less would show."""
COUNTED = (
    "{instruction}\nicu.nop n={count}\n{instruction}",
    "{instruction}\nicu.repeat n={count}, distance=1",
    "{instruction}\nicu.repeat n=2, distance={length}\n{instruction}",
    *(
        f"{{instruction}}\n{repeat}{inner}icu.loop {at_issue}, body={body}\n{{instruction}}"
        for repeat, cycles in (("", 1), ("icu.repeat n=1, distance=1\n", 2))
        for level in range(MAX_LOOPS)
        for inner in ("".join(f"icu.loop n=1, distance={cycles}, body={cycles + one}\n" for one in range(level)),)
        for body in (cycles + level,)
        for at_issue in (f"n={{count}}, distance={cycles}", "n=2, distance={length}")
    ),
)
"""A count or a length in every place where a queue looks for one."""


@pytest.mark.parametrize("text", COUNTED)
def test_every_bit_of_a_count_counts(chip: Chip, text: str) -> None:
    """What is far longer than the test looks, in each way, equals what is a little longer: no cycle ends it early."""
    from waterclock.rtl.core import built_queues
    from waterclock.rtl.cosim import Memories, launch

    def queues(long: int) -> dict[str, Records]:
        return assembled({
            queue.name: text.format(instruction=TEXT_BY_KIND[queue.slice.kind], count=long + 1, length=long)
            for queue in built_queues(chip)
        })  # fmt: skip

    due = tuple(issue for issue in issued_by_stepper(chip, queues(SHORT)) if issue.cycle < SHORT)
    assert due
    for bit in range(SHORT.bit_length(), COUNT_BITS):
        trace = launch(chip, queues(1 << bit), Memories(), SHORT)
        assert trace.frozen is None
        assert trace.issued == due


NEST = (
    "icu.loop n=1, distance={0}, body={0}\nicu.loop n=1, distance={0}, body={1}\nicu.loop n=1, distance={0}, body={2}"
)


@pytest.mark.parametrize("is_repeated", [False, True])
@pytest.mark.parametrize("kind", TEXT_BY_KIND)
def test_a_loop_that_ends_elsewhere_freezes(chip: Chip, kind: SliceKind, is_repeated: bool) -> None:
    """Three loop ends met in one cycle, with each bit of each body changed."""
    from waterclock.rtl.core import built_queues
    from waterclock.rtl.cosim import Frozen, Memories, launch_words

    length = 1 + is_repeated
    lines = [TEXT_BY_KIND[kind], *["icu.repeat n=1, distance=1"] * is_repeated, NEST.format(*range(length, length + 3))]
    first = length + 1
    queues = [queue for queue in built_queues(chip) if queue.slice.kind is kind]
    for queue in (queues[0], queues[-1]):
        legal = encode_queue(assembled({queue.name: "\n".join(lines)})[queue.name], kind)
        for entry, bit in product(range(first, first + MAX_LOOPS), range(BODY_BITS)):
            words = legal.copy()
            words[entry, :3] = with_code(legal[entry, :3], field_by_path("icu.loop")["body"], entry - 1 ^ 1 << bit)
            cause, fault = fault_of(chip, queue, words)
            assert cause is not Cause.NONE
            frozen = launch_words(chip, {queue.name: words}, Memories(), length + 2).frozen
            assert frozen == Frozen(length, queue.name, fault, cause)
