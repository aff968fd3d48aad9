"""The virtual machine: a linked program as one flat list of operations on values, run by a compiled loop.

It equals the stepper in all memories, tiles, parameters, outputs and cycles, and knows nothing of streams: whose value
an operand finds, and in which order things happen, link has proven.
"""

from waterclock.simulator.machine.machine import Launched, Machine

__all__ = ["Launched", "Machine"]
