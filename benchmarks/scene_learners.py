"""The map code and the dense networks as learners of a stream of scenes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cl_localization.config import LocalizerConfig, MapperConfig
from cl_localization.data.frame import Frame
from cl_localization.features import Encoder
from cl_localization.localizer import Localizer
from cl_localization.mapper import Mapper
from cl_localization.research.hscnet.training import DenseTrainer


class MapCodeLearner:
    """Grows one map code over all scenes; a pose counts when the localizer accepts it."""

    def __init__(self, mapper: MapperConfig, localizer: LocalizerConfig, encoder: Encoder) -> None:
        """Begin with an empty map."""
        self.mapper = Mapper(mapper, encoder)
        self._localizer = Localizer(self.mapper.map_code, localizer, encoder)

    def learn(self, scene: int, frames: Sequence[Frame]) -> None:
        """See `Learner`."""
        self.mapper.use_scene(f"scene {scene}")
        for frame in frames:
            self.mapper.add(frame)
        self.mapper.finish()

    def pose(self, frame: Frame) -> np.ndarray | None:
        """See `Learner`."""
        found = self._localizer.localize(frame)
        return found.world_T_cam if found.accepted else None


class DenseLearner:
    """Trains one HSCNet or SCRNet on all scenes."""

    def __init__(self, trainer: DenseTrainer) -> None:
        """Take a trainer that has learned nothing, or everything."""
        self._trainer = trainer

    def learn(self, scene: int, frames: Sequence[Frame]) -> None:
        """See `Learner`."""
        self._trainer.learn(scene, frames)

    def pose(self, frame: Frame) -> np.ndarray | None:
        """See `Learner`."""
        return self._trainer.localize(frame).world_T_cam
