"""Waterclock: an open, complete inference processor, from the chip's rows of slices to the fleet's budget.

Names are loaded on first use, so that `import waterclock` costs nothing.
"""

from importlib import import_module

_MODULE_BY_NAME = {
    "Chip": "waterclock.chip",
    "InputError": "waterclock.errors",
    "WaterclockError": "waterclock.errors",
}


def __getattr__(name: str) -> object:
    if name not in _MODULE_BY_NAME:
        raise AttributeError(f"module 'waterclock' has no attribute {name!r}")
    return getattr(import_module(_MODULE_BY_NAME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULE_BY_NAME])
