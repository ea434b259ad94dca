"""Refinement of a pose: guided matching near it, weighted least squares, and its covariance."""

from __future__ import annotations

import numpy as np

from cl_localization.config import PoseConfig
from cl_localization.features.encoder import Features
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.pnp import refined_pose, reprojection_errors_px
from cl_localization.localization.guided_matching import guided_matches
from cl_localization.localization.result import Localization
from cl_localization.map.map_code import MapCode

REFERENCE_WIDTH_PX = 640.0
"""Thresholds in pixels are given for images of this width and scale with it."""

MIN_MATCHES = 6

BAND_MEDIANS, NARROWEST_PX = 4.0, 3.0
"""Where codes lie exactly, those a few pixels off are other things: matches are searched once more within so many
times the median error, but at least so many pixels of a reference image."""

ENOUGH_KEPT = 0.5
"""A narrow search that loses more than this share of the matches has lost its way."""

ERROR_TO_SIGMA = 0.85
"""Standard deviation of a coordinate over the median distance, for errors that are normal in both coordinates."""


def pixels_in(camera: Camera, at_reference_px: float) -> float:
    """Return a length in a camera's pixels that is given for images `REFERENCE_WIDTH_PX` wide."""
    return at_reference_px * max(camera.width_px, camera.height_px) / REFERENCE_WIDTH_PX


def refined_in_map(map_code: MapCode, features: Features, keypoints_px: np.ndarray, pinhole: Camera,
                   cam_T_world: np.ndarray, config: PoseConfig, scene: int,
                   min_view_angle_deg: float = 0.0) -> Localization | None:
    """Return the pose that codes near their keypoints agree on, or None when there are too few.

    Its covariance takes the errors of all matches for independent; see `covariance_calibration`.

    Args:
        keypoints_px: (N, 2) undistorted keypoints of the features.
        pinhole: the camera of those.
        cam_T_world: (4, 4) roughly the pose.
        scene: whose codes are matched.
        min_view_angle_deg: codes that were first seen from a direction nearer than this are left out.
    """
    threshold_px = pixels_in(pinhole, config.inlier_threshold_px)
    found = _refined_within(threshold_px, map_code, features, keypoints_px, pinhole, cam_T_world, config, scene,
                            min_view_angle_deg)
    if found is None or found.world_T_cam is None or found.inliers < MIN_MATCHES:
        return found
    narrow_px = max(BAND_MEDIANS * found.reprojection_error_px, pixels_in(pinhole, NARROWEST_PX))
    if narrow_px >= threshold_px:
        return found
    again = _refined_within(narrow_px, map_code, features, keypoints_px, pinhole, se3.inverse(found.world_T_cam),
                            config, scene, min_view_angle_deg)
    return found if again is None or again.inliers < ENOUGH_KEPT * found.inliers else again


def _refined_within(threshold_px: float, map_code: MapCode, features: Features, keypoints_px: np.ndarray,
                    pinhole: Camera, cam_T_world: np.ndarray, config: PoseConfig, scene: int,
                    min_view_angle_deg: float) -> Localization | None:
    """Match codes to keypoints within a radius of where they should be, and refine the pose to that."""
    found = guided_matches(map_code, features, keypoints_px, pinhole, cam_T_world, threshold_px, config.min_similarity,
                           scene, min_view_angle_deg)
    if len(found.rows) < MIN_MATCHES:
        return None
    matched_px, points_m = keypoints_px[found.features], map_code.codes["positions_m"][found.rows].astype(np.float64)
    errors_px = reprojection_errors_px(pinhole, cam_T_world, matched_px, points_m)
    sigmas_px = expected_errors_px(map_code, pinhole, cam_T_world, found.rows, errors_px, config)
    cam_T_world, covariance = refined_pose(pinhole, cam_T_world, matched_px, points_m, sigmas_px)
    errors_px = reprojection_errors_px(pinhole, cam_T_world, matched_px, points_m)
    inliers = errors_px < threshold_px
    median_px = float(np.median(errors_px[inliers])) if inliers.any() else float("nan")
    return Localization(world_T_cam=se3.inverse(cam_T_world), covariance=covariance, inliers=int(inliers.sum()),
                        reprojection_error_px=median_px, inlier_features=found.features[inliers],
                        inlier_codes=found.rows[inliers], inlier_points_m=points_m[inliers])


def expected_errors_px(map_code: MapCode, pinhole: Camera, cam_T_world: np.ndarray, rows: np.ndarray,
                       errors_px: np.ndarray, config: PoseConfig) -> np.ndarray:
    """Return the expected reprojection errors (N,) of codes (N,) with errors (N,): that of keypoints, as found, and
    that of the codes' positions."""
    keypoint_px = max(pixels_in(pinhole, config.keypoint_sigma_px), ERROR_TO_SIGMA * float(np.median(errors_px)))
    camera_m = -cam_T_world[:3, :3].T @ cam_T_world[:3, 3]
    distance_m = np.linalg.norm(map_code.codes["positions_m"][rows] - camera_m, axis=1)
    position_px = pinhole.focal_px * map_code.codes["sigmas_m"][rows] / np.maximum(distance_m, 1e-6)
    return np.hypot(keypoint_px, position_px)
