"""How far a pose moves when the matches at one distance are left out: errors that these share, as where a railing
repeats and all of its matches are one bar off.

The scatter of matches does not show such errors, but what is near and what is far then asks for different poses. The
delete-a-group jackknife (Kott, 2001) says by how much, with matches grouped by their distance.
"""

from __future__ import annotations

import numpy as np

from cl_localization.config import PoseConfig
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.pnp import refined_pose, reprojection_errors_px
from cl_localization.localization.refinement import MIN_MATCHES, expected_errors_px
from cl_localization.localization.result import Localization
from cl_localization.map.map_code import MapCode

GROUPS, ITERATIONS = 4, 4
"""Chosen on the queries of terrace, where 3 to 8 groups and 2 to 8 iterations differ little."""


def depth_jackknife(map_code: MapCode, keypoints_px: np.ndarray, pinhole: Camera, found: Localization,
                    config: PoseConfig) -> np.ndarray:
    """Return the covariance (6, 6) of the pose found by leaving out the inliers of each range of distances in turn;
    zero where too few would be left.

    Args:
        keypoints_px: (N, 2) undistorted keypoints of the features.
        pinhole: the camera of those.
    """
    inliers = len(found.inlier_points_m)
    if found.world_T_cam is None or inliers < 2 * GROUPS * MIN_MATCHES:
        return np.zeros((6, 6))
    cam_T_world, points_m = se3.inverse(found.world_T_cam), found.inlier_points_m
    matched_px = keypoints_px[found.inlier_features]
    sigmas_px = expected_errors_px(map_code, pinhole, cam_T_world, found.inlier_codes,
                                   reprojection_errors_px(pinhole, cam_T_world, matched_px, points_m), config)
    distance_m = np.linalg.norm(points_m - found.world_T_cam[:3, 3], axis=1)
    group = np.argsort(np.argsort(distance_m)) * GROUPS // inliers
    moved = []
    for left_out in range(GROUPS):
        kept = group != left_out
        without, _ = refined_pose(pinhole, cam_T_world, matched_px[kept], points_m[kept], sigmas_px[kept], ITERATIONS)
        moved.append(se3.difference(se3.inverse(without), found.world_T_cam))
    return (GROUPS - 1) / GROUPS * np.array(moved).T @ np.array(moved)
