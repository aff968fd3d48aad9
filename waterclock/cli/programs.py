"""Which of a deployment's programs a command is about."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from waterclock.errors import InputError

if TYPE_CHECKING:
    from waterclock.isa.program import Program

ProgramOption = Annotated[
    str | None, typer.Option("--program", metavar="NAME", help="this program; needed where there are several")
]
ProgramsOption = Annotated[
    list[str] | None, typer.Option("--program", metavar="NAME", help="only this program; repeatable, in this order")
]


def one_program(programs: "Mapping[str, Program]", name: str | None) -> "Program":
    """The program of this name, or the only one that there is."""
    if name is None and len(programs) != 1:
        raise InputError(f"--program is missing: there are {', '.join(programs)}")
    return some_programs(programs, None if name is None else [name])[0]


def some_programs(programs: "Mapping[str, Program]", names: list[str] | None) -> "list[Program]":
    """The programs of these names, in this order; all if there are no names."""
    for name in names or []:
        if name not in programs:
            raise InputError(f"--program {name}: no such program; there are {', '.join(programs)}")
    return [programs[name] for name in names or programs]
