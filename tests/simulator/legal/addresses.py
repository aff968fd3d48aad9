"""Which words and tiles an issue may access, counted out for all values of the parameters."""

from itertools import product

import numpy as np

from tests.simulator.legal.parts import Issue, Operation, in_run
from waterclock.chip import Chip, SliceKind
from waterclock.isa.program import Object, Param, Role, Space
from waterclock.isa.table import Area

POSITION, ANY, SET, ROUTED = range(4)
MAX_POSITION, MAX_ROUTED = 7, 3
PARAMS = (
    Param("position", POSITION, 0, MAX_POSITION),
    Param("any", ANY, -(1 << 31), (1 << 31) - 1),
    Param("set", SET, -(1 << 31), (1 << 31) - 1, host=False),
    Param("routed", ROUTED, 0, MAX_ROUTED, host=False),
)
"""For addresses, for operands, set by a launch to anything, and set by a launch to a number that may be an address."""

Key = tuple[object, ...]
Values = np.ndarray
"""[position, routed]: an address by what the parameters are."""

_AXES = {POSITION: np.arange(MAX_POSITION + 1)[:, None], ROUTED: np.arange(MAX_ROUTED + 1)[None, :]}


def objects_of(chip: Chip) -> tuple[Object, ...]:
    """In every memory something constant, something fixed, and something with a copy for each run of a loop."""
    found: list[Object] = []
    for piece in chip.slices_of(SliceKind.MEM):
        found.append(Object(f"small {piece.name}", piece.name, Space.MEM, 0, 8, Role.CONSTANT))
        found.append(Object(f"words {piece.name}", piece.name, Space.MEM, 8, 16, Role.STATE))
        found.append(Object(f"copies {piece.name}", piece.name, Space.MEM, 32, 4, Role.STATE, 40, 5))
    for piece in chip.slices_of(SliceKind.MXM):
        found.append(Object(f"weights {piece.name}", piece.name, Space.RERAM, 0, 8, Role.CONSTANT, 16, 8))
        found.append(Object(f"tiles {piece.name}", piece.name, Space.SRAM, 0, 8, Role.STATE))
        found.append(Object(f"copies {piece.name}", piece.name, Space.SRAM, 16, 8, Role.STATE, 12, 8))
    return tuple(found)


class Addressed:
    """What the operations of a program access."""

    def __init__(self, chip: Chip, objects: tuple[Object, ...]) -> None:
        self.chip, self.objects = chip, objects

    def space(self, operation: Operation) -> Space | None:
        """The memory that an operation accesses, None for those that access none."""
        if operation.instruction.area is Area.MEM:
            return Space.MEM
        if operation.instruction.area is not Area.MXM:
            return None
        always = operation.instruction.field("sram") is None
        return Space.SRAM if always or operation.row["sram"] else Space.RERAM

    def is_writer(self, operation: Operation) -> bool:
        return self.space(operation) is not None and operation.instruction.result is None

    def is_reader(self, operation: Operation) -> bool:
        return self.space(operation) in (Space.MEM, Space.SRAM) and not self.is_writer(operation)

    def scale(self, operation: Operation) -> int:
        """Addresses for each word or tile."""
        address = operation.instruction.field("address")
        return 4 if address is not None and address.word == "byte" else 1

    def values(self, issue: Issue, name: str = "address") -> Values:
        """The address for all parameters."""
        row, iteration = issue.operation.row, issue.operation.iteration(issue.run)
        value = np.full((MAX_POSITION + 1, MAX_ROUTED + 1), in_run(row, name, iteration))
        for term in row[name]["term"][row[name]["term"]["used"] != 0]:
            number = _AXES[int(term["param"])] + int(term["const"]) + int((term["step"] * iteration).sum())
            value += int(term["stride"]) * ((number >> int(term["shift"])) & int(term["mask"]))
        return value

    def keys(self, issue: Issue) -> list[Key]:
        """The words or tiles that an issue may access."""
        operation = issue.operation
        units = np.unique(self.values(issue) // self.scale(operation)).tolist()
        return [(self.space(operation), operation.queue.slice.name, unit) for unit in units]

    def stays_inside(self, operation: Operation) -> bool:
        """Whether all that may be accessed is in the operation's object, and rows and lanes are such."""
        each = self.objects[operation.object]
        for issue in operation.issues():
            relative = self.values(issue) // self.scale(operation) - each.base
            copy, within = np.divmod(relative, each.stride) if each.num_layers > 1 else (relative * 0, relative)
            if not ((copy >= 0) & (copy < each.num_layers) & (within >= 0) & (within < each.size)).all():
                return False
            if operation.instruction.field("place") is not None:
                place = self.values(issue, "place")
                if not ((place >= 0) & (place < self.chip.lanes)).all():
                    return False
        return True

    def bank_key(self, operation: Operation) -> Key | None:
        space = self.space(operation)
        return (space, operation.queue.slice.name) if space in (Space.RERAM, Space.SRAM) else None

    def busy_cycles(self, operation: Operation) -> int:
        mxm = self.chip.mxm
        if self.is_writer(operation):
            return mxm.write_row_cycles
        return mxm.sense_cycles if self.space(operation) is Space.RERAM else 1

    def may_share_a_bank(self, issue: Issue, other: Issue) -> bool:
        """Whether two issues may access one bank; terms that are the same move together."""
        mxm = self.chip.mxm
        in_reram = self.space(issue.operation) is Space.RERAM
        num_banks = mxm.num_reram_banks if in_reram else mxm.num_sram_banks
        here, there = self.values(issue) % num_banks, self.values(other) % num_banks
        if self._terms(issue) == self._terms(other):
            return bool((here == there).any())
        return any(a == b for a, b in product(np.unique(here), np.unique(there)))

    @staticmethod
    def _terms(issue: Issue) -> bytes:
        term = issue.operation.row["address"]["term"].copy()
        term["const"] += (term["step"] * issue.operation.iteration(issue.run)).sum(axis=1)
        term["step"] = 0
        return term.tobytes()
