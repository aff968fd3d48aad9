"""Synthesis: cells and area of a chip's RTL in a library that the user names, and the clock of its units on an FPGA."""

import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from amaranth.lib import wiring

from waterclock.chip import Chip
from waterclock.errors import InputError, WaterclockError
from waterclock.rtl.synth import clock_rate, yosys
from waterclock.rtl.synth.clock_rate import measure
from waterclock.rtl.synth.liberty import Library
from waterclock.rtl.synth.netlist import synthesise
from waterclock.rtl.synth.report import BOX_HEADER, CLOCK_HEADER, HEADER, METHOD, NOTE, Synthesis
from waterclock.rtl.synth.units import small, units

__all__ = ["ALL", "BOX_HEADER", "CLOCK_HEADER", "HEADER", "METHOD", "NOTE", "Synthesis", "synthesis"]
ALL = "all"
"""Stands for every unit."""


def synthesis(
    chip: Chip, liberty: Path, clock_of: Sequence[str] = (), phase: Callable[[str], None] = lambda phase: None
) -> Synthesis:
    """The gates of a chip, and the clock that the units in `clock_of` reach in a small configuration of it.

    InputError for a file without cells or the name of no unit; WaterclockError if a tool is missing.
    """
    library = Library.read(liberty)
    make_by_unit = units(small(chip)) if clock_of else dict[str, Callable[[], wiring.Component]]()
    names = _named(clock_of, make_by_unit)
    missing = clock_rate.missing_tools() if names else yosys.missing_tools()
    if missing:
        raise WaterclockError(missing)
    with tempfile.TemporaryDirectory() as folder:
        netlist = synthesise(chip, library, Path(folder), phase)
        rates = measure({unit: make_by_unit[unit]() for unit in names}, Path(folder), phase)
    return Synthesis(chip, netlist, tuple(rates))


def _named(names: Sequence[str], known: Collection[str]) -> list[str]:
    """The units that are named, each once. InputError for a name that is none."""
    for name in names:
        if name != ALL and name not in known:
            raise InputError(f"--clock {name}: no unit; name {ALL} or any of {', '.join(known)}")
    return [name for name in known if ALL in names or name in names]
