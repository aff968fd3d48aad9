"""What of a waveform is worth drawing: issues, results as they flow, and state that changes, in one lane.

Values come from the RTL's outputs; where a result is on its way comes from `Flow`, because nothing on a stream says
that it is one.
"""

from collections.abc import Iterator, Mapping, Sequence

from waterclock.chip import Chip
from waterclock.isa.program import Program
from waterclock.isa.table import INSTRUCTION_BY_OPCODE
from waterclock.rtl.core import built_queues
from waterclock.rtl.flow import NAME_BY_WAY, Bytes, Flow, registers
from waterclock.rtl.streams import BYTE_BITS, BYTES_PER_WORD, WAYS, WORD_BITS
from waterclock.rtl.verilated import Words
from waterclock.rtl.wave_picture import Group, Row
from waterclock.rtl.waveform import Signal, scope_of, signals, values

BITS_PER_LANE = {"holds": WORD_BITS, "params": WORD_BITS, "frozen": 1}
"""Of outputs that keep their value; a parameter is the same in every lane."""
WRITTEN = ("words_written", "rows_written")
BITS_PER_DIGIT = 4


def groups(program: Program, flow: Flow, outputs: Mapping[str, Words], lane: int) -> list[Group]:
    """Everything that happens, in order of queues, then of the cycles in which results come to be, then state."""
    chip = flow.chip
    found = [Group("issues", list(_issues(chip, program, outputs))), *_streams(flow, registers(chip, outputs), lane)]
    found.append(Group("written and kept", [*_writes(chip, outputs, lane), *_kept(chip, outputs, lane)]))
    return [group for group in found if group.rows]


def _issues(chip: Chip, program: Program, outputs: Mapping[str, Words]) -> Iterator[Row]:
    """A row for each queue that issues: the mnemonic without the slice."""
    by_name = _by_name(chip)
    for queue in built_queues(chip):
        valid, entry = (values(by_name[f"{scope_of(queue)}.{field}"], outputs) for field in ("valid", "entry"))
        if any(valid):
            ops = program.queues[queue.name]["op"].tolist()
            texts = [_short(ops[number]) if issues else "" for number, issues in zip(entry, valid, strict=True)]
            yield Row(queue.name, texts)


def _short(opcode: int) -> str:
    return INSTRUCTION_BY_OPCODE[opcode].mnemonic.partition(".")[2]


def _by_name(chip: Chip) -> dict[str, Signal]:
    return {f"{one.scope}.{one.name}": one for one in signals(chip)}


def _streams(flow: Flow, held: Bytes, lane: int) -> Iterator[Group]:
    """A group for each stream and way that a result takes, a row for each slice that it passes, upstream first."""
    for way, stream in dict.fromkeys(_taken(flow)):
        numbers = flow.holder[:, way, :, stream]
        upstream_first = range(flow.chip.num_positions)[:: -1 if way else 1]
        passed = [x for x in upstream_first if any(_starts(flow, number, stream) for number in numbers[:, x])]
        rows = [
            Row(flow.chip.slices[x].name, _texts(flow, numbers[:, x].tolist(), held[:, way, x, :, lane], stream))
            for x in passed
        ]
        yield Group(f"stream {stream} flowing {NAME_BY_WAY[WAYS[way]]}", rows)


def _taken(flow: Flow) -> Iterator[tuple[int, int]]:
    """Way and lowest stream of each result, in order of time."""
    for result in flow.results:
        _, direction, stream = result.place
        yield from ((way, stream) for way, bit in enumerate(WAYS) if bit & direction)


def _starts(flow: Flow, number: int, stream: int) -> bool:
    """Whether a register holds a result and the stream is the lowest of it."""
    return number >= 0 and flow.streams(number).start == stream


def _texts(flow: Flow, numbers: Sequence[int], planes: Bytes, stream: int) -> list[str]:
    """What of a result passes a slice, in hexadecimal; `planes` is [cycle, stream]."""
    return [
        bytes(planes[cycle, flow.streams(number)][::-1]).hex() if _starts(flow, number, stream) else ""
        for cycle, number in enumerate(numbers)
    ]


def _writes(chip: Chip, outputs: Mapping[str, Words], lane: int) -> Iterator[Row]:
    """Writes of MEM words and of SRAM tile rows: where to, and what in this lane. A word has enables for each lane."""
    by_scope: dict[str, dict[str, list[int]]] = {}
    for one in signals(chip):
        if one.output in WRITTEN:
            by_scope.setdefault(one.scope, {})[one.name] = values(one, outputs)
    for scope, columns in by_scope.items():
        bits, enabled = (WORD_BITS, lane) if "enables" in columns else (BYTE_BITS, 0)
        flags = columns.pop("enables", None) or columns.pop("valid")
        written = [_of_lane(flag, enabled, BYTES_PER_WORD) for flag in flags]
        columns["data"] = [_of_lane(value, lane, bits) for value in columns["data"]]
        for name, column in columns.items() if any(written) else ():
            texts = [_hexadecimal(value, bits if name == "data" else 1) for value in column]
            yield Row(f"{scope}.{name}", [text if flag else "" for text, flag in zip(texts, written, strict=True)])


def _hexadecimal(value: int, bits: int) -> str:
    return f"{value:0{-(-bits // BITS_PER_DIGIT)}x}"


def _of_lane(value: int, lane: int, bits: int) -> int:
    return value >> lane * bits & (1 << bits) - 1


def _kept(chip: Chip, outputs: Mapping[str, Words], lane: int) -> Iterator[Row]:
    """Registers that take another value in this lane."""
    for one in signals(chip):
        bits = BITS_PER_LANE.get(one.output)
        if bits is not None:
            column = [_of_lane(value, lane if one.bits > bits else 0, bits) for value in values(one, outputs)]
            if len(set(column)) > 1:
                yield Row(f"{one.scope}.{one.name}", [_hexadecimal(value, bits) for value in column], is_kept=True)
