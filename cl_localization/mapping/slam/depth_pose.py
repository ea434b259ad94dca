"""The pose of a frame in the map so far, from where codes are seen in its image and how far away its depth says they
are."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from cl_localization.config import PoseConfig
from cl_localization.data.frame import Frame
from cl_localization.features import Features
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.pnp import MeasuredDepth, project, refined_pose
from cl_localization.localization.matching import guided_matches
from cl_localization.localization.refinement import (
    ERROR_TO_SIGMA,
    KEYPOINT_SIGMA_PX,
    MIN_MATCHES,
    MIN_SIMILARITY,
    pixels_in,
)
from cl_localization.map.map_code import MapCode
from cl_localization.mapping.depth_points import depth_sigmas, depths_of

WIDE = 2.0
"""The first search around a predicted pose is wider than the inlier threshold by this factor."""

DEPTH_SIGMAS = 4.0
"""Inliers lie at most this many standard deviations from the depth measured."""


@dataclass(frozen=True, eq=False)
class Look:
    """What there is of an image, before it has a pose.

    Attributes:
        features: their keypoints are undistorted.
        pinhole: the camera of those.
        depths_m: (N,) measured at the keypoints, 0 where unknown.
    """

    features: Features
    pinhole: Camera
    depths_m: np.ndarray

    @property
    def has_depth(self) -> bool:
        """Whether any of it has depth."""
        return bool(self.depths_m.any())

    def without_depth(self) -> Look:
        """Return what a camera alone sees of it: depth says nothing where the unit of length is unknown."""
        return replace(self, depths_m=np.zeros_like(self.depths_m))


@dataclass(frozen=True, eq=False)
class SeenPose:
    """A pose that matches to codes agree on.

    Attributes:
        world_T_cam: (4, 4).
        covariance: (6, 6) of position [m] and rotation [rad] in world axes, if the errors of matches are independent.
        features: (I,) of the inliers.
        rows: (I,) codes of the inliers; none where the pose is not by codes.
        matches: how many were near the pose.
        error_px: median reprojection error of the inliers.
    """

    world_T_cam: np.ndarray
    covariance: np.ndarray
    features: np.ndarray
    rows: np.ndarray
    matches: int
    error_px: float

    @property
    def inliers(self) -> int:
        """How many matches agree with the pose."""
        return len(self.features)


def look_at_frame(frame: Frame, features: Features, max_depth_m: float) -> Look:
    """Return the look at a frame with features of its image as it came, and the depth at them up to a distance."""
    pixels = frame.camera.undistort(features.keypoints_px).astype(np.float32)
    return Look(Features(pixels, features.descriptors, features.scores), frame.camera.pinhole(),
                depths_of(frame, features, max_depth_m))


def pose_near(map_code: MapCode, look: Look, world_T_cam: np.ndarray, scene: int,
              config: PoseConfig) -> SeenPose | None:
    """Return the pose that codes of a scene near their keypoints agree on, around a pose (4, 4); None with too few."""
    cam_T_world = se3.inverse(world_T_cam)
    for widening in (WIDE, 1.0):
        radius_px = pixels_in(look.pinhole, widening * config.inlier_threshold_px)
        found = guided_matches(map_code, look.features, look.features.keypoints_px, look.pinhole, cam_T_world,
                               radius_px, MIN_SIMILARITY, scene)
        if len(found.rows) < MIN_MATCHES:
            return None
        seen = solved_by_codes(map_code, look, cam_T_world, found.features, found.rows, config)
        cam_T_world = se3.inverse(seen.world_T_cam)
    return seen


def solved_by_codes(map_code: MapCode, look: Look, cam_T_world: np.ndarray, features: np.ndarray, rows: np.ndarray,
                    config: PoseConfig) -> SeenPose:
    """Return the pose of least error of matches (N,) between features and codes, from one (4, 4) nearby."""
    codes = map_code.codes
    return solved(look, cam_T_world, features, codes["positions_m"][rows].astype(np.float64),
                  codes["sigmas_m"][rows].astype(np.float64), config, rows=rows)


def solved(look: Look, cam_T_world: np.ndarray, features: np.ndarray, points_m: np.ndarray, sigmas_m: np.ndarray,
           config: PoseConfig, rows: np.ndarray | None = None, matches: int | None = None) -> SeenPose:
    """Return the pose of least error of matches between features (N,) and points (N, 3), from one (4, 4) nearby.

    Args:
        sigmas_m: (N,) standard deviations of the points.
        rows: (N,) the codes that the points are, if they are.
        matches: how many there were before those that agree with no pose were left out.
    """
    matched_px = look.features.keypoints_px[features]
    pixels, distance_m = project(look.pinhole, cam_T_world, points_m)
    errors_px = np.linalg.norm(pixels - matched_px, axis=1)
    keypoint_px = max(pixels_in(look.pinhole, KEYPOINT_SIGMA_PX), ERROR_TO_SIGMA * float(np.median(errors_px)))
    sigmas_px = np.hypot(keypoint_px, look.pinhole.focal_px * sigmas_m / np.maximum(distance_m, 0.1))
    depth = MeasuredDepth(look.depths_m[features],
                          np.hypot(depth_sigmas(look.depths_m[features]), sigmas_m))
    cam_T_world, covariance = refined_pose(look.pinhole, cam_T_world, matched_px, points_m, sigmas_px, depth=depth)
    pixels, distance_m = project(look.pinhole, cam_T_world, points_m)
    errors_px = np.linalg.norm(pixels - matched_px, axis=1)
    off_m = np.where(depth.depths_m > 0, np.abs(distance_m - depth.depths_m), 0.0)
    inliers = ((errors_px < pixels_in(look.pinhole, config.inlier_threshold_px)) & (distance_m > 0)
               & (off_m < DEPTH_SIGMAS * depth.sigmas_m + 0.01 * distance_m))
    error_px = float(np.median(errors_px[inliers])) if inliers.any() else float("inf")
    return SeenPose(se3.inverse(cam_T_world), covariance, features[inliers],
                    np.zeros(0, np.int64) if rows is None else rows[inliers],
                    len(features) if matches is None else matches, error_px)
