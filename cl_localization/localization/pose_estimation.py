"""Features and a map to a camera pose: match, solve robustly, match again near the pose, refine, accept or reject."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from cl_localization.config import PoseConfig
from cl_localization.features.encoder import Features
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.pnp import PnPResult, robust_pose
from cl_localization.localization.acceptance import accept_or_reject
from cl_localization.localization.covariance_calibration import calibrated, variance_factor_of
from cl_localization.localization.refinement import MIN_MATCHES, pixels_in, refined_in_map
from cl_localization.localization.regressor import Regressor, SceneCoordinates
from cl_localization.localization.result import Localization
from cl_localization.map.map_code import MapCode


class PoseEstimator:
    """Estimates camera poses in one map.

    Attributes:
        config: may be replaced at any time.
    """

    def __init__(self, map_code: MapCode, regressor: Regressor, config: PoseConfig) -> None:
        self.config = config
        self._map, self._regressor = map_code, regressor

    def estimate(self, features: Features, camera: Camera) -> Localization:
        """Return the pose that features of a camera's image have in the map."""
        started_s = time.perf_counter()
        searched = features.select(slice(self.config.max_keypoints))
        keypoints_px, pinhole = camera.undistort(searched.keypoints_px), camera.pinhole()
        coordinates = self._scene_coordinates(searched)
        matched_s = time.perf_counter()
        first = self._solve(pinhole, keypoints_px, coordinates)
        solved_s = time.perf_counter()
        found = Localization() if first is None else self._refine(searched, keypoints_px, pinhole, coordinates, first)
        timings_s = {"search": matched_s - started_s, "solve": solved_s - matched_s}
        if first is not None:
            timings_s["refine"] = time.perf_counter() - solved_s
        found = replace(found, keypoints=len(features), matches=len(coordinates.features), timings_s=timings_s)
        return accept_or_reject(found, self.config)

    def _scene_coordinates(self, features: Features) -> SceneCoordinates:
        """Return the unambiguous matches, those of the scene that most of them belong to."""
        coordinates = self._regressor.regress(features)
        coordinates = coordinates.select(coordinates.ambiguity <= self.config.max_ambiguity)
        return coordinates.of_one_scene(self._map.codes["scenes"][coordinates.rows])

    def _solve(self, pinhole: Camera, keypoints_px: np.ndarray, coordinates: SceneCoordinates) -> PnPResult | None:
        if len(coordinates.features) < MIN_MATCHES:
            return None
        threshold_px = pixels_in(pinhole, self.config.inlier_threshold_px)
        return robust_pose(pinhole, keypoints_px[coordinates.features], coordinates.points_m, threshold_px,
                           self.config.max_iterations, self.config.seed)

    def _refine(self, features: Features, keypoints_px: np.ndarray, pinhole: Camera, coordinates: SceneCoordinates,
                first: PnPResult) -> Localization:
        scene, inlier_ratio = int(self._map.codes["scenes"][coordinates.rows[0]]), float(first.inliers.mean())
        found = refined_in_map(self._map, features, keypoints_px, pinhole, first.cam_T_world, self.config, scene)
        if found is None or found.covariance is None:
            return Localization(inlier_ratio=inlier_ratio)
        covariance = calibrated(found.covariance, variance_factor_of(self._map, scene))
        name = self._map.scene_names[scene] if found.inliers else ""
        return replace(found, covariance=covariance, inlier_ratio=inlier_ratio, scene=name)
