"""Mutants of the RTL: 200 single faults in the netlist of the slices, and which of them the default vectors notice."""

from tests.rtl.mutants.choice import LEAST, NUM_MUTANTS, SEED

__all__ = ["LEAST", "NUM_MUTANTS", "SEED"]
