"""Random addresses inside the objects of a program."""

from collections.abc import Callable

import numpy as np

from tests.simulator.legal.addresses import MAX_POSITION, POSITION, ROUTED, Addressed
from tests.simulator.legal.parts import Operation
from waterclock.chip import Chip
from waterclock.isa.program import Role, Space
from waterclock.isa.record import Records, address
from waterclock.isa.table import Form


class AddressDrawer:
    """Draws the addresses of one program's operations."""

    def __init__(
        self, chip: Chip, addressed: Addressed, rng: np.random.Generator, has_routed: Callable[[], bool]
    ) -> None:
        self.chip, self.addressed, self.rng, self.has_routed = chip, addressed, rng, has_routed
        self.strides = rng.random() < 0.8

    def draw(self, operation: Operation) -> bool:
        """Draw an operation's object and addresses; False if they would not stay where they may be."""
        for operand in operation.instruction.operands:
            if operand.form is Form.ADDRESS and operand.word in ("amount", "lane", "row"):
                operation.row[operand.field] = self._lane()
        space = self.addressed.space(operation)
        if space is None:
            return True
        writes, name = self.addressed.is_writer(operation), operation.queue.slice.name
        fitting = [
            number
            for number, each in enumerate(self.addressed.objects)
            if each.slice == name and each.space is space and not (writes and each.role is Role.CONSTANT)
        ]
        operation.object = int(self.rng.choice(fitting))
        operation.row["address"] = self._in_object(operation)
        return self.addressed.stays_inside(operation)

    def _in_object(self, operation: Operation) -> Records:
        """An address in the operation's object: fixed, by a parameter, or a copy for each run."""
        each, scale, rng = self.addressed.objects[operation.object], self.addressed.scale(operation), self.rng
        base = scale * (each.base + int(rng.integers(each.size))) + int(rng.integers(scale))
        if each.num_layers == 1 or not self.strides:
            return self._with_terms(address(base), scale) if rng.random() < 0.3 else address(base)
        step, loops = scale * each.stride, operation.segment.loops
        kind = rng.integers(4)
        inner = step if kind and loops else 0
        outer = step * (loops[-1][0] if kind == 1 else 0) if len(loops) == 2 else 0
        row = address(base, strides={1: inner, 2: outer, 0: step if operation.repeats and rng.integers(2) else 0})
        return self._with_terms(row, scale) if each.space is Space.MEM and rng.random() < 0.2 else row

    def _with_terms(self, row: Records, scale: int) -> Records:
        for number in range(int(self.rng.integers(1, 3))):
            param = int(self.rng.choice([POSITION, ROUTED])) if self.has_routed() else POSITION
            term = row["term"][number]
            term["used"], term["param"], term["stride"] = 1, param, scale * int(self.rng.choice([-1, 1, 2]))
            term["const"], term["shift"] = self.rng.integers(-2, 3), self.rng.integers(3)
            term["mask"] = self.rng.choice([1, 2, 3, 7])
            term["step"][1] = self.rng.random() < 0.15
        return row

    def _lane(self) -> Records:
        """A lane, a row or an amount: a number, or by the position."""
        row = address(int(self.rng.integers(self.chip.lanes)))
        return address(0, (1, POSITION, 0, 0, MAX_POSITION)) if self.rng.random() < 0.3 else row
