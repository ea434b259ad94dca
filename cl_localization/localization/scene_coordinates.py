"""What a regressor gives: features to scene coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cl_localization.features.encoder import Features


@dataclass(frozen=True, eq=False)
class SceneCoordinates:
    """Predicted world points of some features.

    Attributes:
        features: (N,) int64 index of the feature each is for.
        points_m: (N, 3) float32 in the map frame.
        sigmas_m: (N,) float32 standard deviation.
        ambiguity: (N,) distance of the best over that of the next best place, 0 is certain, 1 a toss-up.
        rows: (N,) int64 the code each came from.
    """

    features: np.ndarray
    points_m: np.ndarray
    sigmas_m: np.ndarray
    ambiguity: np.ndarray
    rows: np.ndarray

    def of_one_scene(self, scenes: np.ndarray) -> SceneCoordinates:
        """Return the coordinates in the scene of most of them, given the scene (N,) of each: scenes may overlap, one
        pose cannot."""
        if len(scenes) == 0:
            return self
        return self.select(scenes == np.bincount(scenes).argmax())

    def select(self, mask: np.ndarray) -> SceneCoordinates:
        """Return the coordinates of some features, by mask or index."""
        return SceneCoordinates(self.features[mask], self.points_m[mask], self.sigmas_m[mask], self.ambiguity[mask],
                                self.rows[mask])


class Regressor(Protocol):
    """Gives features their scene coordinates from a map."""

    def regress(self, features: Features) -> SceneCoordinates:
        """Return coordinates for the features that have any."""
        ...
