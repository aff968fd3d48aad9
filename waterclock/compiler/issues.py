"""What a schedule consists of: issues, how operands reach them, and where values can be found meanwhile."""

from dataclasses import dataclass, field

from waterclock.compiler.tileops import Broadcast, Immediate, Reference, Segment, Vector
from waterclock.compiler.timeline import NEVER, Source
from waterclock.isa.record import Records


@dataclass(eq=False)
class Issue:
    """An instruction in its place: queue number and cycle from the segment's start.

    `operands` are in order a, b, c. `result` is where the result appears, `live` the value it is. For a read of MEM
    `copy` is what it reads, for a store what it makes. `previous` is the accumulator's matvec before; `writers` the
    issues of the segment that wrote what the address reads, the last one first.
    """

    queue: int
    t: int
    mnemonic: str
    operation: str
    operands: list["Arrival | Immediate | Broadcast"] = field(
        default_factory=lambda: list[Arrival | Immediate | Broadcast]()
    )
    xors: list[int] = field(default_factory=lambda: list[int]())
    result: Source | None = None
    live: "Live | None" = None
    settings: dict[str, int] = field(default_factory=lambda: dict[str, int]())
    address: Reference | None = None
    place: Records | None = None
    copy: "Copy | None" = None
    previous: "Issue | None" = None
    writer: "Issue | None" = None


@dataclass(eq=False)
class Arrival:
    """How an operand reaches its instruction: from `source` on a side, or (side None) from a hold register."""

    live: "Live"
    source: Source
    side: int | None
    producer: Issue


@dataclass(eq=False)
class Copy:
    """A place in MEM slice `mem` (index) from which a value can be read at `available` or later.

    `home` is None for a temporary, whose word is chosen when the schedule is complete; `writer` is the issue of this
    segment that writes it; `kept` says that others need it too. From cycle `until` on it holds something else.
    """

    mem: int
    available: int
    home: Reference | None = None
    writer: Issue | None = None
    kept: bool = False
    reads: list[int] = field(default_factory=lambda: list[int]())
    until: int = NEVER


@dataclass(eq=False)
class Live:
    """What the scheduler knows of a vector: who will read it, and where it can be found."""

    vector: Vector
    readers: int = 0
    sides: set[int] = field(default_factory=lambda: set[int]())  # where readers outside of the VXM are
    partners: list["Live"] = field(default_factory=lambda: list["Live"]())  # operands of the same instructions
    sources: list[tuple[Source, Issue]] = field(default_factory=lambda: list[tuple[Source, Issue]]())
    copies: list[Copy] = field(default_factory=lambda: list[Copy]())
    hold: tuple[int, list[int]] | None = None
    produced: Issue | None = None


@dataclass(frozen=True)
class Scheduled:
    """A segment in space and time: cycles count from its start. Its tokens begin `interval_cycles` apart, and each
    takes `token_cycles`."""

    segment: Segment
    issues: tuple[Issue, ...]
    token_cycles: int
    interval_cycles: int
    outputs: tuple[Copy, ...]
    temporaries: tuple[Copy, ...]

    @property
    def num_stages(self) -> int:
        """Tokens that are under way at once."""
        return -(-self.token_cycles // self.interval_cycles)

    @property
    def length_cycles(self) -> int:
        """The cycles of one run: all tokens."""
        return (self.segment.num_tokens - 1) * self.interval_cycles + self.token_cycles
