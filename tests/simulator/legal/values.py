"""What a legal program computes if every operand finds what was meant: each value from its producer's, no registers."""

from collections.abc import Iterator, Mapping

import numpy as np

from tests.simulator.legal.addresses import Addressed
from tests.simulator.legal.parts import Issue, Legal, Operation
from waterclock.isa.program import Space
from waterclock.isa.record import OPERAND_NAMES, OperandKind
from waterclock.isa.table import Form, Width
from waterclock.simulator.semantics import SEMANTICS, byte_planes, lane_xor
from waterclock.simulator.state import State

Vector = np.ndarray


class Dataflow:
    """One launch of a legal program, issue after issue, on a state that it changes."""

    def __init__(self, legal: Legal, state: State) -> None:
        self.legal, self.state = legal, state
        self.addressed = Addressed(legal.chip, legal.objects)
        self.results: dict[Issue, Vector] = {}
        self.accumulators: dict[Issue, Vector] = {}
        self.params: list[tuple[int, int, int]] = []  # from which cycle on, parameter, value

    def run(self) -> Mapping[Issue, Vector]:
        """The result of every issue that has one. Memories are left as they are after the launch."""
        for issue in self.legal.issues():
            self._arrive(issue.cycle)
            result = self._execute(issue)
            if result is not None:
                self.results[issue] = result
        self._arrive(None)
        return self.results

    def _arrive(self, cycle: int | None) -> None:
        """Parameters that are seen in a cycle; all that there are for None."""
        for arrival in sorted(self.params):
            if cycle is None or arrival[0] <= cycle:
                self.state.params[arrival[1]] = arrival[2]
                self.params.remove(arrival)

    def _execute(self, issue: Issue) -> Vector | None:
        operation, row = issue.operation, issue.operation.row
        instruction, index = operation.instruction, operation.queue.slice.index
        operands = list(self._operands(issue))
        addresses = [self._address(issue, each.field) for each in instruction.operands if each.form is Form.ADDRESS]
        numbers = [int(row[each.field]) for each in instruction.operands if each.form is Form.NUMBER]
        function = SEMANTICS[instruction.mnemonic]
        space = self.addressed.space(operation)
        if instruction.mnemonic == "icu.set_param":
            arrival = issue.cycle + self.legal.chip.param_latency_cycles
            self.params.append((arrival, int(row["param"]), int(function(*operands))))
            return None
        if space is None:
            return function(*([*operands, *addresses, *numbers] or [self.legal.chip.lanes]))
        if space is Space.MEM:
            return function(self.state.mem[index], *operands, *addresses)
        tile, *place = addresses
        cells = (self.state.sram if space is Space.SRAM else self.state.reram)[index, tile]
        if instruction.field("acc") is None:
            return function(cells, *operands, *place)
        found = operation.found.get(("acc", issue.run))
        before = self.accumulators[found] if found else np.zeros(self.legal.chip.lanes, np.int32)
        self.accumulators[issue] = function(cells, *operands, before, bool(row["unsigned"]))
        return self.accumulators[issue] if row["emit"] else None

    def _operands(self, issue: Issue) -> Iterator[Vector]:
        operation, row = issue.operation, issue.operation.row
        for name, operand in zip(OPERAND_NAMES, operation.instruction.sources, strict=False):
            kind, index = OperandKind(int(row[name]["kind"])), int(row[name]["index"])
            if kind in (OperandKind.IMMEDIATE, OperandKind.PARAM):
                yield np.full(self.legal.chip.lanes, self._scalar(issue, kind, index), np.int32)
                continue
            found = operation.found[name, issue.run]
            assert found is not None
            value = self.results[found]
            if operand.width is Width.BYTE:
                value = self._byte(value, index - int(found.operation.row["result"]["stream"]))
            yield value if operand.form is Form.STREAM else lane_xor(value.astype(np.int32), int(row[name]["xor"]))

    @staticmethod
    def _byte(value: Vector, place: int) -> Vector:
        return value if value.dtype == np.uint8 else byte_planes(value)[:, place].copy()

    def _scalar(self, issue: Issue, kind: OperandKind, index: int) -> int:
        row = issue.operation.row
        if kind is OperandKind.IMMEDIATE:
            return int(row["scalar"])
        steps = int((row["scalar_step"].astype(np.int64) * issue.operation.iteration(issue.run)).sum())
        value = int(self.state.params[index]) + int(row["scalar"]) + steps
        return (value + (1 << 31)) % (1 << 32) - (1 << 31)

    def _address(self, issue: Issue, field: str) -> int:
        position, _, _, routed = (int(value) for value in self.state.params[:4])
        return int(self.addressed.values(issue, field)[position, routed])


def result_bytes(operation: Operation, value: Vector) -> bytes:
    """What is told of a result: all bytes of what leaves."""
    if operation.result_width() is Width.BYTE and value.dtype != np.uint8:
        return byte_planes(value)[:, 0].tobytes()
    return value.tobytes()
