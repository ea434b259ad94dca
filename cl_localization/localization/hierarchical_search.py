"""Where in a map a pose is searched, in which order, and when that is enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cl_localization.config import LocalizerConfig, PoseConfig
from cl_localization.features.encoder import Features
from cl_localization.geometry.camera import Camera
from cl_localization.localization.attention_fallback import make_attention_fallback
from cl_localization.localization.pose_estimation import PoseEstimator
from cl_localization.localization.regressor import NearestRegressor, make_regressor
from cl_localization.localization.result import Localization
from cl_localization.map.code_index import CodeIndex
from cl_localization.map.covisible_codes import CovisibleCodes
from cl_localization.map.map_code import MapCode


class PoseSearch:
    """Searches the poses of images in one map: around recognised keyframes, in the whole map, then by attention."""

    def __init__(self, map_code: MapCode, config: LocalizerConfig) -> None:
        """Make a search in a map.

        Raises:
            EncoderError, MapError: see `make_regressor`.
        """
        self._map, index = map_code, CodeIndex(map_code)
        self._pose, self._enough_support = config.pose, config.place.enough_support
        self._whole_map = PoseEstimator(map_code, make_regressor(map_code, config, index), config.pose)
        self._covisible = None if config.regressor == "attention" else CovisibleCodes(map_code)
        self._fallback = make_attention_fallback(map_code, config, index)

    def use(self, pose: PoseConfig) -> None:
        """Use other values of the options of poses from now on."""
        self._pose = self._whole_map.config = pose
        if self._fallback is not None:
            self._fallback.use(pose)

    def find(self, features: Features, camera: Camera, keyframes: np.ndarray) -> Localization:
        """Return the accepted pose with most support, the pose with most support where none is accepted.

        Its timings are those of all tries.

        Args:
            keyframes: (K,) around which to search first.
        """
        tries: list[Localization] = []
        for estimator in self._estimators(keyframes):
            tries.append(estimator.estimate(features, camera))
            if tries[-1].accepted and tries[-1].support >= self._enough_support:
                break
        best = max(reversed(tries), key=lambda found: (found.accepted, found.world_T_cam is not None, found.support))
        if self._fallback is not None and self._fallback.should_try(best):
            tries.append(self._fallback.estimate(features, camera))
            if tries[-1].accepted and self._fallback.confirms(tries[-1], best):
                best = tries[-1]
        steps = dict.fromkeys(step for found in tries for step in found.timings_s)
        return replace(best, timings_s={step: sum(found.timings_s.get(step, 0.0) for found in tries) for step in steps})

    def _estimators(self, keyframes: np.ndarray) -> Iterator[PoseEstimator]:
        """Yield the search around keyframes where that is less than the whole map, then that of the whole map."""
        near = self._covisible.around(keyframes) if self._covisible and len(keyframes) else None
        if near is not None:
            yield PoseEstimator(self._map, NearestRegressor(self._map, near), self._pose)
        yield self._whole_map
