"""The simulated house: furnished, textured rooms seen by a robot's camera, from a seed; nothing is downloaded."""

from cl_localization.simulation.sequence import SimulatedSequence, open_simulation
from cl_localization.simulation.spec import SimulationConfig

__all__ = ["SimulatedSequence", "SimulationConfig", "open_simulation"]
