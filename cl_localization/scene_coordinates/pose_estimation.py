"""Features and a map to a camera pose: match globally, solve robustly, match again near the pose, refine."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np

from cl_localization.config import PoseConfig
from cl_localization.features.encoder import Features
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.pnp import PnPResult, refined_pose, reprojection_errors_px, robust_pose
from cl_localization.scene_coordinates.guided import guided_matches
from cl_localization.scene_coordinates.map_code import MapCode
from cl_localization.scene_coordinates.regressor import Regressor, SceneCoordinates

REFERENCE_WIDTH_PX = 640.0
"""Thresholds in pixels are given for images of this width and scale with it."""

MIN_MATCHES = 6

ERROR_TO_SIGMA = 0.85
"""Standard deviation of a coordinate over the median distance, for errors that are normal in both coordinates."""


@dataclass(frozen=True, eq=False)
class CameraPose:
    """A pose with what supports it; `cam_T_world` None when there is none.

    Attributes:
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
        times.append(time.perf_counter())
        first = self._solve(pinhole, keypoints_px[coordinates.features], coordinates)
        times.append(time.perf_counter())
        if first is None:
            return CameraPose(matches=len(coordinates.features), timings_s=_named(times))
        pose = self._refine(features, keypoints_px, pinhole, first)
        times.append(time.perf_counter())
        return CameraPose(matches=len(coordinates.features), first_inlier_ratio=float(first.inliers.mean()),
                          timings_s=_named(times), **pose)

    def _unambiguous(self, coordinates: SceneCoordinates) -> SceneCoordinates:
        return coordinates.select(coordinates.ambiguity <= self._config.max_ambiguity)

    def _solve(self, pinhole: Camera, keypoints_px: np.ndarray, coordinates: SceneCoordinates) -> PnPResult | None:
        if len(keypoints_px) < MIN_MATCHES:
            return None
        return robust_pose(pinhole, keypoints_px, coordinates.points_m, self._pixels(pinhole, self._config.inlier_threshold_px),
                           self._config.max_iterations, self._config.seed)

    def _refine(self, features: Features, keypoints_px: np.ndarray, pinhole: Camera, first: PnPResult) -> dict:
        threshold_px = self._pixels(pinhole, self._config.inlier_threshold_px)
        found = guided_matches(self._map, features, keypoints_px, pinhole, first.cam_T_world, threshold_px,
                               self._config.min_similarity)
        if len(found.rows) < MIN_MATCHES:
            return {}
        matched_px, points_m = keypoints_px[found.features], self._map.codes["positions_m"][found.rows].astype(np.float64)
        errors_px = reprojection_errors_px(pinhole, first.cam_T_world, matched_px, points_m)
        sigmas_px = self._sigmas_px(pinhole, first.cam_T_world, found.rows, errors_px)
        cam_T_world, covariance = refined_pose(pinhole, first.cam_T_world, matched_px, points_m, sigmas_px)
        errors_px = reprojection_errors_px(pinhole, cam_T_world, matched_px, points_m)
        inliers = errors_px < threshold_px
        return {"cam_T_world": cam_T_world, "covariance": covariance, "features": found.features[inliers],
                "rows": found.rows[inliers], "points_m": points_m[inliers],
                "reprojection_error_px": float(np.median(errors_px[inliers])) if inliers.any() else float("nan")}

    def _sigmas_px(self, pinhole: Camera, cam_T_world: np.ndarray, rows: np.ndarray, errors_px: np.ndarray) -> np.ndarray:
        """Return the expected reprojection error of codes: that of the keypoint, as found, and that of the code's position."""
        keypoint_px = max(self._pixels(pinhole, self._config.keypoint_sigma_px), ERROR_TO_SIGMA * float(np.median(errors_px)))
        camera_m = -cam_T_world[:3, :3].T @ cam_T_world[:3, 3]
        distance_m = np.linalg.norm(self._map.codes["positions_m"][rows] - camera_m, axis=1)
        position_px = pinhole.focal_px * self._map.codes["sigmas_m"][rows] / np.maximum(distance_m, 1e-6)
        return np.hypot(keypoint_px, position_px)

    @staticmethod
    def _pixels(camera: Camera, at_reference_px: float) -> float:
        return at_reference_px * max(camera.width_px, camera.height_px) / REFERENCE_WIDTH_PX


def _named(times: list[float]) -> dict[str, float]:
    return dict(zip(("search", "solve", "refine"), (after - before for before, after in zip(times, times[1:]))))
