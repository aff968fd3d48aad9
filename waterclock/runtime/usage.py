"""How full a chip is: what a deployment's objects take of each memory."""

from dataclasses import dataclass

from waterclock.chip import Chip, SliceKind
from waterclock.compiler.deployment import Deployment
from waterclock.isa.program import Space


@dataclass(frozen=True)
class Usage:
    """One kind of memory over the whole chip; `fullest` is the slice with the most taken."""

    memory: str
    unit: str
    taken: int
    available: int
    fullest: str
    taken_there: int


def usage(deployment: Deployment) -> tuple[Usage, ...]:
    """Words and tiles that objects of the deployment take, temporaries of its programs included."""
    chip = deployment.chip
    return tuple(_usage(deployment, chip, space) for space in Space)


def _usage(deployment: Deployment, chip: Chip, space: Space) -> Usage:
    kind = SliceKind.MEM if space is Space.MEM else SliceKind.MXM
    taken = {piece.name: 0 for piece in chip.slices if piece.kind is kind}
    for obj in {*deployment.objects, *(obj for program in deployment.programs.values() for obj in program.objects)}:
        if obj.space is space:
            taken[obj.slice] += obj.size * obj.num_layers
    each = {Space.MEM: chip.mem.num_words, Space.RERAM: chip.mxm.num_reram_tiles, Space.SRAM: chip.mxm.num_sram_tiles}
    fullest = max(taken, key=lambda name: taken[name])
    unit = "words" if space is Space.MEM else "tiles"
    return Usage(space.value, unit, sum(taken.values()), each[space] * len(taken), fullest, taken[fullest])
