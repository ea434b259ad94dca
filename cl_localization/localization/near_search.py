"""What is near, searched once more where what is far has left the position open.

Far points fix how a camera is turned, and many of them its position to a share of their distance; that moves what is
near by many pixels, out of the reach of a search around where it should be. But only near points tell the position.
So each code is searched as far around its projection as the pose may be wrong: little for far ones, much for near ones.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

import numpy as np
from scipy.spatial import cKDTree

from cl_localization.config import PoseConfig
from cl_localization.features.encoder import Features
from cl_localization.features.mutual_matching import best_pairs
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.pnp import project, reprojection_errors_px, robust_pose
from cl_localization.localization.guided_matching import visible_codes
from cl_localization.localization.refinement import pixels_in, refined_in_map
from cl_localization.localization.result import Localization
from cl_localization.map.map_code import MapCode

SIGMAS = 3.0
MAX_RADIUS_PX = 60.0
"""Of the search [px of a 640 px wide image]."""

EXACT_PX = 4.0
"""Largest reprojection error of matches that agree [px of a 640 px wide image]."""

MIN_NEAR = 30

MOST_PAIRS = 200_000
"""Of codes and the keypoints around them, about. A pose that is nowhere near would be searched for seconds: where there
are more, evenly spread codes stand for all."""


def searched_near(map_code: MapCode, features: Features, keypoints_px: np.ndarray, pinhole: Camera,
                  found: Localization, factor: float, config: PoseConfig, scene: int) -> Localization:
    """Return the pose that also what is near agrees with, or the one that was found.

    Args:
        factor: that makes the covariance of the pose found honest; see `covariance_calibration`.
    """
    if found.world_T_cam is None or found.covariance is None:
        return found
    cam_T_world = se3.inverse(found.world_T_cam)
    sigma_m = se3.largest_sigma(factor * found.covariance[:3, :3])
    of_image, rows = _matches(map_code, features, keypoints_px, pinhole, cam_T_world, sigma_m, config, scene)
    if len(rows) == 0:
        return found
    matched_px, points_m = keypoints_px[of_image], map_code.codes["positions_m"][rows].astype(np.float64)
    exact = replace(config, inlier_threshold_px=min(EXACT_PX, config.inlier_threshold_px))
    exact_px = pixels_in(pinhole, exact.inlier_threshold_px)
    best = robust_pose(pinhole, matched_px, points_m, exact_px, config.max_iterations, config.seed)
    if best is None:
        return found
    again = refined_in_map(map_code, features, keypoints_px, pinhole, best.cam_T_world, exact, scene)
    if again is None or again.world_T_cam is None:
        return found
    before, after = (_misfit(reprojection_errors_px(pinhole, pose, matched_px, points_m), exact_px)
                     for pose in (cam_T_world, se3.inverse(again.world_T_cam)))
    return again if after < before else found


def _misfit(errors_px: np.ndarray, exact_px: float) -> float:
    """Return the squared errors (N,), those beyond a bound as if they were there."""
    return float((np.minimum(errors_px, exact_px) ** 2).sum())


def _matches(map_code: MapCode, features: Features, keypoints_px: np.ndarray, pinhole: Camera,
             cam_T_world: np.ndarray, sigma_m: float, config: PoseConfig,
             scene: int) -> tuple[np.ndarray, np.ndarray]:
    """Return features and codes (M,) that are each other's best, as far apart as the error of the pose may move them;
    none where that is nowhere far."""
    none = np.zeros(0, np.int64), np.zeros(0, np.int64)
    if not np.isfinite(sigma_m):
        return none
    rows, pixels = visible_codes(map_code, pinhole, cam_T_world, 0.0, scene)
    _, depth_m = project(pinhole, cam_T_world, map_code.codes["positions_m"][rows])
    radius_px = SIGMAS * sigma_m * pinhole.focal_px / np.maximum(depth_m, 1e-9)
    least_px = pixels_in(pinhole, config.inlier_threshold_px)
    if np.count_nonzero(radius_px > least_px) < MIN_NEAR:
        return none
    radius_px = np.clip(radius_px, least_px, pixels_in(pinhole, MAX_RADIUS_PX))
    pairs = len(keypoints_px) * np.pi * float((radius_px**2).sum()) / (pinhole.width_px * pinhole.height_px)
    chosen = slice(None, None, max(1, int(np.ceil(pairs / MOST_PAIRS))))
    rows = rows[chosen]
    around = cKDTree(keypoints_px).query_ball_point(pixels[chosen], radius_px[chosen])
    code = np.repeat(np.arange(len(rows)), [len(one) for one in around])
    feature = np.fromiter(chain.from_iterable(around), np.int64, len(code))
    code, feature, _ = best_pairs(map_code.descriptors(rows), features.descriptors, code, feature,
                                  config.min_similarity)
    return feature, rows[code]
