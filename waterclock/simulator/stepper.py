"""The stepper: the obvious interpreter of a program, and so the specification of the machine's time.

In each cycle every stream register takes what its upstream neighbour held, then what is due arrives, then the head of
each queue issues if its time has come. It is slow and keeps nothing but what the machine itself keeps; it takes values
from `semantics` and shares neither timing nor dataflow with the other executions.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from waterclock.chip import Chip
from waterclock.errors import InputError
from waterclock.isa.program import Program
from waterclock.isa.record import Direction, OperandKind
from waterclock.isa.table import Area, Form, Operand, Width
from waterclock.isa.validate import check_records
from waterclock.simulator.errors import MachineError
from waterclock.simulator.events import Event, Kind
from waterclock.simulator.moment import Moment
from waterclock.simulator.semantics import BYTES_PER_WORD, SEMANTICS, Bytes, byte_planes, lane_xor
from waterclock.simulator.sequencer import Issue, issues
from waterclock.simulator.state import State, Words

Vector = npt.NDArray[Any]
"""A word vector or a byte vector, as in `semantics`."""


@dataclass(frozen=True)
class Stepped:
    """A launch that has run: its length (1 + the last cycle of an issue or an arrival of state) and the state after."""

    length_cycles: int
    state: State


def step(chip: Chip, program: Program, state: State, on_event: Callable[[Event], None] | None = None) -> Stepped:
    """Run one launch. `state` stays as it is; the state after shares its ReRAM, which no launch writes.

    `on_event` is told of every change in order of cycles, even of results that arrive after the launch's length.
    IllegalEntry for a program that the chip cannot hold, InputError for one of another chip. MachineError where the
    machine would have to guess, such as two results on one register, a register that nothing was written to, a busy
    bank, or an address outside its memory.
    """
    machine = _launched(chip, program, state, on_event or (lambda event: None))
    for _ in machine.cycles():
        pass
    return Stepped(machine.length_cycles, machine.state)


def moments(chip: Chip, program: Program, state: State) -> Iterator[Moment]:
    """The launch that `step` runs, cycle by cycle, as the issues of each cycle find the machine.

    A moment's arrays are the machine's own: they hold until the next moment is asked for.
    """
    machine = _launched(chip, program, state, lambda event: None)
    return (machine.moment() for _ in machine.cycles())


_DIRECTIONS = (Direction.EAST, Direction.WEST)
_NUMBER_BY_KIND = MappingProxyType({OperandKind.EAST: 0, OperandKind.WEST: 1})


def _launched(chip: Chip, program: Program, state: State, on_event: Callable[[Event], None]) -> "_Machine":
    if program.chip_sha256 != chip.sha256:
        raise InputError(f"program {program.name} is for another chip than {chip.name}")
    check_records(program.queues, chip)
    return _Machine(chip, program, state.fork(), on_event)


class _Machine:
    """One launch in progress. Stream registers are indexed by direction, x and stream."""

    def __init__(self, chip: Chip, program: Program, state: State, on_event: Callable[[Event], None]) -> None:
        self.chip, self.state, self.on_event = chip, state, on_event
        self.param_by_index = {param.index: param for param in program.params}
        self.sources = [
            issues(queue, program.queues[queue.name]) for queue in chip.queues if queue.name in program.queues
        ]
        self.heads = [next(source, None) for source in self.sources]
        registers = (len(_DIRECTIONS), chip.num_positions, chip.num_streams)
        self.streams = np.zeros((*registers, chip.lanes), np.uint8)
        self.written = np.zeros(registers, np.bool_)
        self.hold_by_index: dict[int, Words] = {}
        self.accumulator_by_place: dict[tuple[int, int], Words] = {}
        self.free_cycle_by_bank: defaultdict[tuple[int, bool, int], int] = defaultdict(int)
        self.due_by_cycle: defaultdict[int, list[Callable[[], None]]] = defaultdict(list)
        self.arrived: dict[str, Issue] = {}
        self.cycle = self.length_cycles = 0

    def cycles(self) -> Iterator[None]:
        """Step until nothing will issue and nothing is under way to its register, with a pause before each issue."""
        while any(self.heads) or self.due_by_cycle:
            self._shift()
            self._arrive()
            yield
            self._issue()
            self.cycle += 1

    def moment(self) -> Moment:
        issues = tuple(issue for issue in self.heads if issue is not None and issue.cycle == self.cycle)
        kept = self.hold_by_index, self.accumulator_by_place, self.state.params
        return Moment(self.cycle, issues, self.streams, self.written, *kept)

    def _shift(self) -> None:
        for registers in (self.streams, self.written):
            registers[0, 1:] = registers[0, :-1]
            registers[1, :-1] = registers[1, 1:]
        self.written[0, 0] = self.written[1, -1] = False

    def _arrive(self) -> None:
        self.arrived.clear()
        for arrive in self.due_by_cycle.pop(self.cycle, ()):
            arrive()

    def _issue(self) -> None:
        for number, source in enumerate(self.sources):
            issue = self.heads[number]
            if issue is not None and issue.cycle == self.cycle:
                self._execute(issue)
                self._last_until(self.cycle)
                self.heads[number] = next(source, None)

    def _execute(self, issue: Issue) -> None:
        operands = [self._operand(issue, source) for source in issue.row.sources]
        addresses = [self._address(issue, operand) for operand in issue.row.operands if operand.form is Form.ADDRESS]
        result = _EXECUTE_BY_AREA[issue.row.area](self, issue, operands, addresses)
        if result is not None:
            self._drive(issue, result)

    # What an issue does: each returns its result, if it has one.

    def set_param(self, issue: Issue, operands: list[Vector], addresses: list[int]) -> None:
        index, value = int(issue.record["param"]), SEMANTICS[issue.row.mnemonic](*operands)
        param = self.param_by_index.get(index)
        if param is None:
            raise self._error(issue, f"parameter {index} is not declared")
        if not param.low <= value <= param.high:
            raise self._error(issue, f"parameter {param.name} = {value} is not in {param.low} to {param.high}")

        def arrive() -> None:
            self._claim(issue, f"parameter {index}")
            self.state.params[index] = value
            self._tell(issue, Kind.PARAM, (index,), self.state.params[index])

        self._schedule_state(issue, self.chip.param_latency_cycles, arrive)

    def access_mem(self, issue: Issue, operands: list[Vector], addresses: list[int]) -> Vector | None:
        words = self.state.mem[issue.queue.slice.index]
        result = SEMANTICS[issue.row.mnemonic](words, *operands, *addresses)
        if issue.row.result is None:
            field = cast(Operand, issue.row.field("address"))
            word = addresses[0] // (BYTES_PER_WORD if field.word == "byte" else 1)
            self._tell(issue, Kind.MEM, (issue.queue.slice.index, word), words[word])
        return result

    def compute(self, issue: Issue, operands: list[Vector], addresses: list[int]) -> Vector:
        numbers = [int(issue.record[operand.field]) for operand in issue.row.operands if operand.form is Form.NUMBER]
        return SEMANTICS[issue.row.mnemonic](*([*operands, *addresses, *numbers] or [self.chip.lanes]))

    def access_tile(self, issue: Issue, operands: list[Vector], addresses: list[int]) -> Vector | None:
        index, (number, *place), sram = issue.queue.slice.index, addresses, self._is_sram(issue)
        self._occupy_bank(issue, number)
        tile = (self.state.sram if sram else self.state.reram)[index, number]
        if issue.row.field("acc") is not None:
            return self._accumulate(issue, tile, *operands)
        if issue.row.result is not None:
            return SEMANTICS[issue.row.mnemonic](tile, *place)

        def arrive() -> None:
            SEMANTICS[issue.row.mnemonic](tile, *operands, *place)
            self._tell(issue, Kind.TILE, (index, number, *place), tile[place[0]])

        self._schedule_state(issue, self.chip.mxm.write_row_cycles, arrive)
        return None

    def _accumulate(self, issue: Issue, tile: Vector, a: Vector) -> Words | None:
        record, place = issue.record, (issue.queue.slice.index, int(issue.record["acc"]))
        before = np.zeros(self.chip.lanes, np.int32) if record["first"] else self.accumulator_by_place.get(place)
        if before is None:
            raise self._error(issue, f"accumulator {place[1]} has not been written in this launch")
        after = SEMANTICS[issue.row.mnemonic](tile, a, before, bool(record["unsigned"]))
        self.accumulator_by_place[place] = after
        return after if record["emit"] else None

    def _is_sram(self, issue: Issue) -> bool:
        """Whether the tile is an SRAM tile: as the flag says or, without one, always."""
        return issue.row.field("sram") is None or bool(issue.record["sram"])

    def _occupy_bank(self, issue: Issue, tile: int) -> None:
        mxm, sram = self.chip.mxm, self._is_sram(issue)
        bank = tile % (mxm.num_sram_banks if sram else mxm.num_reram_banks)
        read_cycles = 1 if sram else mxm.sense_cycles
        place = (issue.queue.slice.index, sram, bank)
        free_cycle = self.free_cycle_by_bank[place]
        if self.cycle < free_cycle:
            raise self._error(issue, f"{'SRAM' if sram else 'ReRAM'} bank {bank} is busy until cycle {free_cycle}")
        self.free_cycle_by_bank[place] = self.cycle + (read_cycles if issue.row.result else mxm.write_row_cycles)

    # What an issue reads.

    def _operand(self, issue: Issue, source: Operand) -> Vector:
        operand = issue.record[source.field]
        kind, index, xor = OperandKind(operand["kind"]), int(operand["index"]), int(operand["xor"])
        if kind in _NUMBER_BY_KIND:
            value = self._read_stream(issue, kind, index, source.width)
            return value if source.form is Form.STREAM else lane_xor(value.astype(np.int32), xor)
        if kind is not OperandKind.HOLD:
            return np.full(self.chip.lanes, issue.scalar(source.field, self.state.params), np.int32)
        if index not in self.hold_by_index:
            raise self._error(issue, f"hold {index} has not been written in this launch")
        return lane_xor(self.hold_by_index[index], xor)

    def _read_stream(self, issue: Issue, kind: OperandKind, stream: int, width: Width) -> Vector:
        """The bytes of one stream, or the words whose bytes travel on four, as they pass the issue's slice."""
        place = (_NUMBER_BY_KIND[kind], issue.queue.slice.x, slice(stream, stream + width.value))
        if not self.written[place].all():
            raise self._error(issue, f"nothing has been written to stream {stream} flowing {kind.name.lower()}")
        planes = self.streams[place].T.copy()
        return planes[:, 0] if width is Width.BYTE else planes.view(np.int32)[:, 0]

    def _address(self, issue: Issue, operand: Operand) -> int:
        value, limit = issue.address(operand.field, self.state.params), self._limit(issue, operand)
        if limit is not None and not 0 <= value < limit:
            raise self._error(issue, f"{operand.word} {value} is not in 0 to {limit - 1}")
        return value

    def _limit(self, issue: Issue, operand: Operand) -> int | None:
        """How many there are of what an address counts; None in the SXM, which takes any number."""
        mem, mxm = self.chip.mem, self.chip.mxm
        limit_by_word = {
            "word": mem.num_words,
            "byte": mem.num_words * BYTES_PER_WORD,
            "tile": mxm.num_sram_tiles if self._is_sram(issue) else mxm.num_reram_tiles,
        }
        return None if issue.row.area is Area.SXM else limit_by_word.get(operand.word, self.chip.lanes)

    # What an issue causes later.

    def _drive(self, issue: Issue, value: Vector) -> None:
        """Send a result on its way: to streams in one or both directions, and to a hold register."""
        row, result = issue.row, issue.record["result"]
        if row.result is None or row.latency is None:
            raise TypeError(f"{row.mnemonic} has a value but no result")
        planes = value[None] if value.dtype == np.uint8 else byte_planes(value).T[: row.result.width.value]
        direction, stream, hold = Direction(int(result["direction"])), int(result["stream"]), int(result["hold"]) - 1

        def arrive() -> None:
            for way in _DIRECTIONS:
                if way in direction:
                    self._put(issue, way, stream, planes)
            self._tell(issue, Kind.STREAM, (issue.queue.slice.x, int(direction), stream), planes.T)

        def arrive_in_hold() -> None:
            self._claim(issue, f"hold {hold}")
            self.hold_by_index[hold] = value
            self._tell(issue, Kind.HOLD, (hold,), value)

        cycles = row.latency(self.chip)
        if direction:
            self._schedule(issue, cycles, arrive)
        if hold >= 0:
            self._schedule_state(issue, cycles, arrive_in_hold)

    def _put(self, issue: Issue, way: Direction, stream: int, planes: Bytes) -> None:
        """Write a result to the stream registers at its slice."""
        streams = range(stream, stream + len(planes))
        for number in streams:
            self._claim(issue, f"stream {number} flowing {cast(str, way.name).lower()} at {issue.queue.slice.name}")
        place = (_DIRECTIONS.index(way), issue.queue.slice.x, slice(streams.start, streams.stop))
        self.streams[place], self.written[place] = planes, True

    def _claim(self, issue: Issue, register: str) -> None:
        """Note that a result arrives in a register in this cycle; only one can."""
        other = self.arrived.setdefault(register, issue)
        if other is not issue:
            raise self._error(issue, f"{register}: a result of {other.queue.name}, entry {other.entry} arrives as well")

    def _schedule(self, issue: Issue, cycles: int, arrive: Callable[[], None]) -> None:
        self.due_by_cycle[issue.cycle + cycles].append(arrive)

    def _schedule_state(self, issue: Issue, cycles: int, arrive: Callable[[], None]) -> None:
        """Schedule a change of state; the launch lasts until it has arrived."""
        self._schedule(issue, cycles, arrive)
        self._last_until(issue.cycle + cycles)

    def _last_until(self, cycle: int) -> None:
        self.length_cycles = max(self.length_cycles, cycle + 1)

    def _tell(self, issue: Issue, kind: Kind, place: tuple[int, ...], value: Any) -> None:
        self.on_event(Event(self.cycle, issue.queue.name, issue.entry, kind, place, value.tobytes()))

    def _error(self, issue: Issue, cause: str) -> MachineError:
        return MachineError(self.cycle, issue.queue.name, issue.entry, cause)


_Execute = Callable[[_Machine, Issue, list[Vector], list[int]], Vector | None]

_EXECUTE_BY_AREA: Mapping[Area, _Execute] = MappingProxyType({
    Area.ICU: _Machine.set_param,
    Area.MEM: _Machine.access_mem,
    Area.VXM: _Machine.compute,
    Area.SXM: _Machine.compute,
    Area.MXM: _Machine.access_tile,
})  # fmt: skip
