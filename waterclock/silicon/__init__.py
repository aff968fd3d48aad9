"""What silicon takes: constants with their sources, and quantities that carry their uncertainty along."""

from waterclock.silicon.energy import Bound, Constant, Energy, EnergyConstants, load_energy_constants

__all__ = ["Bound", "Constant", "Energy", "EnergyConstants", "load_energy_constants"]
