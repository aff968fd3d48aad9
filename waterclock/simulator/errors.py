"""How a running machine stops."""

from waterclock.errors import WaterclockError


class MachineError(WaterclockError):
    """The machine stops in `cycle` at entry `entry` of queue `queue`; the text ends with why."""

    def __init__(self, cycle: int, queue: str, entry: int, cause: str) -> None:
        super().__init__(f"cycle {cycle}, {queue}, entry {entry}: {cause}")
        self.cycle, self.queue, self.entry, self.cause = cycle, queue, entry, cause
