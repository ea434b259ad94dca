"""The regressor of a map of learned codes."""

from __future__ import annotations

import numpy as np

from cl_localization.features.encoder import Features
from cl_localization.localization.learned.attention import AttentionCodes
from cl_localization.localization.regressor import SceneCoordinates, no_coordinates
from cl_localization.map.learned_codes import learned_arrays
from cl_localization.map.map_code import MapCode


class LearnedRegressor:
    """A feature lies at the mean of the codes' positions, weighted by attention; see `Regressor`.

    Changes of the map are followed.
    """

    def __init__(self, map_code: MapCode) -> None:
        """Make a regressor for a map of learned codes."""
        self._map, self._version = map_code, -1

    def regress(self, features: Features) -> SceneCoordinates:
        """Return the answer for every feature.

        Its ambiguity is the share of the image's features whose attention goes more to one place: 0 for the best of
        them.
        """
        if len(features) == 0:
            return no_coordinates()
        if self._version != self._map.version:
            self._codes, self._version = AttentionCodes(learned_arrays(self._map)), self._map.version
        found = self._codes.answer(features.descriptors)
        rank = np.empty(len(features), np.float32)
        rank[np.argsort(-found.attention, kind="stable")] = np.arange(len(features)) / len(features)
        return SceneCoordinates(np.arange(len(features)), found.points_m, found.sigmas_m, rank,
                                self._map.codes.rows()[found.codes])
