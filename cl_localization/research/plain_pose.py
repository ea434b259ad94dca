"""Predicted scene coordinates to a camera pose, for networks whose points belong to no code of a map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cl_localization.geometry import se3
from cl_localization.geometry.camera import Camera
from cl_localization.geometry.pnp import robust_pose

THRESHOLD_PX = 10.0
REFERENCE_WIDTH_PX = 640.0
"""The threshold is given for images of this width and scales with it."""
MAX_ITERATIONS = 8000
"""Of RANSAC, which ends long before where many points agree; where 7 to 10 % do, 1000 are too few."""


@dataclass(frozen=True, eq=False)
class PlainPose:
    """A pose from predicted points: world_T_cam (4, 4), None when no pose agrees with enough of them, and how many
    agree."""

    world_T_cam: np.ndarray | None
    inliers: int


def plain_pose(camera: Camera, pixels: np.ndarray, points_m: np.ndarray, seed: int = 0) -> PlainPose:
    """Return the pose that most points (N, 3), predicted for pixels (N, 2) of an image as it came, agree with."""
    threshold_px = THRESHOLD_PX * camera.width_px / REFERENCE_WIDTH_PX
    found = robust_pose(camera.pinhole(), camera.undistort(pixels), points_m, threshold_px, MAX_ITERATIONS, seed)
    return PlainPose(None, 0) if found is None else PlainPose(se3.inverse(found.cam_T_world), int(found.inliers.sum()))
