"""Why a program is refused, and where in it."""

from enum import StrEnum

from waterclock.errors import WaterclockError


class Cause(StrEnum):
    """What is wrong, in the order in which it is looked for, and what that means in words."""

    meaning: str

    def __new__(cls, value: str, meaning: str) -> "Cause":
        cause = str.__new__(cls, value)
        cause._value_ = value
        cause.meaning = meaning
        return cause

    CHIP = "chip", "compiled for another chip, or for a queue that the chip has not"
    CONTROL = "control", "start, nop, repeat or loop that steers nowhere"
    DOUBLE_ISSUE = "double-issue", "two instructions of a queue in one cycle"
    TOO_LONG = "too-long", "more issues or cycles than a launch may have"
    FIELD = "field", "a field that the instruction, its queue or the chip does not allow"
    DOUBLE_ARRIVAL = "double-arrival", "two results on one stream or hold register in one cycle"
    UNWRITTEN = "unwritten", "a stream, hold or accumulator that no result of this launch reaches"
    MIXED_WORD = "mixed-word", "four bytes that are not one result"
    LOST = "lost", "a result that nobody reads"
    DISCARDED = "discarded", "a result that is read though its instruction discards it"
    ADDRESS = "address", "outside the memory for some value of a parameter"
    BANK = "bank", "two accesses of one bank too close"
    PARAMETER = "parameter", "a parameter that nobody has written when it is used"
    PRODUCER = "producer", "an operand that finds another value than was meant"
    OPERATION = "operation", "an instruction that computes something else than was meant"
    OBJECT = "object", "an address that is not the one meant, or outside its object"
    OUTPUT = "output", "an output word whose last writer is another than was meant"
    LENGTH = "length", "a length in cycles that differs from the stated one"


class LinkError(WaterclockError):
    """A program that is refused. What does not belong to one queue, entry or cycle has None there.

    `iteration` counts the repeat and the loops around the instruction (`waterclock.isa.record.LEVEL_NAMES`).
    `is_first` is false where it shows in one of the last runs that were looked at, which may stand for the last of all.
    """

    def __init__(
        self,
        cause: Cause,
        reason: str,
        *,
        slice: str | None = None,
        queue: str | None = None,
        entry: int | None = None,
        mnemonic: str | None = None,
        cycle: int | None = None,
        iteration: tuple[int, ...] = (),
        is_first: bool = True,
    ) -> None:
        self.cause = cause
        self.slice = slice
        self.queue = queue
        self.entry = entry
        self.cycle = cycle
        self.iteration = iteration
        self.is_first = is_first
        named = {"slice": slice, "queue": queue, "cycle": cycle, "entry": entry}
        where = [f"{name} {value}" for name, value in named.items() if value is not None]
        where += [f"iteration {'.'.join(map(str, iteration))}"] if any(iteration) else []
        where += [mnemonic] if mnemonic else []
        super().__init__(f"{', '.join(where)}: {reason}" if where else reason)
