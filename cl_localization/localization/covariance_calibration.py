"""How much less certain poses are than the scatter of their matches says: measured on the keyframes themselves.

The matches of an image share errors: codes come from keyframes whose given poses are a little wrong, from a depth
sensor and a camera that are not calibrated exactly, from triangulation that bends a map. All matches move together, so
nothing in one image shows it. But every keyframe brings a given pose, and the map that was there before has an opinion
on it. The variance factor of a keyframe is the squared Mahalanobis distance between the two, a degree of freedom: 1
when the errors of matches are independent, several hundred in the RedKitchen sequence of 7-Scenes. Covariances are
multiplied by what puts the right share of the keyframes nearby inside their ellipsoids: the "variance of unit weight"
of least-squares adjustment (Mikhail and Ackermann, 1976), taken on held-out poses instead of residuals, by a quantile
as conformal prediction does (Vovk et al., 2005).

Two kinds of shared errors do show in one image. Where a railing repeats and all of its matches are one bar off, what is
near and what is far asks for different poses: `depth_jackknife` says by how much. And where matches agree on several
poses, these lie apart: see `widened`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import chdtri

from cl_localization.config import PoseConfig
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.pnp import project, refined_pose
from cl_localization.localization.refinement import MIN_MATCHES, expected_errors_px, pixels_in, refined_in_map
from cl_localization.localization.result import Localization
from cl_localization.map.keyframe_views import View
from cl_localization.map.map_code import MapCode

APART_DEG = 6.0
"""Neighbours in a sequence share the errors of their poses. Where keyframes follow closely, only codes that were
first seen from another direction judge a pose; queries see most codes from directions that differ by about as much
(RedKitchen: 7 degrees near the mapped views, 11 far from them)."""

ROUNDS = 2
"""The given pose may be off by more than matches may be: matched again from where the first round leads."""

STAYED_PX = 1.0
"""But not where that moves what the image shows by less than this (median) [px of a 640 px wide image]: the same would
match again."""

UNKNOWN = 0.0
PRIOR = 100.0
"""Stands in for one keyframe of every map. Errors of ten times the scatter are common in real sequences; a simulated
one with exact poses has 1 to 3."""

NEAREST = 20
"""Keyframes nearest to a pose that tell its factor: maps are better here than there."""

ALL_MEASURED, EVERY = 25, 5
"""Without depth so many keyframes of a scene are measured, and then one of so many."""

QUANTILE = 0.95
"""The factor makes the ellipsoids right for this share of the keyframes: their tails are heavier than a normal
distribution's, and a few given poses may be plainly wrong."""

CORRELATION_KEPT = 0.9
"""Share of the correlation between position and rotation that is believed. An image fixes some combinations of the
two far better than either; errors that matches share do not spare those."""

DIFFERENT = float(chdtri(6, 1 - 0.99))
"""Squared Mahalanobis distance of two estimates of a pose that differ by more than chance explains."""

GROUPS, ITERATIONS = 4, 4
"""Of the jackknife. Chosen on the queries of terrace, where 3 to 8 groups and 2 to 8 iterations differ little."""

SMALLEST, LARGEST = 1e-6, 1e6
DEGREES_OF_FREEDOM = 6


def variance_factor(map_code: MapCode, view: View, min_view_angle_deg: float = 0.0) -> float:
    """Return the variance factor of a view with a given pose in a map; `UNKNOWN` where the map cannot say.

    Args:
        view: by the pose it came with.
        min_view_angle_deg: codes that were first seen from a direction nearer than this have no say.
    """
    config, cam_T_world = PoseConfig(), se3.inverse(view.given_world_T_cam)
    for _ in range(ROUNDS):
        found = refined_in_map(map_code, view.features, view.features.keypoints_px, view.camera, cam_T_world,
                               config.inlier_threshold_px, view.scene, min_view_angle_deg)
        if found is None or found.inliers < config.min_inliers:
            return UNKNOWN
        before_px, after_px = (project(view.camera, pose, found.inlier_points_m)[0]
                               for pose in (cam_T_world, se3.inverse(found.world_T_cam)))
        cam_T_world = se3.inverse(found.world_T_cam)
        if np.median(np.linalg.norm(after_px - before_px, axis=1)) < pixels_in(view.camera, STAYED_PX):
            break
    if not np.isfinite(found.covariance).all():
        return UNKNOWN
    error = se3.difference(found.world_T_cam, view.given_world_T_cam)
    squared = float(error @ np.linalg.lstsq(found.covariance, error, rcond=None)[0])
    return float(np.clip(squared / DEGREES_OF_FREEDOM, SMALLEST, LARGEST))


