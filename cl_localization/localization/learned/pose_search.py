"""The pose of an image in a map of learned codes: attend, solve robustly, refine by the certain answers."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from cl_localization.config import LocalizerConfig, PoseConfig
from cl_localization.features.encoder import Features
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.pnp import PnPResult, refined_pose, reprojection_errors_px, robust_pose
from cl_localization.localization.acceptance import accept_or_reject
from cl_localization.localization.covariance_calibration import calibrated
from cl_localization.localization.hierarchical_search import PoseSearch
from cl_localization.localization.learned.regressor import LearnedRegressor
from cl_localization.localization.refinement import MIN_MATCHES, expected_errors_px, pixels_in
from cl_localization.localization.regressor import SceneCoordinates
from cl_localization.localization.result import Localization
from cl_localization.map.learned_codes import is_learned
from cl_localization.map.map_code import MapCode

CERTAIN_SHARE = 0.5
"""Share of an image's features whose answers are used: those whose attention goes most to one place."""

VARIANCE = 14.0
"""Covariances are larger than the scatter of the answers says by this factor: neighbouring features err together. In
maps of stretches of RedKitchen this held 72 to 100 % of the errors of four other stretches, and none of those of a
fifth, far from what was mapped, where all poses were 9 cm off the reference in one direction."""


class LearnedPoseSearch:
    """Searches the poses of images in a map of learned codes; all of it at once, as it is small."""

    def __init__(self, map_code: MapCode, pose: PoseConfig) -> None:
        """Make a search in a map."""
        self._map, self._pose, self._regressor = map_code, pose, LearnedRegressor(map_code)

    def use(self, pose: PoseConfig) -> None:
        """Use other values of the options of poses from now on."""
        self._pose = pose

    def find(self, features: Features, camera: Camera, *around: np.ndarray) -> Localization:
        """Return the pose of an image, accepted or not; see `PoseSearch.find`."""
        started_s = time.perf_counter()
        searched = features.select(slice(self._pose.max_keypoints))
        keypoints_px, pinhole = camera.undistort(searched.keypoints_px), camera.pinhole()
        coordinates = self._regressor.regress(searched)  # all in one scene
        coordinates = coordinates.select(coordinates.ambiguity < CERTAIN_SHARE)
        matched_s = time.perf_counter()
        matched_px = keypoints_px[coordinates.features].astype(np.float64)
        threshold_px = pixels_in(pinhole, self._pose.inlier_threshold_px)
        first = robust_pose(pinhole, matched_px, coordinates.points_m, threshold_px, self._pose.max_iterations,
                            self._pose.seed) if len(matched_px) >= MIN_MATCHES else None
        solved_s = time.perf_counter()
        found = Localization() if first is None else self._refined(pinhole, matched_px, coordinates, first,
                                                                   threshold_px)
        timings_s = {"search": matched_s - started_s, "solve": solved_s - matched_s,
                     "refine": time.perf_counter() - solved_s}
        found = replace(found, keypoints=len(features), matches=len(matched_px), timings_s=timings_s)
        return accept_or_reject(found, self._pose)

    def with_rival(self, features: Features, camera: Camera, found: Localization) -> Localization:
        """Return a pose as it was found: such a map has too few codes to tell what has moved."""
        return found

    def _refined(self, pinhole: Camera, matched_px: np.ndarray, coordinates: SceneCoordinates, first: PnPResult,
                 threshold_px: float) -> Localization:
        """Return the pose of least reprojection error over the inliers, those with certain answers first."""
        inliers, points_m = first.inliers, coordinates.points_m
        agreed_px, agreed_m = matched_px[inliers], points_m[inliers]
        sigmas_px = expected_errors_px(pinhole, first.cam_T_world, agreed_px, agreed_m, coordinates.sigmas_m[inliers])
        cam_T_world, covariance = refined_pose(pinhole, first.cam_T_world, agreed_px, agreed_m, sigmas_px)
        errors_px = reprojection_errors_px(pinhole, cam_T_world, matched_px, points_m)
        agree = errors_px < threshold_px
        if agree.sum() < MIN_MATCHES:
            return Localization(inlier_ratio=float(inliers.mean()))
        scene, world_T_cam = int(self._map.codes["scenes"][coordinates.rows[0]]), se3.inverse(cam_T_world)
        covariance = calibrated(covariance, VARIANCE)
        median_px = float(np.median(errors_px[agree]))
        return Localization(world_T_cam=world_T_cam, covariance=covariance, inliers=int(agree.sum()),
                            inlier_ratio=float(inliers.mean()), reprojection_error_px=median_px,
                            inlier_features=coordinates.features[agree], inlier_codes=coordinates.rows[agree],
                            inlier_points_m=points_m[agree], scene=self._map.scene_names[scene])


def make_pose_search(map_code: MapCode, config: LocalizerConfig,
                     in_background: bool = False) -> PoseSearch | LearnedPoseSearch:
    """Return the search for a map, by what its codes are; arguments and errors are those of `PoseSearch`."""
    if is_learned(map_code):
        return LearnedPoseSearch(map_code, config.pose)
    return PoseSearch(map_code, config, in_background)
