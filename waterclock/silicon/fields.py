"""A chip's fields as figures: exact, each with the field as its source."""

from dataclasses import dataclass, field

from waterclock.chip import Chip, SliceKind
from waterclock.isa.layout import word_bits
from waterclock.silicon.figure import Figure, leaf
from waterclock.silicon.units import PLAIN

BYTE = leaf("bits.byte", "bits of an int8 value", "bit", 8, "definition")
WORD = leaf("bits.word", "bits of an fp32 or int32 value", "bit", 32, "definition")
BIT = leaf("bits.one", "a bit", "bit", 1, "definition")
CYCLE = leaf("cycle", "a cycle", "cycle", 1, "definition")
OPERATION = leaf("operation", "an operation", "operation", 1, "definition")
YEAR = leaf("year", "a year", "year", 1, "definition")
TOKEN = leaf("token", "a token", "token", 1, "definition")
DIE = leaf("die", "a die", "die", 1, "definition")
WAFER = leaf("wafer", "a wafer", "wafer", 1, "definition")
DIRECTIONS = 2
"""Streams flow east and west."""


@dataclass(frozen=True, eq=False)
class Fields:
    """Makes figures of a chip; the same one each time that it is asked for."""

    chip: Chip
    _made: dict[str, Figure] = field(default_factory=dict[str, Figure])

    def __getitem__(self, path: str) -> Figure:
        """A field, by its dotted name."""
        value = self.chip[path]
        assert isinstance(value, int)
        return self._figure(f"chip.{path}", value, "MHz" if path == "clock_mhz" else PLAIN, f"field {path}")

    def count(self, kind: SliceKind) -> Figure:
        """How many slices of a kind there are."""
        number = len(self.chip.slices_of(kind))
        return self._figure(
            f"chip.num_{kind.value}", number, PLAIN, f"the row of slices has so many {kind.value.upper()}"
        )

    @property
    def num_queues(self) -> Figure:
        return self._figure("chip.num_queues", len(self.chip.queues), PLAIN, "a queue for each slice and for each ALU")

    @property
    def num_positions(self) -> Figure:
        return self._figure("chip.num_positions", self.chip.num_positions, PLAIN, "the row of slices")

    @property
    def log2_lanes(self) -> Figure:
        return self._figure("chip.log2_lanes", self.chip.log2_lanes, PLAIN, "halvings over all lanes")

    @property
    def node_nm(self) -> Figure:
        return self._figure("chip.node_nm", self.chip.node_nm, "nm", "field node_nm")

    def queues_of(self, kind: SliceKind) -> Figure:
        """The queues of one slice of a kind."""
        number = self.chip.slices_of(kind)[0].num_queues
        return self._figure(f"chip.{kind.value}.queues", number, PLAIN, f"queues of one {kind.value.upper()}")

    def word_bits(self, kind: SliceKind) -> Figure:
        """The width of an instruction in the queues of such a slice."""
        why = f"the instruction table: the widest row that {kind.value.upper()} accepts"
        return self._figure(f"chip.{kind.value}.word_bits", word_bits(kind), "bit", why)

    def _figure(self, name: str, value: int, unit_text: str, why: str) -> Figure:
        if name not in self._made:
            self._made[name] = leaf(name, why, unit_text, value, f"{self.chip.name}: {why}")
        return self._made[name]


def queue_bytes(chip: Chip) -> int:
    """The instruction memory of a queue; all are taken for as large as the widest."""
    widest = max(word_bits(queue.slice.kind) for queue in chip.queues)
    return chip.max_queue_entries * widest // 8
