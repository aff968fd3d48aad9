"""What the chip does: its state, the values its instructions compute, and the time they take."""
