"""How full a chip is: what a deployment's objects take of each memory."""

from collections.abc import Mapping
from dataclasses import dataclass

from waterclock.chip import Chip, SliceKind
from waterclock.compiler.deployment import Deployment
from waterclock.isa.program import Space

KIND_BY_SPACE = {Space.MEM: SliceKind.MEM, Space.RERAM: SliceKind.MXM, Space.SRAM: SliceKind.MXM}
"""The kind of slice that has a memory."""


@dataclass(frozen=True)
class Usage:
    """One kind of memory over the whole chip; `fullest` is the slice with the most taken."""

    memory: str
    unit: str
    taken: int
    available: int
    fullest: str
    taken_there: int


def capacities(chip: Chip) -> Mapping[Space, int]:
    """Words or tiles that one slice has of each memory."""
    return {
        Space.MEM: chip.mem.num_words,
        Space.RERAM: chip.mxm.num_reram_tiles,
        Space.SRAM: chip.mxm.num_sram_tiles,
    }


def usage(deployment: Deployment) -> tuple[Usage, ...]:
    """Words and tiles that objects of the deployment take, temporaries of its programs included."""
    return tuple(_usage(deployment, space) for space in Space)


def _usage(deployment: Deployment, space: Space) -> Usage:
    chip = deployment.chip
    taken = {piece.name: 0 for piece in chip.slices_of(KIND_BY_SPACE[space])}
    for obj in {*deployment.objects, *(obj for program in deployment.programs.values() for obj in program.objects)}:
        if obj.space is space:
            taken[obj.slice] += obj.size * obj.num_layers
    fullest = max(taken, key=lambda name: taken[name])
    return Usage(
        memory=space.value,
        unit="words" if space is Space.MEM else "tiles",
        taken=sum(taken.values()),
        available=capacities(chip)[space] * len(taken),
        fullest=fullest,
        taken_there=taken[fullest],
    )