def factor_of_keyframe(map_code: MapCode, view: View, has_depth: bool) -> float:
    """Return the variance factor of a new keyframe, see `variance_factor`; without depth, where all keyframes follow
    at a distance, `UNKNOWN` for four of five once enough are measured."""
    if has_depth:
        return variance_factor(map_code, view, APART_DEG)
    keyframes = len(map_code.keyframes_of(view.scene))
    return UNKNOWN if keyframes > ALL_MEASURED and keyframes % EVERY else variance_factor(map_code, view)


def variance_factor_of(map_code: MapCode, scene: int, world_T_cam: np.ndarray) -> float:
    """Return the factor for the covariance of a pose (4, 4) in a scene, at least 1, from what is known of the
    keyframes that look most alike it."""
    rows = map_code.keyframes.rows()
    factors = map_code.keyframes["keyframe_variance_factors"][rows].astype(np.float64)
    known = (map_code.keyframes["keyframe_scenes"][rows] == scene) & (factors > UNKNOWN)
    nearest = _nearest(map_code.keyframe_world_T_cam[known], world_T_cam)
    quantile = float(np.quantile(np.append(factors[known][nearest], PRIOR), QUANTILE))
    return max(1.0, DEGREES_OF_FREEDOM * quantile / chdtri(DEGREES_OF_FREEDOM, 1 - QUANTILE))


def _nearest(poses: np.ndarray, world_T_cam: np.ndarray) -> np.ndarray:
    """Return which of poses (K, 4, 4) look most alike one, a radian of turn as far as their median distance."""
    apart_m = np.linalg.norm(poses[:, :3, 3] - world_T_cam[:3, 3], axis=1)
    turned_rad = np.deg2rad(se3.rotation_angle_deg(np.swapaxes(poses[:, :3, :3], 1, 2) @ world_T_cam[:3, :3]))
    scale_m = max(float(np.median(apart_m)), 1e-9) if len(apart_m) else 1.0
    return np.argsort(apart_m / scale_m + turned_rad, kind="stable")[:NEAREST]


def calibrated(covariance: np.ndarray, factor: float) -> np.ndarray:
    """Return the covariance (6, 6) of position and rotation to be stated for one that takes the errors of matches for
    independent."""
    stated = covariance * factor
    stated[:3, 3:] *= CORRELATION_KEPT
    stated[3:, :3] *= CORRELATION_KEPT
    return stated


def depth_jackknife(map_code: MapCode, keypoints_px: np.ndarray, pinhole: Camera, found: Localization) -> np.ndarray:
    """Return the covariance (6, 6) that the pose found has by the delete-a-group jackknife (Kott, 2001): the inliers of
    each range of distances are left out in turn. It is zero where too few would be left.

    Args:
        keypoints_px: (N, 2) undistorted keypoints of the features.
        pinhole: the camera of those.
    """
    inliers = len(found.inlier_points_m)
    if inliers < 2 * GROUPS * MIN_MATCHES:
        return np.zeros((6, 6))
    cam_T_world, points_m = se3.inverse(found.world_T_cam), found.inlier_points_m
    matched_px = keypoints_px[found.inlier_features]
    sigmas_px = expected_errors_px(pinhole, cam_T_world, matched_px, points_m,
                                   map_code.codes["sigmas_m"][found.inlier_codes])
    distance_m = np.linalg.norm(points_m - found.world_T_cam[:3, 3], axis=1)
    group = np.argsort(np.argsort(distance_m)) * GROUPS // inliers
    moved = []
    for left_out in range(GROUPS):
        kept = group != left_out
        without, _ = refined_pose(pinhole, cam_T_world, matched_px[kept], points_m[kept], sigmas_px[kept], ITERATIONS)
        moved.append(se3.difference(se3.inverse(without), found.world_T_cam))
    return (GROUPS - 1) / GROUPS * np.array(moved).T @ np.array(moved)


def widened(found: Localization, other_world_T_cam: np.ndarray, variance: float) -> Localization:
    """Return a pose with its covariance wide enough to hold another estimate (4, 4) where that differs by more than
    chance explains: what repeats in an image lets matches agree on several poses.

    Args:
        variance: of the other estimate, in multiples of the covariance.
    """
    if found.world_T_cam is None or found.covariance is None or not np.isfinite(found.covariance).all():
        return found
    apart = se3.difference(found.world_T_cam, other_world_T_cam)
    if apart @ np.linalg.lstsq(found.covariance, apart, rcond=None)[0] <= DIFFERENT * (1.0 + variance):
        return found
    return replace(found, covariance=found.covariance + np.outer(apart, apart))
