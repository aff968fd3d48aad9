"""The virtual machine: a linked program as one flat list of operations on values, run by a compiled loop.

It equals the stepper in all memories, tiles, parameters, outputs and cycles, and knows nothing of streams: whose value
an operand finds, and in which order things happen, link has proven.
"""

from waterclock.simulator.machine.machine import Launched, Machine
from waterclock.simulator.machine.ready import Ready, made_ready, ready_from_arrays, ready_to_arrays

__all__ = ["Launched", "Machine", "Ready", "made_ready", "ready_from_arrays", "ready_to_arrays"]
