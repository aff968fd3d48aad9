"""The chip as hardware: the same `Chip` and instruction table, as Amaranth components that Verilator runs."""
