"""The simulated house: furnished, textured rooms seen by a robot's camera, from a seed; nothing is downloaded."""

from cl_localization.simulation.sequence import SimulatedSequence, SimulationConfig, open_simulation

__all__ = ["SimulatedSequence", "SimulationConfig", "open_simulation"]
