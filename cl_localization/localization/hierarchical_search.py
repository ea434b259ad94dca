"""Where in a map a pose is looked for, in which order, and when that is enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from cl_localization.config import LocalizerConfig, PoseConfig
from cl_localization.features.encoder import Features
from cl_localization.geometry.camera import Camera
from cl_localization.localization.acceptance import PoseEvidence, reason_to_reject
from cl_localization.localization.attention_fallback import make_second_look
from cl_localization.localization.pose_estimation import CameraPose, PoseEstimator
from cl_localization.localization.regressor import NearestRegressor, make_regressor
from cl_localization.map.code_index import CodeIndex
from cl_localization.map.covisible_codes import CodeRegions
from cl_localization.map.map_code import MapCode


def reason_against(pose: CameraPose, config: PoseConfig) -> str | None:
    """Return why a pose must not be used, or None when it may."""
    if pose.cam_T_world is None:
        return "no pose agrees with the matches"
    return reason_to_reject(PoseEvidence(pose.inliers, pose.support, pose.covariance), config)


class PoseSearch:
    """Looks for the poses of images in one map: near the places they look like, then everywhere, then everywhere once
    more."""

    def __init__(self, map_code: MapCode, config: LocalizerConfig) -> None:
        """Make a search in a map.

        Raises:
            EncoderError, MapError: see `make_regressor`.
        """
        self._map, self._config, index = map_code, config, CodeIndex(map_code)
        self._everywhere = PoseEstimator(map_code, make_regressor(map_code, config, index), config.pose)
        self._regions = None if config.regressor == "attention" else CodeRegions(map_code)
        self._second_look = make_second_look(map_code, config, index)

    def find(self, features: Features, camera: Camera, keyframes: np.ndarray) -> CameraPose:
        """Return the pose with most support of those that may be used, of all where none may; its times are those of
        all looks.

        Args:
            keyframes: (K,) around which to look first.
        """
        looks: list[CameraPose] = []
        for estimator in self._estimators(keyframes):
            looks.append(estimator.estimate(features, camera))
            if self._accepts(looks[-1]) and looks[-1].support >= self._config.place.enough_support:
                break
        best = max(reversed(looks), key=lambda pose: (self._accepts(pose), pose.cam_T_world is not None, pose.support))
        if self._second_look is not None and self._second_look.is_worthwhile(best, self._accepts(best)):
            looks.append(self._second_look.estimate(features, camera))
            if self._accepts(looks[-1]) and self._second_look.confirms(looks[-1], best):
                best = looks[-1]
        steps = dict.fromkeys(step for look in looks for step in look.timings_s)
        return replace(best, timings_s={step: sum(look.timings_s.get(step, 0.0) for look in looks) for step in steps})

    def _accepts(self, pose: CameraPose) -> bool:
        return reason_against(pose, self._config.pose) is None

    def _estimators(self, keyframes: np.ndarray) -> Iterator[PoseEstimator]:
        """Yield the search around keyframes where that is less than everything, then the search of everything."""
        near = self._regions.around(keyframes) if self._regions and len(keyframes) else None
        if near is not None:
            yield PoseEstimator(self._map, NearestRegressor(self._map, near), self._config.pose)
        yield self._everywhere
