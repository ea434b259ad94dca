"""Regressors: features to scene coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from cl_localization.features.encoder import Features
from cl_localization.map.code_index import CodeIndex, CodeSearch
from cl_localization.map.map_code import MapCode

CANDIDATES = 4
SAME_PLACE_CELLS = 5
"""Two codes of a scene this many cells apart are taken for one place: its other modes must not count as rivals."""


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


def no_coordinates() -> SceneCoordinates:
    """Return coordinates of no features."""
    rows, values = np.zeros(0, np.int64), np.zeros(0, np.float32)
    return SceneCoordinates(rows, np.zeros((0, 3), np.float32), values, values, rows)


class Regressor(Protocol):
    """Gives features their scene coordinates from a map.

    Attributes:
        each_alone: whether what it gives a feature does not depend on the features beside it.
    """

    each_alone: bool

    def regress(self, features: Features) -> SceneCoordinates:
        """Return coordinates for the features that have any."""
        ...


class NearestRegressor:
    """A feature lies where its nearest code does. Needs no training: usable after one keyframe."""

    each_alone = True

    def __init__(self, map_code: MapCode, index: CodeSearch | None = None) -> None:
        """Make a regressor for a map, or for the part of it that an index searches."""
        self._map = map_code
        self._index = index or CodeIndex(map_code)

    def regress(self, features: Features) -> SceneCoordinates:
        """Return the position of the nearest code of every feature, and how much nearer it is than the next best
        place."""
        similarity, rows = self._index.search(features.descriptors, CANDIDATES)
        found = np.flatnonzero(rows[:, 0] >= 0)
        similarity, rows = similarity[found], rows[found]
        positions_m = self._map.codes["positions_m"][rows]
        distance = np.sqrt(np.maximum(2.0 - 2.0 * similarity, 1e-6))
        apart_m = np.linalg.norm(positions_m - positions_m[:, :1], axis=2)
        scenes = self._map.codes["scenes"][rows]
        elsewhere = (apart_m > SAME_PLACE_CELLS * self._map.cell_size_m) | (scenes != scenes[:, :1])
        rival = elsewhere & (rows >= 0)
        rival_distance = np.where(rival, distance, np.inf).min(axis=1, initial=np.inf)
        next_distance = np.where(np.isfinite(rival_distance), rival_distance, distance.max(axis=1, initial=0))
        return SceneCoordinates(found, positions_m[:, 0], self._map.codes["sigmas_m"][rows[:, 0]],
                                distance[:, 0] / next_distance, rows[:, 0])
