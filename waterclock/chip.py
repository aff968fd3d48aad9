"""The Chip record: everything about a chip that another chip could have differently.

A chip is one row of slices along the x axis. Its fields are read from TOML, checked, and never change afterwards:
`chip.with_fields({"mxm.sense_cycles": 4})` is another chip. Fields in sections have dotted names, the same in TOML, on
the command line and in messages. What follows from the fields (slices, queues, totals) is derived here and only here.
"""

import hashlib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from enum import StrEnum
from functools import cached_property
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Protocol, cast, get_type_hints

from waterclock.errors import InputError

BYTES_PER_WORD_LANE = 4
STREAMS_PER_GROUP = 4
MAX_FILE_BYTES = 1 << 20


class WeightCell(StrEnum):
    """The memory cell that keeps the weights."""

    RERAM = "reram"
    SRAM = "sram"


class SliceKind(StrEnum):
    """The kinds of slice; the value is also the first half of every mnemonic."""

    C2C = "c2c"
    MXM = "mxm"
    SXM = "sxm"
    MEM = "mem"
    VXM = "vxm"


class Rule(Protocol):
    """What a field may be; `str(rule)` completes the sentence "must be ..."."""

    @property
    def meaning(self) -> str: ...

    def accepts(self, value: object) -> bool: ...

    def parse(self, text: str) -> int | str:
        """The value that `text` stands for, or `text` itself where it stands for none (`accepts` then refuses it)."""
        ...


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high`."""

    low: int
    high: int
    meaning: str
    multiple_of: int = 1

    def accepts(self, value: object) -> bool:
        return type(value) is int and self.low <= value <= self.high and value % self.multiple_of == 0

    def parse(self, text: str) -> int | str:
        try:
            return int(text)
        except ValueError:
            return text

    def __str__(self) -> str:
        kind = "an integer" if self.multiple_of == 1 else f"a multiple of {self.multiple_of}"
        return f"{kind} from {self.low} to {self.high}"


@dataclass(frozen=True)
class OneOf:
    """One member of an enumeration, written as its value."""

    members: type[StrEnum]
    meaning: str

    def accepts(self, value: object) -> bool:
        return isinstance(value, str) and value in set(self.members)

    def parse(self, text: str) -> int | str:
        return text

    def __str__(self) -> str:
        return " or ".join(f'"{member}"' for member in self.members)


@dataclass(frozen=True)
class Text:
    """Text that a pattern matches in full; `allowed` says in words what the pattern allows."""

    pattern: str
    allowed: str
    meaning: str

    def accepts(self, value: object) -> bool:
        return isinstance(value, str) and re.fullmatch(self.pattern, value) is not None

    def parse(self, text: str) -> int | str:
        return text

    def __str__(self) -> str:
        return self.allowed


def _latency(meaning: str) -> Whole:
    return Whole(1, 1024, f"cycles from issue to result: {meaning}")


@dataclass(frozen=True)
class Layout:
    """How many MXM and MEM slices stand on either side of the VXM."""

    num_mxm_west: Annotated[int, Whole(0, 64, "MXM slices west of the VXM")]
    num_mxm_east: Annotated[int, Whole(0, 64, "MXM slices east of the VXM")]
    num_mem_west: Annotated[int, Whole(0, 256, "MEM slices west of the VXM")]
    num_mem_east: Annotated[int, Whole(0, 256, "MEM slices east of the VXM")]


@dataclass(frozen=True)
class Mem:
    """A MEM slice: single-port SRAM, words of `lanes` x 32 bits."""

    num_words: Annotated[int, Whole(1, 1 << 20, "words in a MEM slice")]


@dataclass(frozen=True)
class Vxm:
    """The VXM: special functions run on ALUs 0 .. num_special - 1, reductions on the last num_reduce."""

    num_alus: Annotated[int, Whole(1, 64, "ALUs, each issuing one vector instruction a cycle")]
    num_special: Annotated[int, Whole(1, 64, "ALUs that also do exp2, reciprocal and rsqrt (the first ones)")]
    num_reduce: Annotated[int, Whole(1, 64, "ALUs that also reduce over lanes (the last ones)")]
    num_holds: Annotated[int, Whole(0, 64, "hold registers")]


@dataclass(frozen=True)
class Mxm:
    """An MXM slice: resident `lanes` x `lanes` int8 tiles; tile t of a kind of cell lives in bank t mod num_banks."""

    num_reram_tiles: Annotated[int, Whole(0, 65536, "ReRAM tiles in an MXM slice (weights)")]
    num_reram_banks: Annotated[int, Whole(1, 256, "banks that the ReRAM tiles are spread over")]
    sense_cycles: Annotated[int, Whole(1, 1024, "cycles that a ReRAM bank is busy with an access")]
    num_sram_tiles: Annotated[int, Whole(0, 65536, "SRAM tiles in an MXM slice (KV cache)")]
    num_sram_banks: Annotated[int, Whole(1, 256, "banks that the SRAM tiles are spread over")]
    write_row_cycles: Annotated[int, Whole(1, 1024, "cycles that an SRAM bank is busy with write_row")]
    num_accumulators: Annotated[int, Whole(1, 64, "vectors of int32 accumulators")]


@dataclass(frozen=True)
class C2c:
    """The chip-to-chip links."""

    num_links: Annotated[int, Whole(0, 256, "chip-to-chip links")]
    link_latency_cycles: Annotated[int, Whole(1, 65536, "cycles from send to the peer's receive")]


@dataclass(frozen=True)
class Latency:
    """Cycles from the issue of an instruction to its result on its stream at the slice's own x."""

    mem_read: Annotated[int, _latency("mem.read8 and mem.read32")]
    vxm_simple: Annotated[int, _latency("move, bit operations, select, compare, maximum, minimum, absolute")]
    vxm_add: Annotated[int, _latency("fp32 and int32 add and subtract, butterfly")]
    vxm_mul: Annotated[int, _latency("fp32 multiply")]
    vxm_convert: Annotated[int, _latency("conversions between fp32 and integers")]
    vxm_exp2: Annotated[int, _latency("exp2")]
    vxm_reciprocal: Annotated[int, _latency("reciprocal")]
    vxm_rsqrt: Annotated[int, _latency("rsqrt")]
    reduce_add_stage: Annotated[int, _latency("one halving stage of reduce_add")]
    reduce_max_stage: Annotated[int, _latency("one halving stage of reduce_max")]
    sxm: Annotated[int, _latency("every lane movement of the SXM")]
    matvec: Annotated[int, _latency("matvec and matvec_t, from operand to emitted vector")]
    read_row: Annotated[int, _latency("read_row")]


@dataclass(frozen=True)
class Slice:
    """One functional slice; `index` counts west to east within its kind, `x` over all slices."""

    name: str
    kind: SliceKind
    index: int
    x: int
    num_queues: int


@dataclass(frozen=True)
class Queue:
    """One instruction queue; `index` counts within its slice, `number` over the chip."""

    name: str
    slice: Slice
    index: int
    number: int


@dataclass(frozen=True)
class Chip:
    """One chip, checked: an impossible one raises InputError, naming the field, its value and what it may be."""

    name: Annotated[str, Text(r"[a-z0-9][a-z0-9-]{0,63}", "1 to 64 of a-z, 0-9 and -", "what the chip is called")]
    description: Annotated[str, Text(r"[^\n\r]{1,200}", "one line of 1 to 200 characters", "what the chip is")]
    node_nm: Annotated[int, Whole(1, 250, "process node")]
    cell: Annotated[WeightCell, OneOf(WeightCell, "memory cell that keeps the weights")]
    clock_mhz: Annotated[int, Whole(1, 10000, "clock")]
    lanes: Annotated[int, Whole(2, 1024, "elements of a vector")]
    num_streams: Annotated[int, Whole(4, 256, "streams in each direction", multiple_of=STREAMS_PER_GROUP)]
    num_params: Annotated[int, Whole(1, 256, "launch parameters")]
    param_latency_cycles: Annotated[int, Whole(1, 1024, "cycles until every queue sees a parameter that was set")]
    launch_gap_cycles: Annotated[int, Whole(0, 65536, "cycles between the end of a launch and the start of the next")]
    max_queue_entries: Annotated[int, Whole(1, 1 << 20, "entries that an instruction queue holds")]
    layout: Layout
    mem: Mem
    vxm: Vxm
    mxm: Mxm
    c2c: C2c
    latency: Latency

    def __post_init__(self) -> None:
        for path, value in _flatten(asdict(self)):
            rule = RULE_BY_FIELD[path]
            if not rule.accepts(value):
                raise InputError(f"{path} = {_shown(value)}: must be {rule}")
        for requirement in REQUIREMENTS:
            if not requirement.holds(self):
                found = f"{requirement.field} = {_shown(self[requirement.field])}"
                raise InputError(f"{found}: {requirement.text.format(chip=self)}")

    def __getitem__(self, path: str) -> int | str:
        """The field with this dotted name; KeyError if there is none."""
        return self._value_by_field[path]

    @cached_property
    def _value_by_field(self) -> dict[str, int | str]:
        return dict(_flatten(self.to_dict()))

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain nested dictionaries of int and str, in the order of the record."""
        return {**asdict(self), "cell": self.cell.value}

    @staticmethod
    def from_dict(table: Mapping[str, Any], source: str = "chip") -> "Chip":
        """The chip that a nested table describes. InputError, starting with `source`, for any field that is unknown,
        missing or not allowed."""
        try:
            return _build(dict(_flatten(table)))
        except InputError as error:
            raise InputError(f"{source}: {error}") from None

    def with_fields(self, value_by_field: Mapping[str, int | str]) -> "Chip":
        """This chip with some fields changed, by dotted name. Text is read as the field's type, as `--set` needs."""
        changed = {path: _parse(path, value) for path, value in value_by_field.items()}
        try:
            return _build({**self._value_by_field, **changed})
        except InputError as error:
            raise InputError(f"{self.name}, changed: {error}") from None

    @cached_property
    def sha256(self) -> str:
        """Hexadecimal hash of the canonical JSON of all fields."""
        canonical = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @cached_property
    def slices(self) -> tuple[Slice, ...]:
        """Every slice, west to east; its place here is its x."""
        seen: Counter[SliceKind] = Counter()
        row: list[Slice] = []
        for x, kind in enumerate(self._kinds_west_to_east()):
            index = seen[kind]
            seen[kind] += 1
            name = kind.value if kind is SliceKind.VXM else f"{kind}{index}"
            row.append(Slice(name, kind, index, x, self._num_queues(kind)))
        return tuple(row)

    def _kinds_west_to_east(self) -> Iterator[SliceKind]:
        west = [SliceKind.C2C, *[SliceKind.MXM] * self.layout.num_mxm_west, SliceKind.SXM]
        east = [SliceKind.SXM, *[SliceKind.MXM] * self.layout.num_mxm_east, SliceKind.C2C]
        yield from west
        yield from [SliceKind.MEM] * self.layout.num_mem_west
        yield SliceKind.VXM
        yield from [SliceKind.MEM] * self.layout.num_mem_east
        yield from east

    def _num_queues(self, kind: SliceKind) -> int:
        return {SliceKind.VXM: self.vxm.num_alus, SliceKind.C2C: 0}.get(kind, 1)

    @cached_property
    def queues(self) -> tuple[Queue, ...]:
        """Every instruction queue, in slice order; its place here is its number."""
        places = [(piece, index) for piece in self.slices for index in range(piece.num_queues)]
        return tuple(Queue(_queue_name(*place), *place, number) for number, place in enumerate(places))

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
    def reram_bytes(self) -> int:
        return self.num_mxm * self.mxm.num_reram_tiles * self.tile_bytes

    @property
    def sram_tile_bytes(self) -> int:
        """SRAM inside the MXM slices of the whole chip."""
        return self.num_mxm * self.mxm.num_sram_tiles * self.tile_bytes

    @property
    def mem_bytes(self) -> int:
        """SRAM in the MEM slices of the whole chip."""
        return self.num_mem * self.mem.num_words * self.lanes * BYTES_PER_WORD_LANE

    @property
    def peak_int8_ops_per_s(self) -> int:
        """Dense int8 operations a second, multiply and add counted apart: every MXM reads a whole tile each cycle."""
        return 2 * self.tile_bytes * self.num_mxm * self.clock_mhz * 1_000_000


@dataclass(frozen=True)
class Requirement:
    """A rule between fields; `text` may name fields of the chip in braces."""

    field: str
    holds: Callable[[Chip], bool]
    text: str


REQUIREMENTS = (
    Requirement(
        "lanes",
        lambda chip: not chip.is_pim or chip.lanes.bit_count() == 1,
        "must be a power of two where an MXM keeps more than one tile",
    ),
    Requirement(
        "layout.num_mxm_east",
        lambda chip: chip.num_mxm >= 1,
        "must be at least 1 where layout.num_mxm_west = {chip.layout.num_mxm_west}",
    ),
    Requirement(
        "layout.num_mem_east",
        lambda chip: chip.num_mem >= 1,
        "must be at least 1 where layout.num_mem_west = {chip.layout.num_mem_west}",
    ),
    Requirement(
        "vxm.num_special",
        lambda chip: chip.vxm.num_special <= chip.vxm.num_alus,
        "must be at most vxm.num_alus = {chip.vxm.num_alus}",
    ),
    Requirement(
        "vxm.num_reduce",
        lambda chip: chip.vxm.num_reduce <= chip.vxm.num_alus,
        "must be at most vxm.num_alus = {chip.vxm.num_alus}",
    ),
    Requirement(
        "cell",
        lambda chip: (chip.cell is WeightCell.RERAM) == (chip.mxm.num_reram_tiles > 0),
        'must be "reram" where there are ReRAM tiles and "sram" where there are none'
        " (mxm.num_reram_tiles = {chip.mxm.num_reram_tiles})",
    ),
    Requirement(
        "mxm.num_sram_tiles",
        lambda chip: chip.mxm.num_reram_tiles + chip.mxm.num_sram_tiles >= 1,
        "must be at least 1 where mxm.num_reram_tiles = 0",
    ),
    Requirement(
        "mxm.num_reram_banks",
        lambda chip: chip.mxm.num_reram_banks <= max(1, chip.mxm.num_reram_tiles),
        "must be at most mxm.num_reram_tiles = {chip.mxm.num_reram_tiles}, and 1 where there are none",
    ),
    Requirement(
        "mxm.num_sram_banks",
        lambda chip: chip.mxm.num_sram_banks <= max(1, chip.mxm.num_sram_tiles),
        "must be at most mxm.num_sram_tiles = {chip.mxm.num_sram_tiles}, and 1 where there are none",
    ),
)


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
_SECTIONS = _section_types(Chip)


def _flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, int | str]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flatten(cast(Mapping[str, Any], value), f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _build(value_by_field: Mapping[str, int | str]) -> Chip:
    for path, value in value_by_field.items():
        if path not in RULE_BY_FIELD:
            raise InputError(f"{path} = {_shown(value)}: {_unknown(path)}")
    for path, rule in RULE_BY_FIELD.items():
        if path not in value_by_field:
            raise InputError(f"{path} is missing: must be {rule}")
    if not RULE_BY_FIELD["cell"].accepts(value_by_field["cell"]):
        raise InputError(f"cell = {_shown(value_by_field['cell'])}: must be {RULE_BY_FIELD['cell']}")

    def section(record: type, prefix: str) -> dict[str, Any]:
        names = (field.name for field in fields(record))
        return {name: value_by_field[prefix + name] for name in names if prefix + name in value_by_field}

    sections = {name: record(**section(record, f"{name}.")) for name, record in _SECTIONS.items()}
    top: dict[str, Any] = {**section(Chip, ""), "cell": WeightCell(value_by_field["cell"])}
    return Chip(**top, **sections)


def _parse(path: str, value: int | str) -> int | str:
    if path not in RULE_BY_FIELD or not isinstance(value, str):
        return value
    return RULE_BY_FIELD[path].parse(value)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _unknown(path: str) -> str:
    from difflib import get_close_matches  # only where something went wrong: loading it takes longer than a chip does

    close = get_close_matches(path, RULE_BY_FIELD, n=1)
    return f"no such field, did you mean {close[0]}?" if close else "no such field"


def _queue_name(piece: Slice, index: int) -> str:
    return f"{piece.name}.alu{index}" if piece.kind is SliceKind.VXM else piece.name


def _shipped() -> dict[str, Any]:
    entries = (resources.files("waterclock") / "data" / "chips").iterdir()
    return {entry.name.removesuffix(".toml"): entry for entry in entries if entry.name.endswith(".toml")}


def list_chips() -> tuple[str, ...]:
    """The names of the chips that ship with Waterclock, sorted."""
    return tuple(sorted(_shipped()))


def load(name_or_path: str | Path) -> Chip:
    """A chip that ships, by name, or any chip from a TOML file (what ends in .toml or has a separator is a path)."""
    text = str(name_or_path)
    if not text.endswith(".toml") and "/" not in text:
        return _load_shipped(text)
    path = Path(text)
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"{path}: too large for a chip, over {MAX_FILE_BYTES} bytes")
        return _from_bytes(path.read_bytes(), source=text)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def _load_shipped(name: str) -> Chip:
    file_by_name = _shipped()
    if name not in file_by_name:
        known = ", ".join(sorted(file_by_name))
        raise InputError(f"no chip {_shown(name)}: must be {known} or the path of a .toml file")
    return _from_bytes(file_by_name[name].read_bytes(), source=f"{name}.toml")


def _from_bytes(data: bytes, source: str) -> Chip:
    try:
        table = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{source}: not TOML: {' '.join(str(error).split())}") from None
    return Chip.from_dict(table, source)
