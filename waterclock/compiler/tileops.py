"""Tile operations: what a Graph is lowered to and what the scheduler places in space and time.

A segment (the token's prologue, one layer, the head) is a list of tile operations in SSA form over *vectors*: values of
`lanes` elements that travel on streams. An operation names the slice that must execute it (None: any ALU of the VXM
that can), never a cycle, a queue, a stream or a register: those are the scheduler's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType

from waterclock.isa.program import Object
from waterclock.isa.record import Records
from waterclock.isa.table import Width


class Axis(IntEnum):
    """What a program repeats its instructions over. In the addresses here strides and steps are by axis; emit knows
    which loop level an axis is."""

    TOKEN = 1
    LAYER = 2


@dataclass(frozen=True)
class Reference:
    """A place in a logical object: `address`, by axis, is added to the object's base (words or tiles). Without an
    object it is the amount or lane that an SXM instruction takes."""

    object: Object | None
    address: Records


@dataclass(frozen=True, eq=False)
class Vector:
    """A value of `lanes` elements; identity is by object.

    `homes` are places in MEM where it can be read without being produced in its segment (constants, state, other
    segments' results); if an operation of the segment publishes it, only after that operation. Where the homes'
    addresses see a launch parameter that an operation of the segment sets, that operation is `after`.
    """

    name: str
    width: Width = Width.WORD
    homes: tuple[Reference, ...] = ()
    after: "TileOp | None" = None


@dataclass(frozen=True)
class Use:
    """A vector operand, read lane-xor `xor`."""

    vector: Vector
    xor: int = 0


@dataclass(frozen=True)
class Immediate:
    """The same 32 bits in every lane."""

    bits: int


@dataclass(frozen=True)
class Broadcast:
    """Launch parameter `param` + `const` + `token_step` * token (int32) in every lane."""

    param: int
    const: int = 0
    token_step: int = 0


Operand = Use | Immediate | Broadcast


@dataclass(frozen=True, eq=False)
class TileOp:
    """One instruction to place. `publishes` lists vectors with homes that become readable when this operation (a memory
    write) is done; `after` sets a launch parameter that this one sees."""

    mnemonic: str
    operands: tuple[Operand, ...]
    result: Vector | None
    operation: str
    slice: str | None = None
    address: Reference | None = None
    place: Records | None = None
    settings: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    publishes: tuple[Vector, ...] = ()
    after: "TileOp | None" = None


@dataclass(frozen=True)
class Link:
    """One matvec of a chain: a tile, the byte vector it multiplies, and who writes a row of the tile before, if any."""

    tile: Reference
    x: Vector
    writer: TileOp | None = None


@dataclass(frozen=True, eq=False)
class Chain:
    """Matvecs of one MXM into one accumulator, in any order: result = sum over links of tile x (int32, exact)."""

    mnemonic: str
    slice: str
    links: tuple[Link, ...]
    result: Vector
    operation: str
    unsigned: bool
    sram: bool


@dataclass(frozen=True, eq=False)
class Segment:
    """Operations in an order in which they could be executed one by one, for one token; run for `num_tokens` tokens,
    and all of that `count` times in a row.

    `stores` says where vectors must end up in MEM. `outputs` are stored too, each at a place of the scheduler's choice.
    """

    name: str
    operations: tuple[TileOp | Chain, ...]
    stores: Mapping[Vector, Reference]
    outputs: tuple[Vector, ...] = ()
    count: int = 1
    num_tokens: int = 1
