"""The Chip record: checked fields that never change, and what is derived from them.

Fields in sections have dotted names, the same in TOML, on the command line and in messages;
`chip.with_fields({"mxm.sense_cycles": 4})` is another chip.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, cast, get_type_hints

from waterclock.chip.requirements import REQUIREMENTS
from waterclock.chip.row import Queue, Slice, SliceKind, queues_of, row_of
from waterclock.chip.rules import OneOf, Rule, Text, Whole
from waterclock.chip.sections import C2c, Latency, Layout, Mem, Mxm, Vxm, WeightCell
from waterclock.errors import InputError

STREAMS_PER_GROUP = 4
BYTES_PER_WORD_LANE = 4
PRINTABLE_LINE = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]{1,200}"


@dataclass(frozen=True)
class Chip:
    """One chip, checked: an impossible one raises InputError, naming the field, its value and what it may be."""

    name: Annotated[str, Text(r"[a-z0-9][a-z0-9-]{0,63}", "1 to 64 of a-z, 0-9 and -", "what the chip is called")]
    description: Annotated[str, Text(PRINTABLE_LINE, "one line of 1 to 200 printable characters", "what the chip is")]
    node_nm: Annotated[int, Whole(1, 250, "process node")]
    cell: Annotated[WeightCell, OneOf(WeightCell, "memory cell that keeps the weights")]
    clock_mhz: Annotated[int, Whole(1, 10000, "clock")]
    lanes: Annotated[int, Whole(2, 1024, "elements of a vector")]
    num_streams: Annotated[int, Whole(4, 256, "streams in each direction", multiple_of=STREAMS_PER_GROUP)]
    num_params: Annotated[int, Whole(1, 64, "launch parameters")]
    param_latency_cycles: Annotated[int, Whole(1, 1024, "cycles until every queue sees a parameter that was set")]
    launch_gap_cycles: Annotated[int, Whole(0, 65536, "cycles between the end of a launch and the start of the next")]
    max_queue_entries: Annotated[int, Whole(1, 65536, "entries that an instruction queue holds")]
    layout: Layout
    mem: Mem
    vxm: Vxm
    mxm: Mxm
    c2c: C2c
    latency: Latency

    def __post_init__(self) -> None:
        _check(self._value_by_field)
        for requirement in REQUIREMENTS:
            if not requirement.holds(self):
                raise _refused(requirement.field, self[requirement.field], requirement.must_be(self))

    def __getitem__(self, path: str) -> int | str:
        """The field with this dotted name; KeyError if there is none."""
        return self._value_by_field[path]

    @cached_property
    def _value_by_field(self) -> dict[str, int | str]:
        return dict(_flatten(self.to_dict()))

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain nested dictionaries of int and str, in the order of the record."""
        return {**asdict(self), "cell": str(self.cell)}

    @staticmethod
    def from_dict(table: Mapping[str, Any], source: str = "chip") -> "Chip":
        """The chip that a nested table describes. InputError, starting with `source`, for any field that is unknown,
        missing or not allowed."""
        pairs = list(_flatten(table))
        repeated = [path for path, count in Counter(path for path, _ in pairs).items() if count > 1]
        if repeated:
            raise InputError(f"{source}: {_named(repeated[0])} is given twice")
        return _build(dict(pairs), source)

    def with_fields(self, value_by_field: Mapping[str, int | str]) -> "Chip":
        """This chip with some fields changed, by dotted name. Text is read as the field's type, as `--set` needs."""
        changed = {path: _parse(path, value) for path, value in value_by_field.items()}
        return _build({**self._value_by_field, **changed}, f"{self.name}, changed")

    @cached_property
    def sha256(self) -> str:
        """Hexadecimal hash of the canonical JSON of all fields."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @cached_property
    def slices(self) -> tuple[Slice, ...]:
        """Every slice, west to east; its place here is its x."""
        layout = self.layout
        west = [SliceKind.C2C, *[SliceKind.MXM] * layout.num_mxm_west, SliceKind.SXM]
        east = [SliceKind.SXM, *[SliceKind.MXM] * layout.num_mxm_east, SliceKind.C2C]
        middle = [*[SliceKind.MEM] * layout.num_mem_west, SliceKind.VXM, *[SliceKind.MEM] * layout.num_mem_east]
        return row_of(west + middle + east, self.vxm.num_alus)

    @cached_property
    def queues(self) -> tuple[Queue, ...]:
        """Every instruction queue, in slice order; its place here is its number."""
        return queues_of(self.slices)

    @cached_property
    def slice_by_name(self) -> Mapping[str, Slice]:
        return MappingProxyType({piece.name: piece for piece in self.slices})

    @cached_property
    def queue_by_name(self) -> Mapping[str, Queue]:
        return MappingProxyType({queue.name: queue for queue in self.queues})

    def slices_of(self, kind: SliceKind) -> tuple[Slice, ...]:
        """The slices of one kind, west to east: slice i of the kind is at place i."""
        return tuple(piece for piece in self.slices if piece.kind is kind)

    @property
    def num_positions(self) -> int:
        return len(self.slices)

    @property
    def num_groups(self) -> int:
        """Aligned groups of four streams in each direction: the 32-bit vectors that pass a slice in a cycle."""
        return self.num_streams // STREAMS_PER_GROUP

    @property
    def log2_lanes(self) -> int:
        """Halving stages over the lanes: log2, rounded up where the lanes are no power of two."""
        return (self.lanes - 1).bit_length()

    @property
    def num_mxm(self) -> int:
        return self.layout.num_mxm_west + self.layout.num_mxm_east

    @property
    def num_mem(self) -> int:
        return self.layout.num_mem_west + self.layout.num_mem_east

    @property
    def is_pim(self) -> bool:
        """Whether weights stay where they are multiplied; a single tile in an MXM is no home, it is installed."""
        return self.mxm.num_reram_tiles + self.mxm.num_sram_tiles > 1

    @property
    def tile_bytes(self) -> int:
        return self.lanes * self.lanes

    @property
    def reram_tile_bytes(self) -> int:
        """ReRAM in the MXM slices of the whole chip."""
        return self.num_mxm * self.mxm.num_reram_tiles * self.tile_bytes

    @property
    def sram_tile_bytes(self) -> int:
        """SRAM in the MXM slices of the whole chip."""
        return self.num_mxm * self.mxm.num_sram_tiles * self.tile_bytes

    @property
    def mem_bytes(self) -> int:
        """SRAM in the MEM slices of the whole chip."""
        return self.num_mem * self.mem.num_words * self.lanes * BYTES_PER_WORD_LANE

    @property
    def peak_int8_ops_per_s(self) -> int:
        """Dense int8 operations a second, multiply and add counted apart: every MXM reads a whole tile each cycle."""
        return 2 * self.tile_bytes * self.num_mxm * self.clock_mhz * 1_000_000

    def totals(self) -> dict[str, int]:
        """What the whole chip comes to, derived from the fields."""
        return {
            "num_slices": self.num_positions,
            "num_queues": len(self.queues),
            "num_reram_tiles": self.num_mxm * self.mxm.num_reram_tiles,
            "num_sram_tiles": self.num_mxm * self.mxm.num_sram_tiles,
            "reram_tile_bytes": self.reram_tile_bytes,
            "sram_tile_bytes": self.sram_tile_bytes,
            "mem_bytes": self.mem_bytes,
            "peak_int8_ops_per_s": self.peak_int8_ops_per_s,
        }


def _section_types(record: type) -> dict[str, type]:
    hints = get_type_hints(record)
    return {field.name: hints[field.name] for field in fields(record) if is_dataclass(hints[field.name])}


def _rules(record: type, prefix: str = "") -> Iterator[tuple[str, Rule]]:
    hints = get_type_hints(record, include_extras=True)
    sections = _section_types(record)
    for field in fields(record):
        if field.name in sections:
            yield from _rules(sections[field.name], f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, hints[field.name].__metadata__[0]


RULE_BY_FIELD: Mapping[str, Rule] = MappingProxyType(dict(_rules(Chip)))
"""What every field may be and means, by dotted name, in the order of the record."""
_SECTIONS = _section_types(Chip)


def _flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, int | str]]:
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(cast(Mapping[str, Any], value), f"{prefix}{key}.")
        else:
            yield prefix + key, cast(int | str, value)


def _check(value_by_field: Mapping[str, int | str]) -> None:
    for path, value in value_by_field.items():
        if path not in RULE_BY_FIELD:
            raise InputError(f"{_named(path)} = {_shown(value)}: {_no_such_field(path)}")
    for path, rule in RULE_BY_FIELD.items():
        if path not in value_by_field:
            raise InputError(f"{path} is missing: must be {rule}")
        if not rule.accepts(value_by_field[path]):
            raise _refused(path, value_by_field[path], str(rule))


def _build(value_by_field: Mapping[str, int | str], source: str) -> Chip:
    def values(record: type, prefix: str) -> dict[str, Any]:
        paths = ((field.name, prefix + field.name) for field in fields(record))
        return {name: value_by_field[path] for name, path in paths if path in RULE_BY_FIELD}

    try:
        _check(value_by_field)
        sections: dict[str, Any] = {name: record(**values(record, f"{name}.")) for name, record in _SECTIONS.items()}
        top: dict[str, Any] = {**values(Chip, ""), "cell": WeightCell(value_by_field["cell"])}
        return Chip(**top, **sections)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None


def _parse(path: str, value: int | str) -> int | str:
    if path not in RULE_BY_FIELD or not isinstance(value, str):
        return value
    return RULE_BY_FIELD[path].parse(value)


def _refused(path: str, value: object, allowed: str) -> InputError:
    return InputError(f"{path} = {_shown(value)}: must be {allowed}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _named(path: str) -> str:
    return path if path.isprintable() and len(path) <= 60 else _shown(path)


def _no_such_field(path: str) -> str:
    from difflib import get_close_matches  # only where something went wrong: loading it takes longer than a chip does

    close = get_close_matches(path, RULE_BY_FIELD, n=1)
    return f"no such field, did you mean {close[0]}?" if close else "no such field"
