"""The load bus: how the host fills memories, tiles and queues between launches, 32 bits at a time."""

from amaranth.lib import wiring
from amaranth.lib.wiring import Out

WORD_BITS = 32


class LoadBus(wiring.Signature):
    """One word to `column` of `row` of the store with number `target`: the queues by number, then `stores_of`."""

    def __init__(self) -> None:
        super().__init__({
            "valid": Out(1),
            "target": Out(16),
            "row": Out(24),
            "column": Out(16),
            "data": Out(WORD_BITS),
        })  # fmt: skip
