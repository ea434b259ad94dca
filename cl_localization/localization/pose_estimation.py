"""Features and a map to a camera pose: match globally, solve robustly, match again near the pose, refine."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field

import numpy as np

from cl_localization.config import PoseConfig
from cl_localization.features.encoder import Features
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.pnp import PnPResult, robust_pose
from cl_localization.localization.covariance_calibration import calibrated, variance_factor_of
from cl_localization.localization.refinement import MIN_MATCHES, pixels_in, refined_in_map
from cl_localization.localization.scene_coordinates import Regressor, SceneCoordinates
from cl_localization.map.map_code import MapCode


@dataclass(frozen=True, eq=False)
class CameraPose:
    """A pose with what supports it; `cam_T_world` None when there is none.

    Attributes:
        covariance: (6, 6) of the camera's position [m] and rotation [rad] in world axes.
        features, rows, points_m: (I,) features, (I,) codes and (I, 3) positions of the inliers.
        matches: unguided matches that the robust estimate was made from.
        first_inlier_ratio: share of them that agreed.
    """

    cam_T_world: np.ndarray | None = None
    covariance: np.ndarray = field(default_factory=lambda: np.full((6, 6), np.inf))
    features: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    points_m: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    matches: int = 0
    first_inlier_ratio: float = 0.0
    reprojection_error_px: float = float("nan")
    timings_s: dict[str, float] = field(default_factory=dict)

    @property
    def inliers(self) -> int:
        """How many matches agree with the pose."""
        return len(self.rows)

    @property
    def support(self) -> float:
        """Inliers among the unguided matches times their share."""
        return self.matches * self.first_inlier_ratio**2


class PoseEstimator:
    """Estimates camera poses in one map."""

    def __init__(self, map_code: MapCode, regressor: Regressor, config: PoseConfig) -> None:
        self._map, self._regressor, self._config = map_code, regressor, config

    def estimate(self, features: Features, camera: Camera) -> CameraPose:
        """Return the pose that features of a camera's image have in the map."""
        times = [time.perf_counter()]
        features = features.select(slice(self._config.max_keypoints))
        keypoints_px, pinhole = camera.undistort(features.keypoints_px), camera.pinhole()
        coordinates = self._unambiguous(self._regressor.regress(features))
        coordinates = coordinates.of_one_scene(self._map.codes["scenes"][coordinates.rows])
        times.append(time.perf_counter())
        first = self._solve(pinhole, keypoints_px[coordinates.features], coordinates)
        times.append(time.perf_counter())
        if first is None:
            return CameraPose(matches=len(coordinates.features), timings_s=_named(times))
        pose = self._refine(features, keypoints_px, pinhole, first, int(self._map.codes["scenes"][coordinates.rows[0]]))
        times.append(time.perf_counter())
        return CameraPose(matches=len(coordinates.features), first_inlier_ratio=float(first.inliers.mean()),
                          timings_s=_named(times), **pose)

    def _unambiguous(self, coordinates: SceneCoordinates) -> SceneCoordinates:
        return coordinates.select(coordinates.ambiguity <= self._config.max_ambiguity)

    def _solve(self, pinhole: Camera, keypoints_px: np.ndarray, coordinates: SceneCoordinates) -> PnPResult | None:
        if len(keypoints_px) < MIN_MATCHES:
            return None
        return robust_pose(pinhole, keypoints_px, coordinates.points_m,
                           pixels_in(pinhole, self._config.inlier_threshold_px),
                           self._config.max_iterations, self._config.seed)

    def _refine(self, features: Features, keypoints_px: np.ndarray, pinhole: Camera, first: PnPResult,
                scene: int) -> dict:
        found = refined_in_map(self._map, features, keypoints_px, pinhole, first.cam_T_world, self._config, scene)
        if found is None:
            return {}
        covariance = calibrated(found.covariance, variance_factor_of(self._map, scene))
        error_px = float(np.median(found.errors_px)) if len(found.errors_px) else float("nan")
        return {"cam_T_world": found.cam_T_world, "covariance": covariance, "features": found.features,
                "rows": found.rows,
                "points_m": found.points_m, "reprojection_error_px": error_px}


def _named(times: list[float]) -> dict[str, float]:
    return dict(zip(("search", "solve", "refine"), (after - before for before, after in itertools.pairwise(times))))
