"""The Chip record: everything about a chip that another chip could have differently, and what follows from it."""

from waterclock.chip.files import list_chips, load, to_toml
from waterclock.chip.floorplan import floorplan_svg
from waterclock.chip.record import RULE_BY_FIELD, Chip
from waterclock.chip.row import Queue, Slice, SliceKind
from waterclock.chip.rules import Rule
from waterclock.chip.sections import C2c, Latency, Layout, Mem, Mxm, Vxm, WeightCell

__all__ = [
    "RULE_BY_FIELD",
    "C2c",
    "Chip",
    "Latency",
    "Layout",
    "Mem",
    "Mxm",
    "Queue",
    "Rule",
    "Slice",
    "SliceKind",
    "Vxm",
    "WeightCell",
    "floorplan_svg",
    "list_chips",
    "load",
    "to_toml",
]
