"""The command line: one module for each group of commands, one thin function for each command.

What a command needs is imported inside it, so that `waterclock --help` and wrong input answer at once.
"""

from waterclock.cli import (
    accuracy,
    bench,
    cache,
    chat,
    check,
    chip,
    chip_beside,
    chip_compare,
    chip_cost,
    chip_export,
    chip_yield,
    cost,
    deployment,
    energy,
    rtl,
    rtl_prove,
    rtl_run,
    rtl_synth,
    run,
    trace,
)
from waterclock.cli.entry import main

__all__ = [
    "accuracy",
    "bench",
    "cache",
    "chat",
    "check",
    "chip",
    "chip_beside",
    "chip_compare",
    "chip_cost",
    "chip_export",
    "chip_yield",
    "cost",
    "deployment",
    "energy",
    "main",
    "rtl",
    "rtl_prove",
    "rtl_run",
    "rtl_synth",
    "run",
    "trace",
]
