"""A hand-made program in the manner of a model: layers in a loop, a residual in MEM, matvecs, a hold, a parameter."""

from tests.simulator.build import Entry, issue, loop, nop, program
from waterclock.chip import Chip
from waterclock.isa.program import Object, Output, Param, Program, Role, Space, instruction_id
from waterclock.isa.record import address

NUM_LAYERS = 3
PERIOD = 60
LENGTH_CYCLES = (NUM_LAYERS - 1) * PERIOD + 33

OBJECTS = (
    Object("residual", "mem2", Space.MEM, base=10, size=1, role=Role.STATE),
    Object("history", "mem3", Space.MEM, base=32, size=4, role=Role.OUTPUT, num_layers=NUM_LAYERS, stride=8),
    Object("weights", "mxm1", Space.RERAM, base=16, size=2, role=Role.CONSTANT, num_layers=NUM_LAYERS, stride=2),
)
RESIDUAL, HISTORY, WEIGHTS = range(3)
POSITION = Param("position", 0, 0, 3)
AT_POSITION = (1, 0, 0, 0, 3)


def _at(base: int, *terms: tuple[int, int, int, int, int], layer: int = 0):
    return address(base, *terms, strides={1: layer})


def queues() -> dict[str, list[Entry]]:
    """Entry 0 of each queue is icu.start, so that the first here is entry 1."""
    last = ("mem2", 3)
    return {
        "mxm1": [
            nop(10),
            issue("mxm.matvec", "e8", first=1, address=_at(16, layer=2)).meant(
                a=("vxm.alu0", 2), object=WEIGHTS, address=_at(0, layer=2)
            ),
            nop(4),
            issue("mxm.matvec", "e8", to="w4", emit=1, address=_at(17, layer=2)).meant(
                a=("vxm.alu0", 4), acc=("mxm1", 2), object=WEIGHTS, address=_at(1, layer=2)
            ),
            loop(NUM_LAYERS, PERIOD, 4),
        ],
        "mem2": [
            issue("mem.read32", to="w0", address=_at(10)).meant(memory=(None, last), object=RESIDUAL),
            nop(30),
            issue("mem.write32", "e12", address=_at(10)).meant(a=("vxm.alu0", 6), object=RESIDUAL),
            loop(NUM_LAYERS, PERIOD, 3),
        ],
        "mem3": [
            nop(32),
            issue("mem.write32", "e12", address=_at(32, AT_POSITION, layer=8)).meant(
                a=("vxm.alu0", 6), object=HISTORY, address=_at(0, AT_POSITION, layer=8)
            ),
            loop(NUM_LAYERS, PERIOD, 2),
        ],
        "vxm.alu0": [
            nop(3),
            issue("vxm.to_int8", "w0", to="e8").meant(a=("mem2", 1)),
            nop(4),
            issue("vxm.to_int8", "h0", to="e8").meant(a=("vxm.alu1", 2)),
            nop(19),
            issue("vxm.iadd", "w4", "h0", to="e12").meant(a=("mxm1", 4), b=("vxm.alu1", 2)),
            loop(NUM_LAYERS, PERIOD, 6),
        ],
        "vxm.alu1": [
            nop(3),
            issue("vxm.move", "w0", hold=0).meant(a=("mem2", 1)),
            loop(NUM_LAYERS, PERIOD, 2),
        ],
    }


def layers(chip: Chip, queues: dict[str, list[Entry]] | None = None, length_cycles: int = LENGTH_CYCLES) -> Program:
    """The program, for the shipped chip `tiny`; or with other queues."""
    writer = instruction_id(chip.queue_by_name["mem2"].number, 3)
    return program(
        chip,
        queues or globals()["queues"](),
        objects=OBJECTS,
        params=(POSITION,),
        outputs=(Output("residual", (("mem2", 10),), chip.lanes, (writer,)),),
        length_cycles=length_cycles,
    )
