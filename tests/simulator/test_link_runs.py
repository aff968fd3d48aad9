"""Link looks at a few runs of a loop; what it says of them is what there is to say of all."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest

from tests.simulator.build import Entry, issue, loop, nop, program
from waterclock.chip import Chip, load
from waterclock.isa.program import Object, Output, Param, Program, Role, Space, instruction_id
from waterclock.isa.record import address
from waterclock.simulator.link import Cause, LinkError, link, link_every_run

RUNS = 40
"""More than can meet one another in any loop here."""
WORDS = Object("words", "mem0", Space.MEM, 0, 200, Role.STATE)
POSITION = Param("position", 0, 0, 2)


@pytest.fixture(scope="module")
def chip() -> Chip:
    return load("tiny")


def dropped(mnemonic: str, *operands: str | int, to: str = "e28", **fields: object) -> Entry:
    return issue(mnemonic, *operands, to=to, discard=True, **fields)


def at(base: int, *terms: tuple[int, int, int, int, int], stride: int = 0, step: int = 0):
    return address(base, *terms, strides={1: stride}, steps={1: step})


def access(mnemonic: str, base: int, *terms: tuple[int, ...], of: int = 0, **stepping: int) -> Entry:
    """A read of an object that begins at 0."""
    where = at(base, *terms, **stepping)
    return dropped(mnemonic, address=where).meant(object=of, address=where)


def looped(*body: Entry, runs: int = RUNS, period: int = 50) -> list[Entry]:
    return [*body, loop(runs, period, len(body))]


VALUE = ("vxm.alu0", 1)


def lane_numbers(runs: int = RUNS, period: int = 50, *, wait: int = 0) -> list[Entry]:
    """A value for mem0 in each run: there 4 cycles later."""
    return [*([nop(wait)] if wait else []), *looped(issue("vxm.lane_index", to="w0"), runs=runs, period=period)]


def stored(base: int, *terms: tuple[int, ...], **stepping: int) -> Entry:
    where = at(base, *terms, **stepping)
    return issue("mem.write32", "w0", address=where).meant(a=VALUE, object=0, address=where)


@dataclass(frozen=True)
class Case:
    """A program in which it is another run than the first few that matters; `cause` is None if it is legal."""

    name: str
    cause: Cause | None
    queues: Mapping[str, list[Entry]]
    queue: str = ""
    cycle: int = 0
    length_cycles: int = 0
    objects: tuple[Object, ...] = (WORDS,)
    params: tuple[Param, ...] = ()
    outputs: tuple[tuple[int, int], ...] = field(default=())
    """Words of mem0 and the entries that write them last."""

    def __str__(self) -> str:
        return self.name

    def program(self, chip: Chip) -> Program:
        words = tuple(("mem0", word) for word, _ in self.outputs)
        producers = tuple(instruction_id(chip.queue_by_name["mem0"].number, entry) for _, entry in self.outputs)
        outputs = (Output("words", words, len(words) * chip.lanes, producers),) if words else ()
        return program(chip, self.queues, objects=self.objects, params=self.params, outputs=outputs,
                       length_cycles=self.length_cycles)  # fmt: skip


def quick(to: str = "e0") -> Entry:
    return dropped("vxm.move", 1, to=to)


SLOW = dropped("vxm.exp2", 1, to="e0")
STORING = {"vxm.alu0": lane_numbers()}
COPIES = Object("copies", "mem0", Space.MEM, 0, 4, Role.STATE, num_layers=80, stride=5)
TWICE = [nop(4), *looped(stored(0, stride=1))]
LENGTH = 39 * 50 + 5
AFTER = 40 * 50
SECOND = {"vxm.alu0": lane_numbers()}

CASES = (
    Case("a slow result meets a quick one, three runs later", Cause.DOUBLE_ARRIVAL, {
        "vxm.alu0": looped(SLOW, period=5), "vxm.alu1": [nop(2), *looped(quick(), period=5)],
    }, "vxm.alu1", 17),
    Case("a result from before the loop is still on its way in its ninth run", Cause.DOUBLE_ARRIVAL, {
        "vxm.alu0": [SLOW], "vxm.alu1": [nop(1), *looped(quick(), period=2)],
    }, "vxm.alu1", 17),
    Case("a result from before the loop is gone when it is over", None, {
        "vxm.alu0": [SLOW], "vxm.alu1": [nop(1), *looped(quick("e4"), period=2), nop(10), quick()],
    }, length_cycles=1 + 1 + 80 + 10),
    Case("a value is overwritten in its hold by one from three runs before", Cause.DISCARDED, {
        "vxm.alu0": looped(issue("vxm.exp2", 1, hold=0, discard=True), period=5),
        "vxm.alu1": [nop(1), *looped(issue("vxm.lane_index", hold=0), period=5)],
        "vxm.alu2": [nop(4), *looped(dropped("vxm.move", "h0").meant(a=("vxm.alu1", 2)), period=5)],
        "vxm.alu3": [nop(3), *looped(dropped("vxm.move", "h0", to="w28").meant(a=("vxm.alu1", 2)), period=5)],
    }, "vxm.alu0"),
    Case("the last run writes the output", None, STORING | {"mem0": TWICE}, length_cycles=LENGTH, outputs=((39, 2),)),
    Case("another run than was meant writes the output", Cause.OUTPUT, STORING | {"mem0": TWICE},
         length_cycles=LENGTH, outputs=((39, 1),)),
    Case("a masked term leaves the memory in between", Cause.ADDRESS, {
        "mem0": looped(access("mem.read32", 505, (1, 0, 0, 0, 15), step=3), runs=49),
    }, "mem0", 3 * 50, objects=(replace(WORDS, size=512),), params=(Param("zero", 0, 0, 0),)),
    Case("a step leaves the object in between", Cause.OBJECT, {
        "mem0": looped(access("mem.read32", 0, stride=6), runs=46),
    }, "mem0", 200, objects=(COPIES,)),
    Case("a constant is in the way of a loop's writes", Cause.OBJECT, STORING | {"mem0": TWICE}, "mem0", 20 * 50 + 4,
         objects=(WORDS, Object("constant", "mem0", Space.MEM, 20, 1, Role.CONSTANT))),
    Case("a loop reads on where the one before has not written", Cause.PRODUCER, STORING | {
        "mem0": [*TWICE, *looped(access("mem.read32", 0, stride=1).meant(memory=("mem0", 2)), runs=44)],
    }, "mem0", 40 * 50 + 4 + 40 * 50),
    Case("a loop reads what the one before has written", None, STORING | {
        "mem0": [*TWICE, *looped(access("mem.read32", 0, stride=1).meant(memory=("mem0", 2)))],
    }, length_cycles=AFTER + 39 * 50 + 5),
    Case("a loop reads what another run of the one before has written", Cause.PRODUCER, STORING | {
        "mem0": [*TWICE, *looped(access("mem.read32", 39, stride=-1).meant(memory=(None, ("mem0", 2))))],
    }, "mem0", AFTER + 4),
    Case("a loop reads more than a parameter may have had written before", Cause.PRODUCER, {
        "vxm.alu0": [issue("vxm.lane_index", to="w0")],
        "mem0": [
            nop(4),
            stored(0, (9, 0, 0, 0, 3)),
            *looped(access("mem.read32", 0, stride=9).meant(memory=("mem0", 2)), runs=20),
        ],
    }, "mem0", 5 + 3 * 50, params=(POSITION,)),
    Case("what comes after reads what only a later run has written", None, STORING | {
        "mem0": [*TWICE, access("mem.read32", 30).meant(memory=("mem0", 2))],
    }, length_cycles=AFTER + 5),
    Case("a bank is busy only when a term has stepped", Cause.BANK, {
        "mxm0": looped(
            access("mxm.read_row", 0, (1, 0, 0, 0, 7), step=1), access("mxm.read_row", 5),
        ),
    }, "mxm0", 5 * 50 + 1, objects=(Object("weights", "mxm0", Space.RERAM, 0, 8, Role.CONSTANT),),
         params=(Param("zero", 0, 0, 0),)),
)  # fmt: skip


def verdict(proof, built: Program, chip: Chip) -> str | None:
    try:
        proof(built, chip)
    except LinkError as refused:
        return f"{refused.cause}: {refused}"
    return None


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_verdict_is_that_of_all_runs(chip: Chip, case: Case) -> None:
    built = case.program(chip)
    assert verdict(link, built, chip) == verdict(link_every_run, built, chip)
    if case.cause is None:
        assert verdict(link, built, chip) is None
        return
    with pytest.raises(LinkError) as refused:
        link(built, chip)
    error = refused.value
    place = (error.queue, error.cycle) if case.queue else (case.queue, case.cycle)
    assert (error.cause, *place) == (case.cause, case.queue, case.cycle), str(error)
