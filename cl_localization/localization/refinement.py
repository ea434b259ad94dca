"""Refinement of a pose: guided matching near it, weighted least squares, and its covariance.

What is near is searched once more where what is far has left the position open. Far points fix how a camera is turned,
and many of them its position to a share of their distance; that moves what is near by many pixels, out of the reach of
a search around where it should be. But only near points tell the position. So each code is searched as far around its
projection as the pose may be wrong: little for far ones, much for near ones.
"""

from __future__ import annotations

from itertools import chain

import numpy as np
from scipy.spatial import cKDTree

from cl_localization.config import PoseConfig
from cl_localization.features.encoder import Features
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.pnp import project, refined_pose, reprojection_errors_px, robust_pose
from cl_localization.localization.matching import GuidedMatches, best_pairs, guided_matches, visible_codes
from cl_localization.localization.result import Localization
from cl_localization.map.map_code import MapCode

SIGMAS = 3.0
MAX_RADIUS_PX = 60.0
"""Of the search [px of a 640 px wide image]."""

EXACT_PX = 4.0
"""Largest reprojection error of matches that agree, where a map is exact [px of a 640 px wide image]."""

MIN_NEAR = 30

MOST_PAIRS = 200_000
"""Of codes and the keypoints around them, about. A pose that is nowhere near would be searched for seconds: where there
are more, evenly spread codes stand for all."""

REFERENCE_WIDTH_PX = 640.0
"""Thresholds in pixels are given for images of this width and scale with it."""

MIN_MATCHES = 6
MIN_SIMILARITY = 0.75
"""Least cosine similarity of guided matches, which are searched near the first pose."""

KEYPOINT_SIGMA_PX = 0.5
"""Standard deviation of keypoints at best [px of a 640 px wide image]."""


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


def exact_threshold_px(config: PoseConfig) -> float:
    """Return the largest reprojection error of an inlier where a map is exact [px of a 640 px wide image]."""
    return min(EXACT_PX, config.inlier_threshold_px)


def refined_in_map(map_code: MapCode, features: Features, keypoints_px: np.ndarray, pinhole: Camera,
                   cam_T_world: np.ndarray, threshold_px: float, scene: int,
                   min_view_angle_deg: float = 0.0) -> Localization | None:
    """Return the pose that codes near their keypoints agree on, or None when there are too few.

    Its covariance takes the errors of all matches for independent; see `covariance_calibration`.

    Args:
        keypoints_px: (N, 2) undistorted keypoints of the features.
        pinhole: the camera of those.
        cam_T_world: (4, 4) roughly the pose.
        threshold_px: largest reprojection error of an inlier [px of a 640 px wide image].
        scene: whose codes are matched.
        min_view_angle_deg: codes that were first seen from a direction nearer than this are left out.
    """
    def within(radius_px: float, cam_T_world: np.ndarray) -> Localization | None:
        found = guided_matches(map_code, features, keypoints_px, pinhole, cam_T_world, radius_px, MIN_SIMILARITY,
                               scene, min_view_angle_deg)
        return _refined(map_code, keypoints_px, pinhole, cam_T_world, radius_px, found)

    wide_px = pixels_in(pinhole, threshold_px)
    found = within(wide_px, cam_T_world)
    if found is None or found.inliers < MIN_MATCHES:
        return found
    narrow_px = max(BAND_MEDIANS * found.reprojection_error_px, pixels_in(pinhole, NARROWEST_PX))
    if narrow_px >= wide_px:
        return found
    again = within(narrow_px, se3.inverse(found.world_T_cam))
    return found if again is None or again.inliers < ENOUGH_KEPT * found.inliers else again


def _refined(map_code: MapCode, keypoints_px: np.ndarray, pinhole: Camera, cam_T_world: np.ndarray,
             threshold_px: float, matches: GuidedMatches) -> Localization | None:
    """Return the pose refined to matches, of which those within a threshold are its inliers."""
    if len(matches.rows) < MIN_MATCHES:
        return None
    matched_px = keypoints_px[matches.features]
    points_m = map_code.codes["positions_m"][matches.rows].astype(np.float64)
    sigmas_px = expected_errors_px(pinhole, cam_T_world, matched_px, points_m,
                                   map_code.codes["sigmas_m"][matches.rows])
    cam_T_world, covariance = refined_pose(pinhole, cam_T_world, matched_px, points_m, sigmas_px)
    errors_px = reprojection_errors_px(pinhole, cam_T_world, matched_px, points_m)
    inliers = errors_px < threshold_px
    median_px = float(np.median(errors_px[inliers])) if inliers.any() else float("nan")
    return Localization(world_T_cam=se3.inverse(cam_T_world), covariance=covariance, inliers=int(inliers.sum()),
                        reprojection_error_px=median_px, inlier_features=matches.features[inliers],
                        inlier_codes=matches.rows[inliers], inlier_points_m=points_m[inliers])


