"""A waveform of what a chip's outputs held: queues, streams, holds, parameters and writes, as a VCD file's text."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from amaranth.lib import data
from vcd import VCDWriter

from waterclock.chip import Chip, Queue, SliceKind
from waterclock.rtl import mem, mxm
from waterclock.rtl.core import built_queues
from waterclock.rtl.icu import trace_layout
from waterclock.rtl.verilated import Words

VECTOR_BITS_PER_LANE = {"holds": 32, "eastward": 8, "westward": 8}


@dataclass(frozen=True)
class Signal:
    """A signal of the waveform: where its bits lie in the words of an output."""

    scope: str
    name: str
    output: str
    offset: int
    bits: int


def signals(chip: Chip) -> Iterator[Signal]:
    """Every signal that is drawn, by slice."""
    trace = trace_layout()
    for place, queue in enumerate(built_queues(chip)):
        yield from _fields(scope_of(queue), "traces", trace, place)
    for x, piece in enumerate(chip.slices):
        for stream in range(chip.num_streams):
            for way in ("eastward", "westward"):
                bits = chip.lanes * VECTOR_BITS_PER_LANE[way]
                yield Signal(f"{piece.name}.{way}", f"s{stream}", way, (x * chip.num_streams + stream) * bits, bits)
    for piece in chip.slices_of(SliceKind.MEM):
        yield from _fields(f"{piece.name}.written", "words_written", mem.written_layout(chip), piece.index)
    for piece in chip.slices_of(SliceKind.MXM):
        yield from _fields(f"{piece.name}.written", "rows_written", mxm.written_layout(chip), piece.index)
    bits = chip.lanes * VECTOR_BITS_PER_LANE["holds"]
    yield from (Signal("vxm.holds", f"h{hold}", "holds", hold * bits, bits) for hold in range(chip.vxm.num_holds))
    yield from (Signal("params", f"p{param}", "params", param * 32, 32) for param in range(chip.num_params))
    yield Signal("chip", "frozen", "frozen", 0, 1)


def scope_of(queue: Queue) -> str:
    """The scope of what a queue does."""
    return f"queue.{queue.name.replace('.', '_')}"


def _fields(scope: str, output: str, layout: data.StructLayout, place: int) -> Iterator[Signal]:
    """The fields of one element of an array of structures."""
    for name in layout.members:
        field = layout[name]
        yield Signal(scope, name, output, place * layout.size + field.offset, field.width)


def values(one: Signal, outputs: Mapping[str, Words]) -> list[int]:
    """What a signal holds in each cycle."""
    return [_number(bits, one) for bits in _bits(outputs[one.output])]


def waveform(chip: Chip, first_cycle: int, outputs: Mapping[str, Words]) -> str:
    """The VCD of outputs, [cycle, word] by name, from `first_cycle` on: one nanosecond is a cycle."""
    file = io.StringIO()
    bits_by_output = {name: _bits(words) for name, words in outputs.items()}
    with VCDWriter(file, "1 ns", date="", version="waterclock", init_timestamp=first_cycle) as typed:
        writer = cast(Any, typed)  # its variables are generic in what no annotation says
        drawn = [(one, writer.register_var(one.scope, one.name, "wire", one.bits, init=0)) for one in signals(chip)]
        for place in range(len(bits_by_output["frozen"])):
            for one, variable in drawn:
                writer.change(variable, first_cycle + place, _number(bits_by_output[one.output][place], one))
    return file.getvalue()


def _bits(words: Words) -> npt.NDArray[np.uint8]:
    return np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=1, bitorder="little")


def _number(bits: npt.NDArray[np.uint8], one: Signal) -> int:
    """What a signal holds, given the bits of its output."""
    packed = np.packbits(bits[one.offset : one.offset + one.bits], bitorder="little")
    return int.from_bytes(packed.tobytes(), "little")
