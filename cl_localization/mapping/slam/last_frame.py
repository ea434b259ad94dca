"""The way from the last frame to this one, by the features of the two and the depth of the last: where a map is new,
as behind a door, it has few codes that can be seen again, but the last frame has all that it saw."""

from __future__ import annotations

import numpy as np

from cl_localization.config import PoseConfig
from cl_localization.features.mutual_matching import mutual_matches
from cl_localization.geometry import se3
from cl_localization.geometry.pnp import project, robust_pose
from cl_localization.localization.refinement import pixels_in
from cl_localization.mapping.depth_points import depth_sigmas
from cl_localization.mapping.slam.depth_pose import Look, SeenPose, solved
from cl_localization.mapping.slam.old_place import MIN_SIMILARITY

NEAR_PX = 80.0
"""A point of the last frame appears this near to where a predicted pose has it [px of a 640 px wide image]."""


def pose_from_last(last: Look, world_T_last: np.ndarray, look: Look, predicted: np.ndarray,
                   config: PoseConfig) -> SeenPose | None:
    """Return the pose of a frame by what the last one, at a pose (4, 4), saw with depth; None with too few matches.

    Its covariance is that of the way between the two.

    Args:
        predicted: (4, 4) of the frame, near which matches are looked for.
    """
    known = np.flatnonzero(last.depths_m > 0)
    depths_m = last.depths_m[known].astype(np.float64)
    rays = np.column_stack([last.pinhole.normalize(last.keypoints_px[known]), np.ones(len(known))])
    points_m = se3.transform(world_T_last, rays * depths_m[:, None])
    pixels, ahead_m = project(look.pinhole, se3.inverse(predicted), points_m)
    ahead = np.flatnonzero(ahead_m > 0)
    far = squared_distances(look.keypoints_px, pixels[ahead]) >= pixels_in(look.pinhole, NEAR_PX) ** 2
    features, row, _ = mutual_matches(look.features.descriptors, last.features.descriptors[known[ahead]],
                                      MIN_SIMILARITY, far)
    if len(features) < config.min_inliers:
        return None
    points_m, depths_m = points_m[ahead[row]], depths_m[ahead[row]]
    first = robust_pose(look.pinhole, look.keypoints_px[features], points_m,
                        pixels_in(look.pinhole, config.inlier_threshold_px), config.max_iterations, config.seed)
    if first is None:
        return None
    agree = first.inliers
    return solved(look, first.cam_T_world, features[agree], points_m[agree], depth_sigmas(depths_m[agree]), config,
                  matches=len(features))


def squared_distances(first_px: np.ndarray, second_px: np.ndarray) -> np.ndarray:
    """Return the squared distances (N, M) of pixels (N, 2) and (M, 2), as one product of matrices."""
    first_px, second_px = first_px.astype(np.float64), second_px.astype(np.float64)
    first = np.column_stack([(first_px**2).sum(axis=1), np.ones(len(first_px)), -2 * first_px])
    second = np.column_stack([np.ones(len(second_px)), (second_px**2).sum(axis=1), second_px])
    return first @ second.T
