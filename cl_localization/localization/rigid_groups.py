"""Whether an image agrees with two poses: what it shows was one rigid whole in the map, and is several now.

When furniture has been moved, all that is seen of a cupboard agrees on a pose, and all that is seen of the walls on
another. The image alone cannot tell which of the two stood still.
"""

from __future__ import annotations

import numpy as np

from cl_localization.config import PoseConfig
from cl_localization.features.encoder import Features
from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.pnp import reprojection_errors_px, robust_pose
from cl_localization.localization.refinement import MIN_MATCHES, pixels_in, refined_in_map
from cl_localization.localization.regressor import SceneCoordinates
from cl_localization.localization.result import Localization
from cl_localization.map.map_code import MapCode

CLEARLY_OFF = 2.0
"""Matches of another group lie at least this many inlier thresholds from where the pose has them."""

APART_SHARE, APART_DEG = 0.15, 10.0
"""Two poses are different when they are this share of the viewing distance or this angle apart."""


def rival_inliers(map_code: MapCode, features: Features, camera: Camera, coordinates: SceneCoordinates,
                  found: Localization, config: PoseConfig) -> int:
    """Return how many features that disagree with the pose found agree with another one; 0 for no other pose.

    Args:
        features: of the image, of which those of the pose are the first.
        coordinates: unambiguous matches of these, in one scene.
    """
    if found.world_T_cam is None:
        return 0
    keypoints_px, pinhole = camera.undistort(features.keypoints_px), camera.pinhole()
    threshold_px = pixels_in(pinhole, config.inlier_threshold_px)
    errors_px = reprojection_errors_px(pinhole, se3.inverse(found.world_T_cam), keypoints_px[coordinates.features],
                                       coordinates.points_m)
    free = np.setdiff1d(np.arange(len(features)), found.inlier_features)
    others = coordinates.select((errors_px >= CLEARLY_OFF * threshold_px) & np.isin(coordinates.features, free))
    if len(others.features) < MIN_MATCHES:
        return 0
    first = robust_pose(pinhole, keypoints_px[others.features], others.points_m, threshold_px, config.max_iterations,
                        config.seed)
    if first is None:
        return 0
    scene = int(map_code.codes["scenes"][others.rows[0]])
    rival = refined_in_map(map_code, features.select(free), keypoints_px[free], pinhole, first.cam_T_world,
                           config, scene)
    return rival.inliers if rival is not None and _is_another_pose(rival, found) else 0


def _is_another_pose(rival: Localization, found: Localization) -> bool:
    if rival.world_T_cam is None or found.world_T_cam is None:
        return False
    apart_m, apart_deg = se3.pose_error(rival.world_T_cam, found.world_T_cam)
    return apart_m > APART_SHARE * found.viewing_distance_m or apart_deg > APART_DEG