def expected_errors_px(pinhole: Camera, cam_T_world: np.ndarray, matched_px: np.ndarray, points_m: np.ndarray,
                       sigmas_m: np.ndarray) -> np.ndarray:
    """Return the expected reprojection errors (N,) of points (N, 3) with standard deviations (N,), matched to keypoints
    (N, 2): that of keypoints, as found, and that of the points."""
    errors_px = reprojection_errors_px(pinhole, cam_T_world, matched_px, points_m)
    keypoint_px = max(pixels_in(pinhole, KEYPOINT_SIGMA_PX), ERROR_TO_SIGMA * float(np.median(errors_px)))
    distance_m = np.linalg.norm(points_m - se3.inverse(cam_T_world)[:3, 3], axis=1)
    return np.hypot(keypoint_px, pinhole.focal_px * sigmas_m / np.maximum(distance_m, 1e-6))


def searched_near(map_code: MapCode, features: Features, keypoints_px: np.ndarray, pinhole: Camera,
                  found: Localization, factor: float, config: PoseConfig, scene: int) -> Localization:
    """Return the pose that also what is near agrees with, or the one that was found.

    Args:
        factor: that makes the covariance of the pose found honest; see `covariance_calibration`.
    """
    cam_T_world = se3.inverse(found.world_T_cam)
    sigma_m = se3.largest_sigma(factor * found.covariance[:3, :3])
    of_image, rows = _matches(map_code, features, keypoints_px, pinhole, cam_T_world, sigma_m,
                              config.inlier_threshold_px, scene)
    if len(rows) == 0:
        return found
    matched_px, points_m = keypoints_px[of_image], map_code.codes["positions_m"][rows].astype(np.float64)
    exact_px = pixels_in(pinhole, exact_threshold_px(config))
    best = robust_pose(pinhole, matched_px, points_m, exact_px, config.max_iterations, config.seed)
    if best is None:
        return found
    again = refined_in_map(map_code, features, keypoints_px, pinhole, best.cam_T_world, exact_threshold_px(config),
                           scene)
    if again is None:
        return found
    before, after = (_misfit(reprojection_errors_px(pinhole, pose, matched_px, points_m), exact_px)
                     for pose in (cam_T_world, se3.inverse(again.world_T_cam)))
    return again if after < before else found


def _misfit(errors_px: np.ndarray, exact_px: float) -> float:
    """Return the squared errors (N,), those beyond a bound as if they were there."""
    return float((np.minimum(errors_px, exact_px) ** 2).sum())


def _matches(map_code: MapCode, features: Features, keypoints_px: np.ndarray, pinhole: Camera,
             cam_T_world: np.ndarray, sigma_m: float, threshold_px: float,
             scene: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features and codes (M,) that are each other's best, as far apart as the error of the pose may move them;
    none where that is nowhere far."""
    none = np.zeros(0, np.int64), np.zeros(0, np.int64)
    if not np.isfinite(sigma_m):
        return none
    rows, pixels = visible_codes(map_code, pinhole, cam_T_world, 0.0, scene)
    _, depth_m = project(pinhole, cam_T_world, map_code.codes["positions_m"][rows])
    radius_px = SIGMAS * sigma_m * pinhole.focal_px / np.maximum(depth_m, 1e-9)
    least_px = pixels_in(pinhole, threshold_px)
    if np.count_nonzero(radius_px > least_px) < MIN_NEAR:
        return none
    radius_px = np.clip(radius_px, least_px, pixels_in(pinhole, MAX_RADIUS_PX))
    pairs = len(keypoints_px) * np.pi * float((radius_px**2).sum()) / (pinhole.width_px * pinhole.height_px)
    chosen = slice(None, None, max(1, int(np.ceil(pairs / MOST_PAIRS))))
    rows = rows[chosen]
    around = cKDTree(keypoints_px).query_ball_point(pixels[chosen], radius_px[chosen])
    code = np.repeat(np.arange(len(rows)), [len(one) for one in around])
    feature = np.fromiter(chain.from_iterable(around), np.int64, len(code))
    code, feature, _ = best_pairs(map_code.descriptors(rows), features.descriptors, code, feature, MIN_SIMILARITY)
    return feature, rows[code]
