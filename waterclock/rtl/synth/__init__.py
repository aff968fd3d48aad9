"""Synthesis: cells and area of a chip's RTL in a library that the user names, and the clock of lanes on an FPGA."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from waterclock.chip import Chip
from waterclock.errors import InputError
from waterclock.rtl.synth.clock_rate import ClockRate, measure
from waterclock.rtl.synth.liberty import Library
from waterclock.rtl.synth.netlist import synthesise
from waterclock.rtl.synth.report import HEADER, Synthesis
from waterclock.rtl.vxm import MNEMONICS

__all__ = ["HEADER", "Synthesis", "synthesis"]


def synthesis(
    chip: Chip, liberty: Path, clock_of: Sequence[str] = (), phase: Callable[[str], None] = lambda phase: None
) -> Synthesis:
    """The gates of a chip, and the clock that a lane of each instruction in `clock_of` reaches.

    InputError for a file without cells or an instruction that is not of the VXM; WaterclockError if a tool is missing.
    """
    library = Library.read(liberty)
    for mnemonic in clock_of:
        if mnemonic not in MNEMONICS:
            raise InputError(f"{mnemonic}: no instruction of the VXM")
    with tempfile.TemporaryDirectory() as folder:
        phase("making gates")
        netlist = synthesise(chip, library, Path(folder))
        rates: list[ClockRate] = []
        for mnemonic in clock_of:
            phase(f"placing and routing a lane of {mnemonic}")
            rates.append(measure(chip, mnemonic, Path(folder)))
    return Synthesis(chip, netlist, tuple(rates))
