"""Which of a deployment's programs a command is about."""

from typing import TYPE_CHECKING, Annotated

import typer

from waterclock.errors import InputError

if TYPE_CHECKING:
    from waterclock.compiler.deployment import Deployment
    from waterclock.isa.program import Program

_DEFAULT = "if not given, the one for a token in the largest context"
ProgramOption = Annotated[
    str | None, typer.Option("--program", metavar="NAME", help=f"which of the programs; {_DEFAULT}")
]
ProgramsOption = Annotated[
    list[str] | None, typer.Option("--program", metavar="NAME", help=f"repeatable, in this order; {_DEFAULT}")
]


def one_program(deployment: "Deployment", name: str | None) -> "Program":
    """The program of this name, or the one for a token in the largest context."""
    return some_programs(deployment, None if name is None else [name])[0]


def some_programs(deployment: "Deployment", names: list[str] | None) -> "list[Program]":
    """The programs of these names, in this order, or the one for a token in the largest context."""
    from waterclock.runtime.device import decode_program

    programs = deployment.programs
    for name in names or []:
        if name not in programs:
            raise InputError(f"--program {name}: no such program; there are {', '.join(programs)}")
    return [programs[name] for name in names] if names else [decode_program(deployment)]
