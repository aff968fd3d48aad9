"""Random legal schedules that never came out of the compiler, and what they mean, known without link."""

from tests.simulator.legal.draw import legal_program
from tests.simulator.legal.emit import program_of
from tests.simulator.legal.parts import Issue, Legal, Operation

__all__ = ["Issue", "Legal", "Operation", "legal_program", "program_of"]
