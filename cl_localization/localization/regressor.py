"""The nearest regressor, and the choice among regressors."""

from __future__ import annotations

import numpy as np

from cl_localization.config import LocalizerConfig
from cl_localization.features.encoder import Features
from cl_localization.localization.scene_coordinates import Regressor, SceneCoordinates
from cl_localization.map.code_index import CodeIndex, CodeSearch
from cl_localization.map.map_code import MapCode

CANDIDATES = 4
SAME_PLACE_CELLS = 5
"""Two codes of a scene this many cells apart are taken for one place: its other modes must not count as rivals."""


class NearestRegressor:
    """A feature lies where its nearest code does. Needs no training: usable after one keyframe."""

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


def make_regressor(map_code: MapCode, config: LocalizerConfig, index: CodeIndex | None = None) -> Regressor:
    """Return the regressor that a configuration names, of two the first, which searches all of a map.

    Args:
        index: of the whole map, where there is one already.

    Raises:
        EncoderError: the weights of the attention regressor cannot be read.
        MapError: they are made for another encoder than the map.
    """
    if config.regressor != "attention":
        return NearestRegressor(map_code, index)
    from cl_localization.localization.attention.regressor import AttentionRegressor

    return AttentionRegressor.from_file(map_code, config.regressor_weights, index)
